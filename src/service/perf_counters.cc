#include "service/perf_counters.h"

#include <regex.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "service/local_time.h"

namespace pegmove::service {
namespace {

enum class Scope {
  kServer,     // one, of the entity of the server
  kMax,        // one, the largest of all replicas
  kTable,      // name@table, the sum of its replicas
  kPartition,  // name@app_id.partition_index
};

constexpr std::string_view kNumber = "NUMBER";
constexpr std::string_view kVolatile = "VOLATILE_NUMBER";

struct OldCounter {
  std::string_view section;
  std::string_view old_name;
  std::string_view type;
  Scope scope;
  std::string_view metric;
};

constexpr std::string_view kStub = "eon.replica_stub";
constexpr std::string_view kApp = "app.pegasus";

constexpr OldCounter kOldCounters[] = {
    {kStub, "recent.read.fail.count", kVolatile, Scope::kServer, "read_failed_requests"},
    {kStub, "recent.write.fail.count", kVolatile, Scope::kServer, "write_failed_requests"},
    {kStub, "recent.read.busy.count", kVolatile, Scope::kServer, "read_busy_requests"},
    {kStub, "recent.write.busy.count", kVolatile, Scope::kServer, "write_busy_requests"},
    {kStub, "replica(Count)", kNumber, Scope::kServer, "total_replicas"},
    {kStub, "opening.replica(Count)", kNumber, Scope::kServer, "opening_replicas"},
    {kStub, "closing.replica(Count)", kNumber, Scope::kServer, "closing_replicas"},
    {kStub, "replicas.learning.count", kNumber, Scope::kServer, "learning_replicas"},
    {kStub, "cold.backup.max.upload.file.size", kNumber, Scope::kMax,
     "backup_file_upload_max_bytes"},
    {"eon.replica", "dup.disabled_non_idempotent_write_count", kVolatile, Scope::kTable,
     "dup_rejected_non_idempotent_write_requests"},
    {"server", "memused.virt(MB)", kNumber, Scope::kServer, "virtual_mem_usage_mb"},
    {"server", "memused.res(MB)", kNumber, Scope::kServer, "resident_mem_usage_mb"},
    {kApp, "rdb.block_cache.memory_usage", kNumber, Scope::kServer,
     "rdb_block_cache_mem_usage_bytes"},
    {kApp, "recent.read.cu", kVolatile, Scope::kPartition, "read_capacity_units"},
    {kApp, "recent.write.cu", kVolatile, Scope::kPartition, "write_capacity_units"},
    {kApp, "recent.expire.count", kVolatile, Scope::kPartition, "read_expired_values"},
    {kApp, "recent.filter.count", kVolatile, Scope::kPartition, "read_filtered_values"},
    {kApp, "disk.storage.sst(MB)", kNumber, Scope::kPartition, "rdb_total_sst_size_mb"},
    {kApp, "disk.storage.sst.count", kNumber, Scope::kPartition, "rdb_total_sst_files"},
    {kApp, "rdb.memtable.memory_usage", kNumber, Scope::kPartition, "rdb_memtable_mem_usage_bytes"},
    {kApp, "rdb.index_and_filter_blocks.memory_usage", kNumber, Scope::kPartition,
     "rdb_index_and_filter_blocks_mem_usage_bytes"},
    {kApp, "rdb.estimate_num_keys", kNumber, Scope::kPartition, "rdb_estimated_keys"},
};

// The name of a counter for this entity; empty when the entity does not have it.
std::string full_name(const OldCounter& old, const metrics::EntitySnapshot& entity,
                      const TableName& table_name) {
  bool of_server = old.scope == Scope::kServer;
  if (entity.type != (of_server ? "server" : "replica")) return {};
  auto name = "replica*" + std::string(old.section) + "*" + std::string(old.old_name);
  if (of_server || old.scope == Scope::kMax) return name;
  const auto& table_id = entity.attributes.at("table_id");
  if (old.scope == Scope::kTable) return name + "@" + table_name(table_id);
  return name + "@" + table_id + "." + entity.attributes.at("partition_id");
}

class Regexp {
 public:
  explicit Regexp(const std::string& text) {
    bool is_cheap = text.size() <= 256;
    for (size_t i = 0; i + 1 < text.size(); ++i) {
      if (text[i] != '\\') continue;
      char next = text[++i];
      // With counts, back references, groups and alternatives a short pattern may take minutes.
      is_cheap = is_cheap && !std::string_view("{}()|123456789").contains(next);
    }
    is_valid_ = is_cheap && !text.contains('\0') && regcomp(&compiled_, text.c_str(), 0) == 0;
  }
  ~Regexp() {
    if (is_valid_) regfree(&compiled_);
  }
  Regexp(const Regexp&) = delete;
  Regexp& operator=(const Regexp&) = delete;

  bool is_valid() const { return is_valid_; }
  bool matches(const std::string& name) const {
    regmatch_t found;  // the leftmost and longest: all of the name, if that can match
    return regexec(&compiled_, name.c_str(), 1, &found, 0) == 0 && found.rm_so == 0 &&
           size_t(found.rm_eo) == name.size();
  }

 private:
  regex_t compiled_ = {};
  bool is_valid_ = false;
};

bool matches(PerfMatch match, const std::string& name, const std::string& filter) {
  switch (match) {
    case PerfMatch::kSubstring: return name.contains(filter);
    case PerfMatch::kPrefix: return name.starts_with(filter);
    case PerfMatch::kPostfix: return name.ends_with(filter);
    case PerfMatch::kRegexp: return false;  // see list_perf_counters
  }
  return false;
}

// The counters of server-stat: full names, and their names there.
constexpr std::pair<std::string_view, std::string_view> kBrief[] = {
    {"replica*app.pegasus*manual.compact.enqueue.count", "manual_compact_enqueue_count"},
    {"replica*app.pegasus*manual.compact.running.count", "manual_compact_running_count"},
    {"replica*app.pegasus*rdb.block_cache.memory_usage", "rdb_block_cache_memory_usage"},
    {"replica*eon.replica_stub*closing.replica(Count)", "closing_replica_count"},
    {"replica*eon.replica_stub*disk.available.max.ratio", "disk_available_max_ratio"},
    {"replica*eon.replica_stub*disk.available.min.ratio", "disk_available_min_ratio"},
    {"replica*eon.replica_stub*disk.available.total.ratio", "disk_available_total_ratio"},
    {"replica*eon.replica_stub*disk.capacity.total(MB)", "disk_capacity_total(MB)"},
    {"replica*eon.replica_stub*opening.replica(Count)", "opening_replica_count"},
    {"replica*eon.replica_stub*replica(Count)", "serving_replica_count"},
    {"replica*eon.replica_stub*replicas.commit.qps", "commit_throughput"},
    {"replica*eon.replica_stub*replicas.learning.count", "learning_count"},
    {"replica*server*memused.res(MB)", "memused_res(MB)"},
    {"replica*server*memused.virt(MB)", "memused_virt(MB)"},
    {"zion*profiler*RPC_RRDB_RRDB_BATCH_GET.latency.server", "batch_get_p99(ns)"},
    {"zion*profiler*RPC_RRDB_RRDB_BATCH_GET.qps", "batch_get_qps"},
    {"zion*profiler*RPC_RRDB_RRDB_GET.latency.server", "get_p99(ns)"},
    {"zion*profiler*RPC_RRDB_RRDB_GET.qps", "get_qps"},
    {"zion*profiler*RPC_RRDB_RRDB_MULTI_GET.latency.server", "multi_get_p99(ns)"},
    {"zion*profiler*RPC_RRDB_RRDB_MULTI_GET.qps", "multi_get_qps"},
    {"zion*profiler*RPC_RRDB_RRDB_MULTI_PUT.latency.server", "multi_put_p99(ns)"},
    {"zion*profiler*RPC_RRDB_RRDB_MULTI_PUT.qps", "multi_put_qps"},
    {"zion*profiler*RPC_RRDB_RRDB_PUT.latency.server", "put_p99(ns)"},
    {"zion*profiler*RPC_RRDB_RRDB_PUT.qps", "put_qps"},
};

}  // namespace

std::span<const metrics::OldName> old_metric_names() {
  static constexpr metrics::OldName kNames[] = {
      {"recent.read.fail.count", "server", "read_failed_requests"},
      {"recent.write.fail.count", "server", "write_failed_requests"},
      {"dup.disabled_non_idempotent_write_count", "replica",
       "dup_rejected_non_idempotent_write_requests"},
      {"cold.backup.max.upload.file.size", "replica", "backup_file_upload_max_bytes"},
  };
  return kNames;
}

std::vector<PerfCounter> perf_counters(const metrics::Registry& registry,
                                       const TableName& table_name) {
  metrics::Filters wanted;
  for (const auto& old : kOldCounters) wanted.metrics.emplace(old.metric);
  std::map<std::string, PerfCounter> counters;
  for (const auto& entity : registry.snapshot(wanted)) {
    for (const auto& old : kOldCounters) {
      auto metric = std::ranges::find(entity.metrics, old.metric, &metrics::MetricSnapshot::name);
      auto name = full_name(old, entity, table_name);
      if (metric == entity.metrics.end() || name.empty()) continue;
      auto& counter = counters.try_emplace(name, PerfCounter{name, old.type, 0}).first->second;
      auto value = double(metric->value);
      counter.value =
          old.scope == Scope::kMax ? std::max(counter.value, value) : counter.value + value;
    }
  }
  std::vector<PerfCounter> list;
  for (auto& [name, counter] : counters) list.push_back(std::move(counter));
  return list;
}

std::string list_perf_counters(const std::vector<PerfCounter>& counters, PerfMatch match,
                               std::span<const std::string> filters, int64_t unix_seconds) {
  nlohmann::ordered_json reply{{"result", "OK"},
                               {"timestamp", unix_seconds},
                               {"timestamp_str", local_date_time(unix_seconds)},
                               {"counters", nlohmann::ordered_json::array()}};
  constexpr size_t kMostFilters = 64;  // each takes time and memory for each counter
  if (filters.size() > kMostFilters) {
    reply["result"] = "ERROR: invalid filter: more than " + std::to_string(kMostFilters);
    return base::json_text(reply);
  }
  std::vector<std::unique_ptr<Regexp>> regexps;
  if (match == PerfMatch::kRegexp)
    for (const auto& filter : filters) {
      regexps.push_back(std::make_unique<Regexp>(filter));
      if (!regexps.back()->is_valid()) reply["result"] = "ERROR: invalid filter: " + filter;
    }
  for (const auto& counter : counters) {
    bool wanted = filters.empty();
    for (const auto& filter : filters) wanted = wanted || matches(match, counter.name, filter);
    for (const auto& regexp : regexps)
      wanted = wanted || (regexp->is_valid() && regexp->matches(counter.name));
    if (wanted && reply["result"] == "OK")
      reply["counters"].push_back(
          {{"name", counter.name}, {"type", counter.type}, {"value", counter.value}});
  }
  return base::json_text(reply, -1, base::NoUtf8::kReplace);
}

std::string brief_statistics(const std::vector<PerfCounter>& counters) {
  std::string there, missing;
  auto add = [](std::string& to, std::string_view name, std::string_view value) {
    if (!to.empty()) to += ", ";
    to.append(name).append("=").append(value);
  };
  for (const auto& [name, shown] : kBrief) {
    auto found = std::ranges::find(counters, name, &PerfCounter::name);
    if (found == counters.end())
      add(missing, name, "not_found");
    else
      add(there, shown, std::to_string(std::llround(found->value)));
  }
  return there + (there.empty() || missing.empty() ? "" : ", ") + missing;
}

}  // namespace pegmove::service
