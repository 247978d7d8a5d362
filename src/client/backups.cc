#include "client/backups.h"
#include "backup_types.h"
#include "base/table_name.h"
#include "meta_types.h"

#include <fmt/format.h>

namespace pegmove::client {
namespace {

using wire::ErrorCode;
using wire::RpcCode;

template <typename Response, typename Request>
Task<Response> ask(Cluster& cluster, RpcCode code, Request request, Deadline deadline) {
  auto response = co_await cluster.metas().call<Response>(code, std::move(request), deadline);
  if (response) co_return response;
  const auto number = response.error().wire_code();
  if (number == int(ErrorCode::kServiceNotActive))
    co_return fail(
        Error(Code::kUnsupported,
              fmt::format("cluster '{}' has no backup service: on real servers [meta_server] "
                          "cold_backup_disabled must be false; an embedded cluster needs a section "
                          "[block_service.NAME] in the file of --config",
                          cluster.name()))
            .with_wire_code(*number));
  if (number == int(ErrorCode::kHandlerNotFound))
    co_return fail(
        Error(Code::kUnsupported, fmt::format("cluster '{}' does not support {}: one-time backups "
                                              "need Pegasus 2.3, policies need 1.8",
                                              cluster.name(), wire::rpc_name(code)))
            .with_wire_code(*number));
  co_return response;
}

BackupItem to_item(const wire::backup_item& item) {
  return {.backup_id = item.backup_id,
          .table = item.app_name,
          .provider = item.backup_provider_type,
          .path = item.backup_path,
          .start_time_ms = item.start_time_ms,
          .end_time_ms = item.end_time_ms,
          .is_failed = item.is_backup_failed};
}

BackupPolicy to_policy(const wire::policy_entry& entry) {
  return {.name = entry.policy_name,
          .provider = entry.backup_provider_type,
          .app_ids = entry.app_ids,
          .interval_seconds = std::atoll(entry.backup_interval_seconds.c_str()),
          .history_count = entry.backup_history_count_to_keep,
          .start_time = entry.start_time,
          .is_disabled = entry.is_disable};
}

}  // namespace

Task<StartedBackup> start_backup(Cluster& cluster, int32_t app_id, std::string provider,
                                 std::string path, Deadline deadline) {
  wire::start_backup_app_request request;
  request.backup_provider_type = provider;
  request.app_id = app_id;
  if (!path.empty()) request.__set_backup_path(path);
  auto response = CO_TRY(co_await ask<wire::start_backup_app_response>(
      cluster, RpcCode::kStartBackupApp, std::move(request), deadline));
  if (response.err.code != ErrorCode::kOk)
    co_return fail(job_refused(
        response.err.code,
        fmt::format("backing up the table with id {} on cluster '{}'", app_id, cluster.name()),
        response.hint_message));
  co_return StartedBackup{.backup_id = response.backup_id, .hint = response.hint_message};
}

Task<BackupStatus> backup_status(Cluster& cluster, int32_t app_id, int64_t backup_id,
                                 Deadline deadline) {
  wire::query_backup_status_request request;
  request.app_id = app_id;
  if (backup_id != 0) request.__set_backup_id(backup_id);
  auto response = CO_TRY(co_await ask<wire::query_backup_status_response>(
      cluster, RpcCode::kQueryBackupStatus, std::move(request), deadline));
  if (response.err.code == ErrorCode::kInvalidParameters)
    co_return fail(
        Error(
            Code::kNotFound,
            fmt::format(
                "the meta server of cluster '{}' does not know this backup of the table with id {}",
                cluster.name(), app_id))
            .with_wire_code(int(response.err.code)));
  if (response.err.code != ErrorCode::kOk)
    co_return fail(job_refused(response.err.code, "querying backups", response.hint_message));
  BackupStatus status{.hint = response.hint_message, .items = {}};
  for (const auto& item : response.backup_items) status.items.push_back(to_item(item));
  co_return status;
}

Task<int32_t> start_restore(Cluster& cluster, RestoreRequest request, Deadline deadline) {
  wire::configuration_restore_request message;
  message.cluster_name = request.cluster;
  message.policy_name = request.policy;
  message.time_stamp = request.backup_id;
  message.app_name = request.table;
  message.app_id = request.app_id;
  message.new_app_name = request.new_table.empty() ? request.table : request.new_table;
  CO_TRY(base::check_new_table(message.new_app_name));
  message.backup_provider_name = request.provider;
  message.skip_bad_partition = request.skip_bad_partition;
  if (!request.path.empty()) message.__set_restore_path(request.path);
  auto response = CO_TRY(co_await ask<wire::configuration_create_app_response>(
      cluster, RpcCode::kStartRestore, std::move(message), deadline));
  if (response.err.code != ErrorCode::kOk)
    co_return fail(job_refused(response.err.code,
                               fmt::format("restoring table '{}' of backup {} on cluster '{}'",
                                           request.table, request.backup_id, cluster.name()),
                               ""));
  co_return response.appid;
}

Task<std::vector<RestoredPartitionStatus>> restore_status(Cluster& cluster, int32_t app_id,
                                                          Deadline deadline) {
  constexpr int32_t kWhole = 1000;
  wire::configuration_query_restore_request request;
  request.restore_app_id = app_id;
  auto response = CO_TRY(co_await ask<wire::configuration_query_restore_response>(
      cluster, RpcCode::kQueryRestoreStatus, request, deadline));
  if (response.err.code != ErrorCode::kOk)
    co_return fail(job_refused(response.err.code,
                               "restore of the table with id " + std::to_string(app_id), ""));
  if (response.restore_status.size() != response.restore_progress.size())
    co_return fail(Code::kProtocol, "the states and the progress of the restore do not match");
  std::vector<RestoredPartitionStatus> partitions;
  for (size_t i = 0; i < response.restore_status.size(); ++i) {
    const auto status = response.restore_status[i].code;
    RestoredPartitionStatus partition{.permille = response.restore_progress[i]};
    if (status == ErrorCode::kOk)
      partition.state = partition.permille >= kWhole ? RestoreState::kDone : RestoreState::kOngoing;
    else
      partition.state =
          status == ErrorCode::kIgnoreBadData ? RestoreState::kSkipped : RestoreState::kOther;
    partitions.push_back(partition);
  }
  co_return partitions;
}

Task<> add_backup_policy(Cluster& cluster, BackupPolicy policy, Deadline deadline) {
  wire::configuration_add_backup_policy_request request;
  request.backup_provider_type = policy.provider;
  request.policy_name = policy.name;
  request.app_ids.assign(policy.app_ids.begin(), policy.app_ids.end());
  request.backup_interval_seconds = policy.interval_seconds;
  request.backup_history_count_to_keep = policy.history_count;
  request.start_time = policy.start_time;
  auto response = CO_TRY(co_await ask<wire::configuration_add_backup_policy_response>(
      cluster, RpcCode::kAddBackupPolicy, std::move(request), deadline));
  if (response.err.code != ErrorCode::kOk)
    co_return fail(job_refused(response.err.code, fmt::format("adding policy '{}'", policy.name),
                               response.hint_message));
  co_return Result<void>();
}

Task<std::string> modify_backup_policy(Cluster& cluster, BackupPolicyChange change,
                                       Deadline deadline) {
  wire::configuration_modify_backup_policy_request request;
  request.policy_name = change.name;
  if (!change.add_apps.empty()) request.__set_add_appids(change.add_apps);
  if (!change.remove_apps.empty()) request.__set_removal_appids(change.remove_apps);
  if (change.interval_seconds) request.__set_new_backup_interval_sec(*change.interval_seconds);
  if (change.history_count) request.__set_backup_history_count_to_keep(*change.history_count);
  if (change.start_time) request.__set_start_time(*change.start_time);
  if (change.is_disabled) request.__set_is_disable(*change.is_disabled);
  if (change.force_disable) request.__set_force_disable(true);
  auto response = CO_TRY(co_await ask<wire::configuration_modify_backup_policy_response>(
      cluster, RpcCode::kModifyBackupPolicy, std::move(request), deadline));
  if (response.err.code != ErrorCode::kOk)
    co_return fail(job_refused(response.err.code, fmt::format("changing policy '{}'", change.name),
                               response.hint_message));
  co_return response.hint_message;
}

Task<std::vector<BackupPolicyState>> backup_policies(Cluster& cluster,
                                                     std::vector<std::string> names, int32_t rounds,
                                                     Deadline deadline) {
  wire::configuration_query_backup_policy_request request;
  request.policy_names = std::move(names);
  request.backup_info_count = rounds;
  auto response = CO_TRY(co_await ask<wire::configuration_query_backup_policy_response>(
      cluster, RpcCode::kQueryBackupPolicy, std::move(request), deadline));
  if (response.err.code != ErrorCode::kOk)
    co_return fail(job_refused(response.err.code, "querying backup policies", response.hint_msg));
  std::vector<BackupPolicyState> states;
  for (size_t i = 0; i < response.policys.size(); ++i) {
    BackupPolicyState state{.policy = to_policy(response.policys[i]), .rounds = {}};
    if (i < response.backup_infos.size())
      for (const auto& entry : response.backup_infos[i])
        state.rounds.push_back({.backup_id = entry.backup_id,
                                .start_time_ms = entry.start_time_ms,
                                .end_time_ms = entry.end_time_ms,
                                .app_ids = entry.app_ids});
    states.push_back(std::move(state));
  }
  co_return states;
}

}  // namespace pegmove::client
