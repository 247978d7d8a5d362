#include "client/cluster.h"
#include "base/table_name.h"
#include "meta_types.h"

#include <fmt/format.h>

#include <algorithm>

namespace pegmove::client {
namespace {

using async::milliseconds;
using wire::ErrorCode;

constexpr int32_t kUsualReplicaCount = 3;
constexpr milliseconds kFirstConfigPause{50};
constexpr milliseconds kBetweenLooks{200};

const char* status_name(wire::app_status status) {
  auto found = wire::_app_status_VALUES_TO_NAMES.find(int(status));
  return found == wire::_app_status_VALUES_TO_NAMES.end() ? "AS_INVALID" : found->second;
}

TableInfo table_info_of(const wire::app_info& app) {
  return {.app_id = app.app_id,
          .name = app.app_name,
          .type = app.app_type,
          .status = status_name(app.status),
          .partition_count = app.partition_count,
          .replica_count = app.max_replica_count,
          .is_stateful = app.is_stateful,
          .atomic_idempotent = app.atomic_idempotent,
          .envs = app.envs,
          .create_second = app.create_second,
          .drop_second = app.drop_second,
          .expire_second = app.expire_second};
}

net::Address address_of(wire::rpc_address raw) {
  return raw.is_set() ? net::Address{raw.ipv4(), raw.port()} : net::Address{};
}

// Newer servers send names besides addresses; older ones only addresses.
net::HostPort host_port_of(const wire::host_port& named, wire::rpc_address raw) {
  if (named.is_set()) return {named.host, named.port};
  const auto address = address_of(raw);
  return address.port == 0 ? net::HostPort() : net::host_port_of(address);
}

PartitionInfo partition_of(const wire::partition_configuration& config) {
  PartitionInfo partition{.ballot = config.ballot,
                          .max_replica_count = config.max_replica_count,
                          .primary = host_port_of(config.hp_primary, config.primary),
                          .secondaries = {},
                          .primary_address = address_of(config.primary)};
  for (size_t i = 0; i < config.secondaries.size(); ++i)
    partition.secondaries.push_back(host_port_of(
        i < config.hp_secondaries.size() ? config.hp_secondaries[i] : wire::host_port{},
        config.secondaries[i]));
  return partition;
}

}  // namespace

std::string meta_level_name(MetaLevel level) {
  auto found = wire::_meta_function_level_VALUES_TO_NAMES.find(int(level));
  return found == wire::_meta_function_level_VALUES_TO_NAMES.end() ? "fl_invalid" : found->second;
}

std::optional<MetaLevel> meta_level_from_word(std::string_view word) {
  for (auto level : {MetaLevel::kStopped, MetaLevel::kBlind, MetaLevel::kFreezed,
                     MetaLevel::kSteady, MetaLevel::kLively})
    if (meta_level_name(level).substr(3) == word) return level;
  return std::nullopt;
}

std::string Cluster::quoted(const std::string& table) const {
  return fmt::format("table '{}' on cluster {}", table, name_.empty() ? meta_list() : name_);
}

Task<std::shared_ptr<Cluster>> Cluster::connect(Client& client, std::vector<net::HostPort> metas,
                                                Deadline deadline) {
  auto cluster = std::make_shared<Cluster>(client, std::move(metas));
  auto info = co_await cluster->info(deadline);
  if (!info && info.error().wire_code() == int(ErrorCode::kHandlerNotFound)) {
    cluster->is_behind_proxy_ = true;
    co_return cluster;
  }
  for (auto& [key, value] : CO_TRY(std::move(info)))
    if (key == "cluster_name") cluster->name_ = value;
  co_return cluster;
}

Task<std::vector<std::pair<std::string, std::string>>> Cluster::info(Deadline deadline) {
  auto response = CO_TRY(co_await metas_.call<wire::configuration_cluster_info_response>(
      wire::RpcCode::kClusterInfo, wire::configuration_cluster_info_request(), deadline));
  if (response.err.code != ErrorCode::kOk)
    co_return fail(wire::to_error(response.err.code, "cluster info of " + meta_list()));
  std::vector<std::pair<std::string, std::string>> pairs;
  for (size_t i = 0; i < std::min(response.keys.size(), response.values.size()); ++i)
    pairs.emplace_back(response.keys[i], response.values[i]);
  co_return pairs;
}

Task<std::vector<NodeInfo>> Cluster::nodes(Deadline deadline) {
  auto response = CO_TRY(co_await metas_.call<wire::configuration_list_nodes_response>(
      wire::RpcCode::kListNodes, wire::configuration_list_nodes_request(), deadline));
  if (response.err.code != ErrorCode::kOk)
    co_return fail(wire::to_error(response.err.code, "nodes of " + meta_list()));
  std::vector<NodeInfo> nodes;
  for (const auto& node : response.infos)
    nodes.push_back({host_port_of(node.hp_node, node.node), node.status == wire::NS_ALIVE});
  co_return nodes;
}

Task<std::vector<TableInfo>> Cluster::tables(ListedTables which, Deadline deadline) {
  wire::configuration_list_apps_request request;
  request.status = which == ListedTables::kAll ? wire::AS_INVALID : wire::AS_AVAILABLE;
  auto response = CO_TRY(co_await metas_.call<wire::configuration_list_apps_response>(
      wire::RpcCode::kListApps, request, deadline));
  if (response.err.code != ErrorCode::kOk)
    co_return fail(wire::to_error(response.err.code, "tables of " + meta_list()));
  std::vector<TableInfo> tables;
  for (const auto& app : response.infos) tables.push_back(table_info_of(app));
  co_return tables;
}

Task<TableInfo> Cluster::table_info(std::string table, Deadline deadline) {
  for (auto& info : CO_TRY(co_await tables(ListedTables::kAvailable, deadline)))
    if (info.name == table) co_return info;
  co_return fail(Code::kNotFound,
                 quoted(table) + " does not exist; `ls` in the shell lists the tables");
}

// A MetaProxy answers ERR_UNKNOWN when no meta server of the cluster answers it, and
// ERR_ZOOKEEPER_OPERATION when ZooKeeper does not: as little final as a meta server that is down.
Task<wire::query_cfg_response> Cluster::ask_for_config(wire::query_cfg_request request,
                                                       Deadline deadline) {
  for (int attempt = 0;; ++attempt) {
    auto response = CO_TRY(co_await metas_.call<wire::query_cfg_response>(
        wire::RpcCode::kQueryConfig, request, deadline));
    if (response.err.code != ErrorCode::kUnknown &&
        response.err.code != ErrorCode::kZookeeperOperation)
      co_return response;
    const auto pause = async::back_off(attempt, kFirstConfigPause, kBetweenLooks);
    if (deadline.left(client_.clock()) <= pause)
      co_return fail(
          Error(Code::kUnreachable,
                fmt::format("{} at {}: {}: the MetaProxy there reaches no meta server of "
                            "the table's cluster, or no ZooKeeper; its log says which",
                            quoted(request.app_name), meta_list(),
                            wire::error_name(response.err.code)))
              .with_wire_code(int(response.err.code)));
    co_await client_.clock().sleep_for(pause);  // no result
  }
}

Task<TableConfig> Cluster::table_config(std::string table, std::vector<int32_t> indices,
                                        Deadline deadline) {
  wire::query_cfg_request request;
  request.app_name = table;
  request.partition_indices = std::move(indices);
  auto response = CO_TRY(co_await ask_for_config(request, deadline));
  if (response.err.code == ErrorCode::kObjectNotFound)
    co_return fail(Error(Code::kNotFound,
                         quoted(table) + " does not exist; `ls` in the shell lists the tables")
                       .with_wire_code(int(ErrorCode::kAppNotExist)));
  if (response.err.code != ErrorCode::kOk)
    co_return fail(wire::to_error(response.err.code, quoted(table)));
  TableConfig config{response.app_id, response.partition_count, {}};
  for (const auto& partition : response.partitions)
    config.partitions.push_back(partition_of(partition));
  if (config.partition_count <= 0 || config.partitions.empty())
    co_return fail(Code::kProtocol,
                   quoted(table) + " has no partitions, according to the meta server");
  co_return config;
}

Task<int32_t> Cluster::usual_replica_count(Deadline deadline) {
  const auto servers = CO_TRY(co_await nodes(deadline));
  const auto alive = int32_t(std::ranges::count(servers, true, &NodeInfo::is_alive));
  co_return std::clamp(alive, 1, kUsualReplicaCount);
}

Task<int32_t> Cluster::create_table(std::string table, CreateOptions options, Deadline deadline) {
  CO_TRY(base::check_new_table(table));
  if (!options.replica_count)
    options.replica_count = CO_TRY(co_await usual_replica_count(deadline));
  wire::configuration_create_app_request request;
  request.app_name = table;
  request.options.partition_count = options.partition_count;
  request.options.replica_count = *options.replica_count;
  request.options.success_if_exist = !options.fail_if_exists;
  request.options.app_type = "pegasus";
  request.options.is_stateful = true;
  request.options.envs = options.envs;
  if (options.atomic_idempotent) request.options.__set_atomic_idempotent(true);
  auto response = CO_TRY(co_await metas_.call<wire::configuration_create_app_response>(
      wire::RpcCode::kCreateApp, request, deadline));
  if (response.err.code == ErrorCode::kOk) co_return response.appid;
  auto error = wire::to_error(response.err.code, "creating " + quoted(table));
  if (response.err.code == ErrorCode::kInvalidParameters) {
    const auto why = co_await why_not_created(table, options, deadline);
    error = Error(Code::kInvalidArgument, fmt::format("{}: {}", error.message(), why))
                .with_wire_code(int(response.err.code));
  }
  if (response.err.code == ErrorCode::kStateFreezed)
    co_return fail(
        Error(error.code(), error.message() +
                                "; its function level is freezed or below: `set_meta_level steady` "
                                "in the shell allows the creation of tables")
            .with_wire_code(int(response.err.code)));
  co_return fail(std::move(error));
}

// The cluster does not report the reason: too few servers, an existing table with other settings,
// or wrong options. The first in Pegasus's words (server_state::validate_target_max_replica_count),
// which real servers keep in their logs.
Routine<std::string> Cluster::why_not_created(std::string table, CreateOptions options,
                                              Deadline deadline) {
  const auto replicas = options.replica_count.value_or(kUsualReplicaCount);
  const auto servers = co_await nodes(deadline);
  const auto alive =
      servers ? std::ranges::count(*servers, true, &NodeInfo::is_alive) : int64_t{replicas};
  if (replicas > alive)
    co_return fmt::format(
        "there are not enough alive replica servers({}) for the requested replica count({}): ask "
        "for fewer replicas (`create NAME -r {}` in the shell), or start an embedded cluster with "
        "--replica-servers {}",
        alive, replicas, alive, replicas);
  auto existing = co_await table_info(table, deadline);
  if (existing)
    co_return fmt::format(
        "the table exists with {} partitions and {} replicas, or with other app envs",
        existing->partition_count, existing->replica_count);
  co_return fmt::format(
      "the cluster refuses {} partitions (the embedded cluster allows 1 to 1024), {} replicas (1 "
      "to 5), or a value of {} app envs",
      options.partition_count, replicas, options.envs.size());
}

Task<> Cluster::wait_until_ready(std::string table, std::function<void(int, int)> progress,
                                 Deadline deadline) {
  while (true) {
    auto config = CO_TRY(co_await table_config(table, {}, deadline));
    auto ready = int(std::ranges::count_if(
        config.partitions, [](const auto& partition) { return partition.primary.port != 0; }));
    if (progress) progress(ready, config.partition_count);
    if (ready == config.partition_count) co_return Result<void>();
    if (deadline.left(client_.clock()) <= kBetweenLooks)
      co_return fail(Code::kTimeout, fmt::format("{}: only {} of {} partitions have a primary",
                                                 quoted(table), ready, config.partition_count));
    co_await client_.clock().sleep_for(kBetweenLooks);  // no result
  }
}

Task<> Cluster::drop_table(std::string table, int64_t reserve_seconds, Deadline deadline) {
  wire::configuration_drop_app_request request;
  request.app_name = table;
  request.options.success_if_not_exist = true;
  if (reserve_seconds > 0) request.options.__set_reserve_seconds(reserve_seconds);
  auto response = CO_TRY(co_await metas_.call<wire::configuration_drop_app_response>(
      wire::RpcCode::kDropApp, request, deadline));
  if (response.err.code != ErrorCode::kOk)
    co_return fail(wire::to_error(response.err.code, "dropping " + quoted(table)));
  co_return Result<void>();
}

Task<TableInfo> Cluster::recall_table(int32_t app_id, std::string new_name, Deadline deadline) {
  if (!new_name.empty()) CO_TRY(base::check_new_table(new_name));
  wire::configuration_recall_app_request request;
  request.app_id = app_id;
  request.new_app_name = new_name;
  auto response = CO_TRY(co_await metas_.call<wire::configuration_recall_app_response>(
      wire::RpcCode::kRecallApp, request, deadline));
  if (response.err.code != ErrorCode::kOk)
    co_return fail(wire::to_error(
        response.err.code, fmt::format("recalling the table with id {}{}", app_id,
                                       new_name.empty() ? "" : fmt::format(" as '{}'", new_name))));
  co_return table_info_of(response.info);
}

Task<> Cluster::rename_table(std::string old_name, std::string new_name, Deadline deadline) {
  CO_TRY(base::check_new_table(new_name));
  wire::configuration_rename_app_request request;
  request.old_app_name = old_name;
  request.new_app_name = new_name;
  auto response = CO_TRY(co_await metas_.call<wire::configuration_rename_app_response>(
      wire::RpcCode::kRenameApp, request, deadline));
  if (response.err.code != ErrorCode::kOk)
    co_return fail(refused(response.err.code,
                           fmt::format("renaming {} to '{}'", quoted(old_name), new_name),
                           response.hint_message));
  co_return Result<void>();
}

Task<int32_t> Cluster::replica_count(std::string table, Deadline deadline) {
  wire::configuration_get_max_replica_count_request request;
  request.app_name = table;
  auto response = CO_TRY(co_await metas_.call<wire::configuration_get_max_replica_count_response>(
      wire::RpcCode::kGetMaxReplicaCount, request, deadline));
  if (response.err.code != ErrorCode::kOk)
    co_return fail(
        refused(response.err.code, "replica count of " + quoted(table), response.hint_message));
  co_return response.max_replica_count;
}

Task<Change<int32_t>> Cluster::set_replica_count(std::string table, int32_t count,
                                                 Deadline deadline) {
  wire::configuration_set_max_replica_count_request request;
  request.app_name = table;
  request.max_replica_count = count;
  auto response = CO_TRY(co_await metas_.call<wire::configuration_set_max_replica_count_response>(
      wire::RpcCode::kSetMaxReplicaCount, request, deadline));
  if (response.err.code != ErrorCode::kOk)
    co_return fail(
        refused(response.err.code, "replica count of " + quoted(table), response.hint_message));
  co_return Change<int32_t>{response.old_max_replica_count, response.hint_message};
}

Task<bool> Cluster::atomic_idempotent(std::string table, Deadline deadline) {
  wire::configuration_get_atomic_idempotent_request request;
  request.app_name = table;
  auto response = CO_TRY(co_await metas_.call<wire::configuration_get_atomic_idempotent_response>(
      wire::RpcCode::kGetAtomicIdempotent, request, deadline));
  if (response.err.code != ErrorCode::kOk)
    co_return fail(
        refused(response.err.code, "atomic_idempotent of " + quoted(table), response.hint_message));
  co_return response.atomic_idempotent;
}

Task<Change<bool>> Cluster::set_atomic_idempotent(std::string table, bool value,
                                                  Deadline deadline) {
  wire::configuration_set_atomic_idempotent_request request;
  request.app_name = table;
  request.atomic_idempotent = value;
  auto response = CO_TRY(co_await metas_.call<wire::configuration_set_atomic_idempotent_response>(
      wire::RpcCode::kSetAtomicIdempotent, request, deadline));
  if (response.err.code != ErrorCode::kOk)
    co_return fail(
        refused(response.err.code, "atomic_idempotent of " + quoted(table), response.hint_message));
  co_return Change<bool>{response.old_atomic_idempotent, response.hint_message};
}

Task<MetaLevel> Cluster::control_meta(wire::meta_function_level level, Deadline deadline) {
  wire::configuration_meta_control_request request;
  request.level = level;
  auto response = CO_TRY(co_await metas_.call<wire::configuration_meta_control_response>(
      wire::RpcCode::kControlMeta, request, deadline));
  if (response.err.code != ErrorCode::kOk)
    co_return fail(wire::to_error(response.err.code, "function level of " + meta_list()));
  co_return MetaLevel(response.old_level);
}

Task<MetaLevel> Cluster::meta_level(Deadline deadline) {
  return control_meta(wire::fl_invalid, deadline);
}

Task<MetaLevel> Cluster::set_meta_level(MetaLevel level, Deadline deadline) {
  return control_meta(wire::meta_function_level(level), deadline);
}

Task<> Cluster::start_compaction(std::string table, CompactionOptions options, Deadline deadline) {
  wire::start_app_manual_compact_request request;
  request.app_name = table;
  if (options.trigger_time) request.__set_trigger_time(*options.trigger_time);
  request.__set_target_level(options.target_level);
  request.__set_bottommost(options.bottommost);
  if (options.max_running_count != 0) request.__set_max_running_count(options.max_running_count);
  auto response = CO_TRY(co_await metas_.call<wire::start_app_manual_compact_response>(
      wire::RpcCode::kStartManualCompact, request, deadline));
  if (response.err.code != ErrorCode::kOk)
    co_return fail(refused(response.err.code, "compaction of " + quoted(table), response.hint_msg));
  co_return Result<void>();
}

Task<std::optional<int32_t>> Cluster::compaction_progress(std::string table, Deadline deadline) {
  wire::query_app_manual_compact_request request;
  request.app_name = table;
  auto response = CO_TRY(co_await metas_.call<wire::query_app_manual_compact_response>(
      wire::RpcCode::kQueryManualCompactStatus, request, deadline));
  if (response.err.code == ErrorCode::kInvalidState) co_return std::nullopt;
  if (response.err.code != ErrorCode::kOk)
    co_return fail(refused(response.err.code, "compaction of " + quoted(table), response.hint_msg));
  co_return response.progress;
}

Task<std::string> Cluster::update_envs(wire::configuration_update_app_env_request request,
                                       Deadline deadline) {
  auto table = request.app_name;
  auto response = CO_TRY(co_await metas_.call<wire::configuration_update_app_env_response>(
      wire::RpcCode::kUpdateAppEnv, std::move(request), deadline));
  if (response.err.code == ErrorCode::kOk) co_return response.hint_message;
  co_return fail(refused(response.err.code, "app envs of " + quoted(table), response.hint_message));
}

Task<> Cluster::set_envs(std::string table, std::map<std::string, std::string> envs,
                         Deadline deadline) {
  wire::configuration_update_app_env_request request;
  request.app_name = table;
  request.op = wire::APP_ENV_OP_SET;
  std::vector<std::string> keys, values;
  for (auto& [key, value] : envs) {
    keys.push_back(key);
    values.push_back(value);
  }
  request.__set_keys(keys);
  request.__set_values(values);
  CO_TRY(co_await update_envs(std::move(request), deadline));
  co_return Result<void>();
}

Task<std::string> Cluster::delete_envs(std::string table, std::vector<std::string> keys,
                                       Deadline deadline) {
  wire::configuration_update_app_env_request request;
  request.app_name = table;
  request.op = wire::APP_ENV_OP_DEL;
  request.__set_keys(keys);
  co_return co_await update_envs(std::move(request), deadline);
}

Task<std::string> Cluster::clear_envs(std::string table, std::string prefix, Deadline deadline) {
  wire::configuration_update_app_env_request request;
  request.app_name = table;
  request.op = wire::APP_ENV_OP_CLEAR;
  request.__set_clear_prefix(prefix);
  co_return co_await update_envs(std::move(request), deadline);
}

}  // namespace pegmove::client
