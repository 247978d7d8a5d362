#include "server/meta/duplication/follower.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "client/meta_caller.h"
#include "duplication/checkpoint_request.h"
#include "meta_types.h"

namespace pegmove::server::meta {
namespace {

using wire::ErrorCode;
using wire::RpcCode;

std::string follower_name(const FollowerRequest& request) {
  return fmt::format("the table '{}' on the cluster '{}'", request.table, request.remote);
}

std::string what_to_do(ErrorCode code, const FollowerRequest& request) {
  switch (code) {
    case ErrorCode::kAppExist:
      return "; it is there already and was not made for this duplication: drop it there, choose "
             "another name (add_dup -a NAME), or, when it has the rows already, add the "
             "duplication without -s";
    case ErrorCode::kInvalidParameters:
      return fmt::format(
          "; the cluster refuses {} partitions, {} replicas or an app env: it may "
          "have fewer replica servers, then remove the duplication and add it with "
          "fewer replicas (add_dup -s -r COUNT)",
          request.partition_count, request.replica_count);
    case ErrorCode::kStateFreezed:
      return "; the function level there is freezed or below: `set_meta_level steady` in the shell "
             "allows the creation of tables";
    default: return "";
  }
}

Code kind_of(ErrorCode code, Code otherwise) {
  switch (code) {
    case ErrorCode::kAppExist: return Code::kAlreadyExists;
    case ErrorCode::kInvalidParameters: return Code::kInvalidArgument;
    default: return otherwise;
  }
}

Error refused_follower(ErrorCode code, Code kind, std::string what) {
  return Error(kind, std::move(what)).with_wire_code(int(code));
}

bool has_primary(const wire::partition_configuration& partition) {
  return partition.hp_primary.is_set() || partition.primary.is_set();
}

// "1, 3 and 7 others": at most eight are listed.
std::string list_of(const std::vector<int32_t>& partitions) {
  constexpr size_t kMost = 8;
  std::string text;
  for (size_t i = 0; i < std::min(partitions.size(), kMost); ++i)
    text += (text.empty() ? "" : ", ") + std::to_string(partitions[i]);
  if (partitions.size() > kMost) text += fmt::format(" and {} others", partitions.size() - kMost);
  return text;
}

Result<void> check_partitions(const wire::query_cfg_response& config,
                              const FollowerRequest& request) {
  if (config.partition_count != request.partition_count ||
      config.partitions.size() != size_t(request.partition_count))
    return fail(refused_follower(
        ErrorCode::kInconsistentState, Code::kRefused,
        fmt::format("it has {} partitions, and the table '{}' here has {}: a duplication needs "
                    "equal counts. Drop the table there, so that add_dup -s creates it; for "
                    "another count move the rows with `pegmove split` and `pegmove load`",
                    config.partition_count, request.own_table, request.partition_count)));
  std::vector<int32_t> unserved, alone;
  for (const auto& partition : config.partitions) {
    const auto index = partition.pid.id.partition_index;
    if (!has_primary(partition)) unserved.push_back(index);
    const auto seconds = std::max(partition.secondaries.size(), partition.hp_secondaries.size());
    if (partition.max_replica_count > 1 && seconds == 0) alone.push_back(index);
  }
  if (!unserved.empty())
    return fail(refused_follower(
        ErrorCode::kInactiveState, Code::kBusy,
        fmt::format("{} of {} partitions do not serve yet ({}): they fetch their checkpoints, or "
                    "cannot; the log of the meta server there says why",
                    unserved.size(), request.partition_count, list_of(unserved))));
  if (!alone.empty())
    return fail(
        refused_follower(ErrorCode::kNotEnoughMember, Code::kBusy,
                         fmt::format("{} of {} partitions have no secondary yet ({})", alone.size(),
                                     request.partition_count, list_of(alone))));
  return {};
}

wire::configuration_create_app_request create_request(const FollowerRequest& request,
                                                      std::string status) {
  wire::configuration_create_app_request create;
  create.app_name = request.table;
  auto& options = create.options;
  options.partition_count = request.partition_count;
  options.replica_count = request.replica_count;
  options.success_if_exist = false;
  options.app_type = request.app_type;
  options.is_stateful = true;
  options.envs = request.envs;
  options.envs[duplication::kMasterClusterEnv] = request.own_cluster;
  options.envs[duplication::kMasterMetasEnv] = request.own_metas;
  options.envs[duplication::kMasterTableEnv] = request.own_table;
  options.envs[duplication::kFollowerStatusEnv] = std::move(status);
  options.__set_atomic_idempotent(false);  // as real servers, which do not pass it on
  return create;
}

// The request outlives the task.
Task<wire::query_cfg_response> query_follower(client::Client& client,
                                              const FollowerRequest& request, Deadline deadline) {
  client::MetaCaller metas(client, request.metas);
  wire::query_cfg_request query;
  query.app_name = request.table;
  co_return co_await metas.call<wire::query_cfg_response>(RpcCode::kQueryConfig, query, deadline);
}

}  // namespace

Task<> create_follower(client::Client& client, const FollowerRequest& given, std::string status,
                       Deadline deadline) {
  const auto request = given;  // the caller's may change while this waits
  client::MetaCaller metas(client, request.metas);
  const auto response = CO_TRY(co_await metas.call<wire::configuration_create_app_response>(
      RpcCode::kCreateApp, create_request(request, std::move(status)), deadline));
  const auto code = response.err.code;
  if (code == ErrorCode::kOk) co_return Result<void>();
  const auto plain = wire::to_error(code, "creating " + follower_name(request));
  co_return fail(refused_follower(code, kind_of(code, plain.code()),
                                  plain.message() + what_to_do(code, request)));
}

Task<> check_absent(client::Client& client, const FollowerRequest& given, Deadline deadline) {
  const auto request = given;
  const auto config = CO_TRY(co_await query_follower(client, request, deadline));
  const auto code = config.err.code;
  if (code == ErrorCode::kObjectNotFound) co_return Result<void>();
  const auto what = "looking for " + follower_name(request);
  if (code != ErrorCode::kOk) co_return fail(wire::to_error(code, what));
  co_return fail(
      refused_follower(ErrorCode::kAppExist, Code::kAlreadyExists,
                       follower_name(request) + what_to_do(ErrorCode::kAppExist, request)));
}

Task<> check_follower(client::Client& client, const FollowerRequest& given, Deadline deadline) {
  const auto request = given;
  const auto config = CO_TRY(co_await query_follower(client, request, deadline));
  const auto what = "checking " + follower_name(request);
  if (config.err.code != ErrorCode::kOk) co_return fail(wire::to_error(config.err.code, what));
  co_return in_context(check_partitions(config, request), what);
}

}  // namespace pegmove::server::meta
