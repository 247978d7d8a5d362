#include "server/meta/catalog/app_env_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <limits>

#include "base/app_env_text.h"
#include "base/units.h"

namespace pegmove::server::meta {
namespace {

using std::string_view_literals::operator""sv;

std::unexpected<Error> refuse_env(std::string hint) {
  return fail(Code::kInvalidArgument, std::move(hint));
}

std::string quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

Result<void> check_throttle(std::string_view value) {
  TRY(base::parse_throttle(value));
  return {};
}

Result<void> check_read_size_throttle(std::string_view value) {
  TRY(base::parse_read_size_limit(value));
  return {};
}

Result<void> check_deny_client(std::string_view value) {
  TRY(base::parse_deny_rule(value));
  return {};
}

Result<void> check_usage_scenario(std::string_view value) {
  if (value == "normal" || value == "prefer_write" || value == "bulk_load") return {};
  return refuse_env("bulk_load | normal | prefer_write");
}

Result<void> check_bottommost(std::string_view value) {
  if (value == "force" || value == "skip") return {};
  return refuse_env("force | skip");
}

Result<void> accept_any_text(std::string_view) { return {}; }

enum class Type { kBool, kInt32, kInt64, kText };

struct Rule {
  std::string_view name;
  Type type;
  // Of integers: which are valid, and how the hint says it.
  std::string_view limit = {};
  bool (*is_good)(int64_t) = nullptr;
  // Of strings.
  Result<void> (*check)(std::string_view) = nullptr;
};

constexpr Rule boolean(std::string_view name) { return {.name = name, .type = Type::kBool}; }
constexpr Rule text(std::string_view name,
                    Result<void> (*check)(std::string_view) = accept_any_text) {
  return {.name = name, .type = Type::kText, .check = check};
}
constexpr Rule int32(std::string_view name, std::string_view limit, bool (*is_good)(int64_t)) {
  return {.name = name, .type = Type::kInt32, .limit = limit, .is_good = is_good};
}
constexpr Rule int64(std::string_view name, std::string_view limit, bool (*is_good)(int64_t)) {
  return {.name = name, .type = Type::kInt64, .limit = limit, .is_good = is_good};
}

constexpr bool is_not_negative(int64_t value) { return value >= 0; }
constexpr bool is_positive(int64_t value) { return value > 0; }
constexpr bool is_level(int64_t value) { return value == -1 || value >= 1; }
constexpr bool is_slow_query_threshold(int64_t value) { return value >= 20; }
constexpr bool is_write_buffer_size(int64_t value) {
  return value >= 16 << 20 && value <= 512 << 20;
}
constexpr bool is_level_count(int64_t value) { return value >= 1 && value <= 10; }

constexpr std::array kRules = {
    int32("default_ttl", ">= 0", is_not_negative),
    text("replica.write_throttling", check_throttle),
    text("replica.write_throttling_by_size", check_throttle),
    text("replica.read_throttling", check_throttle),
    text("replica.read_throttling_by_size", check_read_size_throttle),
    text("replica.backup_request_throttling", check_throttle),
    text("replica.deny_client_request", check_deny_client),
    int64("replica.slow_query_threshold", ">= 20", is_slow_query_threshold),
    int64("replica.rocksdb_iteration_threshold_time_ms", ">= 0", is_not_negative),
    boolean("replica.rocksdb_block_cache_enabled"),
    boolean("replica.split.validate_partition_hash"),
    text("user_specified_compaction"),
    text("business.info"),
    boolean("rocksdb.allow_ingest_behind"),
    int64("rocksdb.write_buffer_size", "In range [16777216, 536870912]", is_write_buffer_size),
    int64("rocksdb.num_levels", "In range [1, 10]", is_level_count),
    text("rocksdb.usage_scenario", check_usage_scenario),
    int32("rocksdb.checkpoint.reserve_min_count", "> 0", is_positive),
    int32("rocksdb.checkpoint.reserve_time_seconds", ">= 0", is_not_negative),
    boolean("manual_compact.disabled"),
    int32("manual_compact.max_concurrent_running_count", ">= 0", is_not_negative),
    // The text is stricter than the check, as in Pegasus: 0 is accepted.
    int64("manual_compact.once.trigger_time",
          "> 0, timestamp (in seconds) to trigger the once manual compaction", is_not_negative),
    int64("manual_compact.once.target_level", "-1 or >= 1", is_level),
    text("manual_compact.once.bottommost_level_compaction", check_bottommost),
    text("manual_compact.periodic.trigger_time"),
    int64("manual_compact.periodic.target_level", "-1 or >= 1", is_level),
    text("manual_compact.periodic.bottommost_level_compaction", check_bottommost),
    text("replica_access_controller.allowed_users"),
    text("replica_access_controller.ranger_policies"),
    text("duplication.master_cluster"),
    text("duplication.master_metas"),
    text("duplication.master_app_name"),
    text("duplication.follower_app_status"),
};

bool is_boolean(std::string_view value) {
  std::string lower(value);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower == "true" || lower == "false";
}

Result<void> check_integer(const Rule& rule, std::string_view value) {
  const auto number = base::parse_c_integer(value);
  const bool fits =
      number && (rule.type == Type::kInt64 || (*number >= std::numeric_limits<int32_t>::min() &&
                                               *number <= std::numeric_limits<int32_t>::max()));
  if (!fits) {
    const auto bits = rule.type == Type::kInt64 ? "64"sv : "32"sv;
    return refuse_env(
        fmt::format("invalid value {}, should be an {} bits integer", quoted(value), bits));
  }
  if (!rule.is_good(*number)) {
    return refuse_env(
        fmt::format("invalid value {}, should be {}", quoted(value), quoted(rule.limit)));
  }
  return {};
}

}  // namespace

Result<void> check_app_env(std::string_view name, std::string_view value) {
  const auto* rule = std::ranges::find(kRules, name, &Rule::name);
  if (rule == kRules.end())
    return refuse_env(fmt::format("app_env {} is not supported", quoted(name)));
  switch (rule->type) {
    case Type::kBool:
      if (is_boolean(value)) return {};
      return refuse_env(fmt::format("invalid value {}, should be a boolean", quoted(value)));
    case Type::kInt32:
    case Type::kInt64: return check_integer(*rule, value);
    case Type::kText: return rule->check(value);
  }
  return {};
}

Result<void> check_app_envs_at_create(const std::map<std::string, std::string>& envs) {
  constexpr std::array kChecked = {"rocksdb.write_buffer_size"sv, "rocksdb.num_levels"sv,
                                   "replica.deny_client_request"sv};
  for (const auto name : kChecked) {
    const auto env = envs.find(std::string(name));
    if (env == envs.end()) continue;
    TRY(in_context(check_app_env(name, env->second), "app env " + std::string(name)));
  }
  return {};
}

}  // namespace pegmove::server::meta
