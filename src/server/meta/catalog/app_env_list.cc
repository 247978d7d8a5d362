#include "server/meta/catalog/app_env_list.h"

#include <nlohmann/json.hpp>

#include "base/json_text.h"

namespace pegmove::server::meta {
namespace {

constexpr std::string_view kBool = "bool";
constexpr std::string_view kInt32 = "unsigned int32";
constexpr std::string_view kInt64 = "unsigned int64";
constexpr std::string_view kText = "string";

constexpr std::string_view kTwo = "true | false";
constexpr std::string_view kThrottle = "<size[K|M]>*<delay|reject>*<milliseconds>";
constexpr std::string_view kThrottles = "10000*delay*100,20000*reject*100";
constexpr std::string_view kBottommost = "force | skip";
constexpr std::string_view kDeny =
    "timeout*all | timeout*write | timeout*read | reconfig*all | reconfig*write | reconfig*read";

constexpr AppEnvDescription kEnvs[] = {
    {"business.info", kText, "", ""},
    {"default_ttl", kInt32, ">= 0", "86400"},
    {"duplication.follower_app_status", kText, "", ""},
    {"duplication.master_app_name", kText, "", ""},
    {"duplication.master_cluster", kText, "", ""},
    {"duplication.master_metas", kText, "", ""},
    {"manual_compact.disabled", kBool, kTwo, "true"},
    {"manual_compact.max_concurrent_running_count", kInt32, ">= 0", "8"},
    {"manual_compact.once.bottommost_level_compaction", kText, kBottommost, "skip"},
    {"manual_compact.once.target_level", kInt64, "-1 or >= 1", "6"},
    {"manual_compact.once.trigger_time", kInt64,
     "> 0, timestamp (in seconds) to trigger the once manual compaction", "1700000000"},
    {"manual_compact.periodic.bottommost_level_compaction", kText, kBottommost, "skip"},
    {"manual_compact.periodic.target_level", kInt64, "-1 or >= 1", "6"},
    {"manual_compact.periodic.trigger_time", kText, "", ""},
    {"replica.backup_request_throttling", kText, kThrottle, kThrottles},
    {"replica.deny_client_request", kText, kDeny, "timeout*all"},
    {"replica.read_throttling", kText, kThrottle, kThrottles},
    {"replica.read_throttling_by_size", kText, "", "20000*delay*100,20000*reject*100"},
    {"replica.rocksdb_block_cache_enabled", kBool, kTwo, "true"},
    {"replica.rocksdb_iteration_threshold_time_ms", kInt64, ">= 0", "1000"},
    {"replica.slow_query_threshold", kInt64, ">= 20", "1000"},
    {"replica.split.validate_partition_hash", kBool, kTwo, "true"},
    {"replica.write_throttling", kText, kThrottle, kThrottles},
    {"replica.write_throttling_by_size", kText, kThrottle, kThrottles},
    {"replica_access_controller.allowed_users", kText, "", ""},
    {"replica_access_controller.ranger_policies", kText, "", ""},
    {"rocksdb.allow_ingest_behind", kBool, kTwo, "true"},
    {"rocksdb.checkpoint.reserve_min_count", kInt32, "> 0", "2"},
    {"rocksdb.checkpoint.reserve_time_seconds", kInt32, ">= 0", "3600"},
    {"rocksdb.num_levels", kInt64, "In range [1, 10]", "6"},
    {"rocksdb.usage_scenario", kText, "bulk_load | normal | prefer_write", "normal"},
    {"rocksdb.write_buffer_size", kInt64, "In range [16777216, 536870912]", "16777216"},
    {"user_specified_compaction", kText, "", ""},
};

}  // namespace

std::span<const AppEnvDescription> app_env_descriptions() { return kEnvs; }

std::string app_env_list_json() {
  nlohmann::json list;
  for (const auto& env : kEnvs)
    list[std::string(env.name)] = {
        {"limitation", env.limitation}, {"sample", env.sample}, {"type", env.type}};
  return base::json_text(list, 2);
}

}  // namespace pegmove::server::meta
