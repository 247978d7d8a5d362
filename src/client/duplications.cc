#include "client/duplications.h"

#include <fmt/format.h>

#include "meta_types.h"

namespace pegmove::client {
namespace {

using wire::ErrorCode;
using wire::RpcCode;

DuplicatedPartition to_partition(const wire::duplication_partition_state& state) {
  return {.confirmed_decree = state.confirmed_decree,
          .last_committed_decree = state.last_committed_decree,
          .error = state.error,
          .waits_for = state.waits_for};
}

Duplication to_duplication(const wire::duplication_entry& entry) {
  Duplication duplication{.id = entry.dupid,
                          .status = DuplicationStatus(entry.status),
                          .fail_mode = DuplicationFailMode(entry.fail_mode),
                          .remote = entry.remote,
                          .remote_table = entry.remote_app_name,
                          .remote_replica_count = entry.remote_replica_count,
                          .create_ms = entry.create_ts,
                          .waits_for = entry.waits_for};
  // Servers before 2.6 send the confirmed decrees alone.
  for (const auto& [index, decree] : entry.progress)
    duplication.partitions[index].confirmed_decree = decree;
  for (const auto& [index, state] : entry.partition_states)
    duplication.partitions[index] = to_partition(state);
  return duplication;
}

template <typename Value>
std::string name_of(const std::map<int, const char*>& names, Value value, const char* otherwise) {
  const auto found = names.find(int(value));
  return found == names.end() ? otherwise : found->second;
}

Task<> modify_duplication(Cluster& cluster, wire::duplication_modify_request request,
                          Deadline deadline) {
  const auto what = fmt::format("duplication {} of table '{}' of cluster '{}'", request.dupid,
                                request.app_name, cluster.name());
  const auto response = CO_TRY(co_await cluster.metas().call<wire::duplication_modify_response>(
      RpcCode::kModifyDuplication, std::move(request), deadline));
  if (response.err.code == ErrorCode::kOk) co_return Result<void>();
  co_return fail(job_refused(response.err.code, what, ""));
}

}  // namespace

std::string duplication_status_name(DuplicationStatus status) {
  return name_of(wire::_duplication_status_VALUES_TO_NAMES, status, "DS_INIT");
}

std::string duplication_fail_mode_name(DuplicationFailMode mode) {
  return name_of(wire::_duplication_fail_mode_VALUES_TO_NAMES, mode, "FAIL_SLOW");
}

Task<AddedDuplication> add_duplication(Cluster& cluster, DuplicationRequest wanted,
                                       Deadline deadline) {
  wire::duplication_add_request request;
  request.app_name = wanted.table;
  request.remote_cluster_name = wanted.remote;
  request.__set_is_duplicating_checkpoint(wanted.with_checkpoint);
  request.__set_remote_app_name(wanted.remote_table.empty() ? wanted.table : wanted.remote_table);
  request.__set_remote_replica_count(wanted.remote_replica_count);
  const auto response = CO_TRY(co_await cluster.metas().call<wire::duplication_add_response>(
      RpcCode::kAddDuplication, std::move(request), deadline));
  const bool has_existed = response.err.code == ErrorCode::kDupExist;
  if (response.err.code != ErrorCode::kOk && !has_existed)
    co_return fail(job_refused(response.err.code,
                               fmt::format("duplicating table '{}' of cluster '{}' to '{}'",
                                           wanted.table, cluster.name(), wanted.remote),
                               response.hint));
  AddedDuplication added{
      .app_id = response.appid, .id = response.dupid, .has_existed = has_existed};
  if (response.__isset.remote_app_name) added.remote_table = response.remote_app_name;
  if (response.__isset.remote_replica_count)
    added.remote_replica_count = response.remote_replica_count;
  co_return added;
}

Task<> set_duplication_status(Cluster& cluster, std::string table, int32_t id,
                              DuplicationStatus status, Deadline deadline) {
  wire::duplication_modify_request request;
  request.app_name = std::move(table);
  request.dupid = id;
  request.__set_status(wire::duplication_status(status));
  return modify_duplication(cluster, std::move(request), deadline);
}

Task<> set_duplication_fail_mode(Cluster& cluster, std::string table, int32_t id,
                                 DuplicationFailMode mode, Deadline deadline) {
  wire::duplication_modify_request request;
  request.app_name = std::move(table);
  request.dupid = id;
  request.__set_fail_mode(wire::duplication_fail_mode(mode));
  return modify_duplication(cluster, std::move(request), deadline);
}

Task<TableDuplications> table_duplications(Cluster& cluster, std::string table, Deadline deadline) {
  wire::duplication_query_request request;
  request.app_name = table;
  const auto response = CO_TRY(co_await cluster.metas().call<wire::duplication_query_response>(
      RpcCode::kQueryDuplication, std::move(request), deadline));
  if (response.err.code != ErrorCode::kOk)
    co_return fail(job_refused(
        response.err.code,
        fmt::format("duplications of table '{}' of cluster '{}'", table, cluster.name()), ""));
  TableDuplications found{.table = std::move(table), .app_id = response.appid};
  for (const auto& entry : response.entry_list) found.duplications.push_back(to_duplication(entry));
  co_return found;
}

Task<std::vector<TableDuplications>> list_duplications(Cluster& cluster, std::string pattern,
                                                       PatternMatch match, Deadline deadline) {
  wire::duplication_list_request request;
  request.app_name_pattern = std::move(pattern);
  request.match_type = wire::pattern_match_type(match);
  const auto response = CO_TRY(co_await cluster.metas().call<wire::duplication_list_response>(
      RpcCode::kListDuplication, std::move(request), deadline));
  if (response.err.code != ErrorCode::kOk)
    co_return fail(job_refused(response.err.code,
                               fmt::format("duplications of cluster '{}'", cluster.name()),
                               response.hint_message));
  std::vector<TableDuplications> tables;
  for (const auto& [name, state] : response.app_states) {
    TableDuplications table{
        .table = name, .app_id = state.appid, .partition_count = state.partition_count};
    for (const auto& [id, entry] : state.duplications)
      table.duplications.push_back(to_duplication(entry));
    tables.push_back(std::move(table));
  }
  co_return tables;
}

}  // namespace pegmove::client
