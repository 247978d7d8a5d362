#include "migration/hot/cluster_side.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "async/for_each.h"
#include "base/json_fields.h"
#include "base/json_text.h"
#include "client/duplications.h"
#include "client/node.h"
#include "inspect/server_answers.h"
#include "migration/cold_backup/back_up.h"
#include "migration/hot/hot_request.h"
#include "record/hash.h"

namespace pegmove::migration::hot {
namespace {

constexpr const char* kDenyEnv = "replica.deny_client_request";
constexpr size_t kServersAtOnce = 16;
constexpr int64_t kMostUnixSeconds = int64_t{1} << 40;
constexpr int32_t kMostPartitions = 1 << 16;  // as many as the client library accepts

using NodesProgress = std::map<std::string, std::vector<ReplicaProgress>>;

Task<> ask_for_progress(client::Cluster& cluster, int32_t app_id, std::string node,
                        Deadline deadline, NodesProgress& answers) {
  auto place = net::parse_host_port(node);
  if (!place) co_return Result<void>();  // no server can be asked: it is missing
  auto text = co_await client::remote_command(cluster.client(), *place, "replica.query-progress",
                                              {std::to_string(app_id)}, deadline);
  if (!text) co_return Result<void>();
  answers[node] = CO_TRY(in_context(parse_query_progress(*text, app_id), "replica server " + node));
  co_return Result<void>();
}

const Member* led_by(const PartitionView& partition) {
  const auto found = std::ranges::find(partition.members, true, &Member::is_primary);
  return found == partition.members.end() ? nullptr : &*found;
}

TableView view_of(const client::TableConfig& config) {
  TableView view;
  for (const auto& partition : config.partitions) {
    PartitionView one{.ballot = partition.ballot};
    if (partition.primary.port != 0)
      one.members.push_back({.node = partition.primary.to_string(), .is_primary = true});
    for (const auto& secondary : partition.secondaries)
      one.members.push_back({.node = secondary.to_string()});
    view.push_back(std::move(one));
  }
  return view;
}

// GET /metrics says it to the microsecond; before Pegasus 2.6 there is only the remote command, to
// the second.
Task<SideTime> ask_time(client::Client& client, net::HostPort node, Deadline deadline) {
  const auto metrics = co_await client.http_get(
      node, "/metrics?types=server&with_metric_fields=name&metrics=none", deadline);
  if (!metrics && metrics.error().code() == Code::kTimeout) co_return fail(metrics.error());
  if (metrics && metrics->status == 200) {
    const auto time = CO_TRY(inspect::parse_metrics(metrics->body)).timestamp_us;
    co_return SideTime{node.to_string(), time, time + 1};
  }
  const auto counters = CO_TRY(
      co_await client::remote_command(client, node, "perf-counters-by-substr", {"none"}, deadline));
  const auto json = base::parse_json<nlohmann::json>(counters);
  const auto seconds = json.is_object() ? base::number_in(json, "timestamp") : -1;
  if (seconds < 0 || seconds > kMostUnixSeconds)
    co_return fail(Code::kProtocol, "the server does not say its time");
  co_return SideTime{node.to_string(), seconds * 1'000'000, (seconds + 1) * 1'000'000};
}

}  // namespace

Task<std::map<int32_t, ReplicaProgress>> primary_progress(client::Cluster& cluster, int32_t app_id,
                                                          TableView view, Deadline deadline) {
  std::set<std::string> distinct;
  for (const auto& partition : view)
    if (const auto* primary = led_by(partition)) distinct.insert(primary->node);
  const std::vector<std::string> nodes(distinct.begin(), distinct.end());
  NodesProgress answers;
  const auto ask = [&](size_t i) -> Task<> {  // outlives: this frame
    return ask_for_progress(cluster, app_id, nodes[i], deadline, answers);
  };
  CO_TRY(co_await async::for_each(nodes.size(), kServersAtOnce, ask));
  std::map<int32_t, ReplicaProgress> found;
  for (auto& [node, replicas] : answers)
    for (auto& replica : replicas) {
      const auto index = size_t(replica.gpid.partition_index);
      const auto* primary = index < view.size() ? led_by(view[index]) : nullptr;
      if (replica.is_primary && primary && primary->node == node)
        found.emplace(int32_t(index), std::move(replica));
    }
  co_return found;
}

std::string foreign_hash_key(int32_t partition, int32_t partition_count) {
  for (int64_t number = 0;; ++number) {
    // Not UTF-8, so that no text is equal to it.
    auto key = fmt::format("\xff\xfepegmove probe {}", number);
    if (record::partition_index(record::key_hash(key, ""), partition_count) == partition)
      return key;
  }
}

Task<bool> is_embedded(client::Cluster& cluster, Deadline deadline) {
  co_return CO_TRY(co_await ask_meta(cluster, "bulk_load.status", {}, deadline)).has_value();
}

ClusterSide::ClusterSide(std::shared_ptr<client::Cluster> cluster, std::string table,
                         bool is_embedded, int32_t app_id, int32_t partition_count)
    : cluster_(std::move(cluster)),
      table_(std::move(table)),
      is_embedded_(is_embedded),
      app_id_(app_id),
      partition_count_(partition_count),
      name_(fmt::format("{} (table {})", cluster_->name(), table_)) {}

Task<std::unique_ptr<ClusterSide>> ClusterSide::open(std::shared_ptr<client::Cluster> cluster,
                                                     std::string table, bool is_embedded,
                                                     Deadline deadline) {
  const auto config = CO_TRY(co_await cluster->table_config(table, {}, deadline));
  if (config.partition_count < 1 || config.partition_count > kMostPartitions)
    co_return fail(Code::kProtocol, fmt::format("cluster {} says that table '{}' has {} partitions",
                                                cluster->name(), table, config.partition_count));
  co_return std::make_unique<ClusterSide>(std::move(cluster), std::move(table), is_embedded,
                                          config.app_id, config.partition_count);
}

Task<TableView> ClusterSide::view(Deadline deadline) {
  const auto config = CO_TRY(co_await cluster_->table_config(table_, {}, deadline));
  if (config.app_id != app_id_)
    co_return fail(Code::kNotFound,
                   fmt::format("table '{}' of cluster {} was dropped and created again", table_,
                               cluster_->name()));
  if (config.partition_count != partition_count_ ||
      config.partitions.size() != size_t(partition_count_))
    co_return fail(Code::kRefused,
                   fmt::format("table '{}' of cluster {} has {} partitions instead of {}: it was "
                               "split, which a duplication does not survive; cancel the run",
                               table_, cluster_->name(), config.partition_count, partition_count_));
  co_return view_of(config);
}

Routine<ProbeAnswer> ClusterSide::probe(int32_t partition, Member member, Probe probe,
                                        Deadline deadline) {
  const auto place = net::parse_host_port(member.node);
  if (!place || partition < 0 || partition >= partition_count_) co_return ProbeAnswer::kElse;
  const auto answer =
      co_await client::probe_row(cluster_->client(), *place,
                                 {.partition = {app_id_, partition},
                                  .hash_key = foreign_hash_key(partition, partition_count_),
                                  .removes = probe == Probe::kWrite,
                                  .is_backup_request = !member.is_primary},
                                 deadline);
  if (answer && *answer == wire::ErrorCode::kOk) co_return ProbeAnswer::kServed;
  if (answer && *answer == wire::ErrorCode::kInvalidState) co_return ProbeAnswer::kDenied;
  co_return ProbeAnswer::kElse;
}

// What the meta server has of the duplication.
Task<std::map<int32_t, int64_t>> ClusterSide::persisted(Shipping shipping, Deadline deadline) {
  const auto known = CO_TRY(co_await client::table_duplications(*cluster_, table_, deadline));
  std::map<int32_t, int64_t> decrees;
  for (const auto& duplication : known.duplications) {
    if (duplication.id != shipping.dup_id || duplication.remote != shipping.remote) continue;
    for (const auto& [index, partition] : duplication.partitions)
      decrees[index] = partition.confirmed_decree;
  }
  co_return decrees;
}

Task<std::vector<PartitionProgress>> ClusterSide::progress(TableView view, Shipping shipping,
                                                           Deadline deadline) {
  const auto replicas = CO_TRY(co_await primary_progress(*cluster_, app_id_, view, deadline));
  const auto stored = CO_TRY(co_await persisted(shipping, deadline));
  std::vector<PartitionProgress> all;
  for (const auto& [index, replica] : replicas) {
    const auto ours = std::ranges::find_if(replica.duplications, [&](const auto& each) {
      return each.id == shipping.dup_id && each.remote == shipping.remote;
    });
    if (ours == replica.duplications.end()) continue;
    const auto of_meta = stored.find(index);
    all.push_back(
        {.partition = index,
         .node = led_by(view[size_t(index)])->node,
         .max_prepared = replica.max_prepared,
         .last_committed = replica.last_committed,
         .last_applied = replica.last_applied,
         .confirmed = ours->confirmed,
         .persisted = of_meta == stored.end() ? -1 : std::min(ours->persisted, of_meta->second)});
  }
  co_return all;
}

Task<> ClusterSide::deny(std::string value, Deadline deadline) {
  return cluster_->set_envs(table_, {{kDenyEnv, std::move(value)}}, deadline);
}

Task<> ClusterSide::allow(Deadline deadline) {
  CO_TRY(co_await cluster_->delete_envs(table_, {kDenyEnv}, deadline));
  co_return Result<void>();
}

Task<std::optional<std::string>> ClusterSide::denied(Deadline deadline) {
  const auto info = CO_TRY(co_await cluster_->table_info(table_, deadline));
  const auto found = info.envs.find(kDenyEnv);
  co_return found == info.envs.end() ? std::nullopt : std::optional(found->second);
}

async::milliseconds ClusterSide::envs_act_within() const { return env_delay(is_embedded_); }

Task<std::vector<SideTime>> ClusterSide::times(Deadline deadline) {
  std::vector<net::HostPort> alive;
  for (const auto& node : CO_TRY(co_await cluster_->nodes(deadline)))
    if (node.is_alive) alive.push_back(node.address);
  std::vector<SideTime> all(alive.size());
  const auto ask = [&](size_t i) -> Task<> {  // outlives: this frame
    all[i] = CO_TRY(in_context(co_await ask_time(cluster_->client(), alive[i], deadline),
                               "the clock of replica server " + alive[i].to_string()));
    co_return Result<void>();
  };
  CO_TRY(co_await async::for_each(all.size(), kServersAtOnce, ask));
  co_return all;
}

}  // namespace pegmove::migration::hot
