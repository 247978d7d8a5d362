#include "server/replica/table_envs.h"

#include <algorithm>
#include <cctype>

#include "base/text.h"
#include "base/units.h"

namespace pegmove::server::replica {
namespace {

using std::chrono::milliseconds;

class Reader {
 public:
  explicit Reader(const EnvMap& envs) : envs_(envs) {}

  std::string text(const char* name) const {
    auto found = envs_.find(name);
    return found == envs_.end() ? std::string() : found->second;
  }
  int64_t number(const char* name, int64_t otherwise, int64_t least, int64_t most) const {
    auto value = base::parse_c_integer(text(name));
    return value && *value >= least && *value <= most ? *value : otherwise;
  }
  bool flag(const char* name) const {
    auto value = text(name);
    std::ranges::transform(value, value.begin(), [](unsigned char c) { return std::tolower(c); });
    return value == "true";
  }
  base::Throttle throttle(const char* name) const {
    return base::parse_throttle(text(name)).value_or(base::Throttle());
  }

 private:
  const EnvMap& envs_;
};

// "3:00,21:30": minutes of the day; other texts are left out.
std::vector<int> parse_times_of_day(std::string_view text) {
  std::vector<int> minutes;
  for (auto time : base::split_fields(text, ',', false)) {
    auto colon = time.find(':');
    if (colon == std::string_view::npos) continue;
    auto hour = base::parse_integer(time.substr(0, colon), 0, 23);
    auto minute = base::parse_integer(time.substr(colon + 1), 0, 59);
    if (hour && minute) minutes.push_back(int(*hour * 60 + *minute));
  }
  std::ranges::sort(minutes);
  return minutes;
}

CompactionPlan parse_compaction(const Reader& envs) {
  constexpr int64_t kMostLevel = 1000;
  CompactionPlan plan;
  plan.is_disabled = envs.text("manual_compact.disabled") == "true";
  plan.most_running =
      int(envs.number("manual_compact.max_concurrent_running_count", INT32_MAX, 0, INT32_MAX));
  plan.once_trigger_unix_seconds =
      envs.number("manual_compact.once.trigger_time", 0, 0, INT64_MAX / 1'000'000);
  plan.daily_minutes = parse_times_of_day(envs.text("manual_compact.periodic.trigger_time"));
  plan.once.target_level = int(envs.number("manual_compact.once.target_level", -1, -1, kMostLevel));
  plan.once.rewrite_lowest_level =
      envs.text("manual_compact.once.bottommost_level_compaction") == "force";
  plan.periodic.target_level =
      int(envs.number("manual_compact.periodic.target_level", -1, -1, kMostLevel));
  plan.periodic.rewrite_lowest_level =
      envs.text("manual_compact.periodic.bottommost_level_compaction") == "force";
  return plan;
}

}  // namespace

TableEnvs parse_table_envs(const EnvMap& envs) {
  const Reader reader(envs);
  TableEnvs out;
  out.default_ttl_seconds = int32_t(reader.number("default_ttl", 0, 0, INT32_MAX));
  if (auto deny = base::parse_deny_rule(reader.text("replica.deny_client_request")))
    out.deny = *deny;
  out.write_throttle = reader.throttle("replica.write_throttling");
  out.write_size_throttle = reader.throttle("replica.write_throttling_by_size");
  out.read_throttle = reader.throttle("replica.read_throttling");
  out.backup_throttle = reader.throttle("replica.backup_request_throttling");
  out.read_bytes_per_second =
      base::parse_read_size_limit(reader.text("replica.read_throttling_by_size")).value_or(0);
  constexpr int64_t kMostMs = int64_t{1} << 40;  // so that a clock does not overflow
  out.slow_query = milliseconds(reader.number("replica.slow_query_threshold", 0, 20, kMostMs));
  out.iteration_time = milliseconds(
      reader.number("replica.rocksdb_iteration_threshold_time_ms", 30'000, 0, kMostMs));
  out.validate_partition_hash = reader.flag("replica.split.validate_partition_hash");
  out.tuning.scenario = store::parse_usage_scenario(reader.text("rocksdb.usage_scenario"))
                            .value_or(store::UsageScenario::kNormal);
  out.tuning.memtable_bytes = size_t(reader.number(
      "rocksdb.write_buffer_size", int64_t(out.tuning.memtable_bytes), 16 << 20, 512 << 20));
  out.allow_ingest_behind = reader.flag("rocksdb.allow_ingest_behind");
  out.compaction_rules = reader.text("user_specified_compaction");
  out.compaction = parse_compaction(reader);
  return out;
}

}  // namespace pegmove::server::replica
