#include "migration/hot/source_load.h"

#include <fmt/format.h>

#include "inspect/server_answers.h"

namespace pegmove::migration::hot {
namespace {

constexpr const char* kPlainWrites[] = {"put_requests", "multi_put_requests", "remove_requests",
                                        "multi_remove_requests"};
constexpr const char* kAtomicWrites[] = {"incr_requests", "check_and_set_requests",
                                         "check_and_mutate_requests"};

std::string writes_question(int32_t app_id) {
  auto target = fmt::format(
      "/metrics?with_metric_fields=name,value&types=replica&attributes=table_id,{}&metrics=",
      app_id);
  for (const auto* name : kPlainWrites) target += fmt::format("{},", name);
  for (const auto* name : kAtomicWrites) target += fmt::format("{},", name);
  target.pop_back();
  return target;
}

Task<std::map<int32_t, PartitionWrites>> writes_on(client::Cluster& cluster, net::HostPort node,
                                                   int32_t app_id, Deadline deadline) {
  const auto reply = CO_TRY(
      co_await cluster.client().http_get(std::move(node), writes_question(app_id), deadline));
  if (reply.status != 200)
    co_return fail(Code::kProtocol, fmt::format("status {} for /metrics", reply.status));
  co_return parse_partition_writes(reply.body);
}

// A server that was restarted has counted from zero.
int64_t grown_by(int64_t before, int64_t now) { return now >= before ? now - before : now; }

}  // namespace

Result<std::map<int32_t, PartitionWrites>> parse_partition_writes(std::string_view body) {
  std::map<int32_t, PartitionWrites> partitions;
  for (const auto& [index, values] : TRY(inspect::parse_partition_metrics(body))) {
    const auto sum_of = [&](const auto& names) {
      int64_t sum = 0;
      for (const auto* name : names)
        if (const auto found = values.find(name); found != values.end()) sum += found->second;
      return sum;
    };
    const auto atomic = sum_of(kAtomicWrites);
    partitions[index] = {.writes = sum_of(kPlainWrites) + atomic, .atomic = atomic};
  }
  return partitions;
}

Task<WriteReading> read_writes(client::Cluster& cluster, std::string table, Deadline deadline) {
  const auto config = CO_TRY(co_await cluster.table_config(std::move(table), {}, deadline));
  WriteReading reading{.at = cluster.client().clock().now(),
                       .partition_count = int32_t(config.partitions.size())};
  std::map<std::string, net::HostPort> primaries;
  for (const auto& partition : config.partitions)
    if (partition.primary.port != 0)
      primaries.emplace(partition.primary.to_string(), partition.primary);
  for (const auto& [name, node] : primaries) {
    auto found = co_await writes_on(cluster, node, config.app_id, deadline);
    if (!found) continue;
    for (auto& [index, writes] : *found) {
      if (size_t(index) >= config.partitions.size() ||
          config.partitions[size_t(index)].primary.to_string() != name)
        continue;
      writes.primary = name;
      reading.partitions[index] = std::move(writes);
    }
  }
  co_return reading;
}

int64_t WriteLoad::per_second() const {
  return window.count() > 0 ? int64_t(double(writes) * 1000.0 / double(window.count())) : 0;
}

WriteLoad load_between(const WriteReading& first, const WriteReading& last) {
  WriteLoad load{
      .window = std::chrono::duration_cast<async::milliseconds>(last.at - first.at),
      .partitions = last.partition_count,
      .silent = last.partition_count,
  };
  for (const auto& [index, now] : last.partitions) {
    const auto before = first.partitions.find(index);
    if (before == first.partitions.end() || before->second.primary != now.primary) continue;
    --load.silent;
    load.writes += grown_by(before->second.writes, now.writes);
    load.atomic += grown_by(before->second.atomic, now.atomic);
    load.atomic_since_start += now.atomic;
  }
  return load;
}

}  // namespace pegmove::migration::hot
