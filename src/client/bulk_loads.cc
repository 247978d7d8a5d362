#include "client/bulk_loads.h"
#include "bulk_load_types.h"

#include <fmt/format.h>

namespace pegmove::client {
namespace {

using wire::ErrorCode;
using wire::RpcCode;

LoadReplica to_replica(std::string node, const wire::partition_bulk_load_state& state) {
  return {.node = std::move(node),
          .percent = state.download_progress,
          .download_error = state.download_status.code,
          .ingestion = state.ingest_status,
          .is_cleaned_up = state.is_cleaned_up,
          .is_paused = state.is_paused};
}

std::string text_of(const wire::rpc_address& address) {
  return net::Address{address.ipv4(), address.port()}.to_string();
}

LoadStatus to_status(const wire::query_bulk_load_response& response) {
  LoadStatus status{.status = response.app_status,
                    .partitions = {},
                    .max_replica_count = response.max_replica_count,
                    .is_loading = response.is_bulk_loading,
                    .hint = response.hint_msg};
  const bool has_names = response.__isset.hp_bulk_load_states;
  for (size_t i = 0; i < response.partitions_status.size(); ++i) {
    LoadPartition partition{.status = response.partitions_status[i], .replicas = {}};
    if (has_names && i < response.hp_bulk_load_states.size()) {
      for (const auto& [node, state] : response.hp_bulk_load_states[i])
        partition.replicas.push_back(to_replica(fmt::format("{}:{}", node.host, node.port), state));
    } else if (i < response.bulk_load_states.size()) {
      for (const auto& [node, state] : response.bulk_load_states[i])
        partition.replicas.push_back(to_replica(text_of(node), state));
    }
    status.partitions.push_back(std::move(partition));
  }
  return status;
}

}  // namespace

Task<> start_load(Cluster& cluster, LoadRequest load, Deadline deadline) {
  wire::start_bulk_load_request request;
  request.app_name = load.table;
  request.cluster_name = load.cluster;
  request.file_provider_type = load.provider;
  request.remote_root_path = load.path;
  request.ingest_behind = load.ingest_behind;
  const auto response = CO_TRY(co_await cluster.metas().call<wire::start_bulk_load_response>(
      RpcCode::kStartBulkLoad, std::move(request), deadline));
  if (response.err.code == ErrorCode::kOk) co_return Result<void>();
  co_return fail(
      job_refused(response.err.code,
                  fmt::format("loading table '{}' of cluster '{}'", load.table, cluster.name()),
                  response.hint_msg));
}

Task<> control_load(Cluster& cluster, std::string table, LoadControl control, Deadline deadline) {
  wire::control_bulk_load_request request;
  request.app_name = table;
  request.type = wire::bulk_load_control_type(control);
  const auto response = CO_TRY(co_await cluster.metas().call<wire::control_bulk_load_response>(
      RpcCode::kControlBulkLoad, std::move(request), deadline));
  if (response.err.code == ErrorCode::kOk) co_return Result<void>();
  co_return fail(job_refused(response.err.code, fmt::format("the load of table '{}'", table),
                             response.hint_msg));
}

Task<LoadStatus> load_status(Cluster& cluster, std::string table, Deadline deadline) {
  wire::query_bulk_load_request request;
  request.app_name = table;
  const auto response = CO_TRY(co_await cluster.metas().call<wire::query_bulk_load_response>(
      RpcCode::kQueryBulkLoadStatus, std::move(request), deadline));
  if (response.err.code != ErrorCode::kOk)
    co_return fail(job_refused(response.err.code, fmt::format("the load of table '{}'", table),
                               response.hint_msg));
  co_return to_status(response);
}

Task<std::string> clear_load(Cluster& cluster, std::string table, Deadline deadline) {
  wire::clear_bulk_load_state_request request;
  request.app_name = table;
  auto response = CO_TRY(co_await cluster.metas().call<wire::clear_bulk_load_state_response>(
      RpcCode::kClearBulkLoad, std::move(request), deadline));
  if (response.err.code != ErrorCode::kOk)
    co_return fail(job_refused(response.err.code, fmt::format("the load of table '{}'", table),
                               response.hint_msg));
  co_return std::move(response.hint_msg);
}

}  // namespace pegmove::client
