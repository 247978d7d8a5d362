#include "server/meta/catalog/app_catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

#include "base/atomic_file.h"
#include "base/bytes.h"
#include "base/table_name.h"
#include "duplication/checkpoint_request.h"
#include "meta_types.h"
#include "server/meta/catalog/app_env_rules.h"
#include "server/meta/catalog/catalog_json.h"

namespace pegmove::server::meta {
namespace {

using wire::ErrorCode;

std::unexpected<Error> refuse(std::string message) {
  return fail(Code::kInvalidArgument, std::move(message));
}

// Pegasus's checks in its order, then our own.
Result<void> check_create(const wire::configuration_create_app_request& request, int node_count) {
  const auto& options = request.options;
  if (options.partition_count <= 0 || options.partition_count > kMaxPartitionCount) {
    return refuse(fmt::format("the partition count is {}, which is not 1 to {}",
                              options.partition_count, kMaxPartitionCount));
  }
  if (auto good = check_replica_count(options.replica_count, node_count); !good) {
    return refuse(
        fmt::format("{}; ask for fewer replicas (`create NAME -r {}`), or start the "
                    "cluster with more --replica-servers",
                    good.error().message(), node_count));
  }
  TRY(check_app_envs_at_create(options.envs));
  TRY(base::check_table_name(request.app_name));
  TRY(check_envs_fit(options.envs));
  if (options.app_type != "pegasus") {
    return refuse(
        fmt::format("the type is {}, which is not pegasus", base::printable(options.app_type)));
  }
  return {};
}

wire::configuration_create_app_response create_answer(ErrorCode code, int32_t app_id = 0) {
  wire::configuration_create_app_response response;
  response.err.code = code;
  response.appid = app_id;
  return response;
}

const std::string* find_env(const std::map<std::string, std::string>& envs, const char* name) {
  const auto env = envs.find(name);
  return env == envs.end() ? nullptr : &env->second;
}

int64_t add_seconds(int64_t moment, int64_t seconds) {
  int64_t sum = 0;
  if (__builtin_add_overflow(moment, seconds, &sum)) return std::numeric_limits<int64_t>::max();
  return sum;
}

}  // namespace

Result<void> check_replica_count(int32_t count, int node_count) {
  if (count < kMinReplicaCount || count > kMaxReplicaCount) {
    return refuse(
        fmt::format("requested replica count({}) must be within the range of [min={}, max={}]",
                    count, kMinReplicaCount, kMaxReplicaCount));
  }
  if (count > node_count) {
    return refuse(fmt::format(
        "there are not enough alive replica servers({}) for the requested replica count({})",
        node_count, count));
  }
  return {};
}

AppCatalog::AppCatalog(MetaStore& store, int node_count, CatalogState state)
    : store_(store),
      node_count_(node_count),
      log_(base::Logger().with("catalog", store.path())),
      state_(std::move(state)) {
  for (const auto& [id, app] : state_.apps) {
    if (app.is_available()) available_.emplace(app.info.app_name, id);
  }
}

Result<AppCatalog> AppCatalog::open(MetaStore& store, int node_count) {
  if (node_count < 1) {
    return refuse("a cluster has at least one node, not " + std::to_string(node_count));
  }
  const auto doing = "opening the tables of the cluster in " + store.path();
  AppCatalog catalog(store, node_count, TRY(in_context(read_catalog(store.values()), doing)));
  TRY(in_context(catalog.check_nodes(), doing));
  return catalog;
}

Result<void> AppCatalog::check_nodes() const {
  for (const auto& [id, app] : state_.apps) {
    for (const auto& partition : app.partitions) {
      if (partition.node < node_count_) continue;
      return fail(Code::kRefused,
                  fmt::format("node {} has data of the table {} (id {}{}) and the cluster was "
                              "started with {} nodes: start it with --replica-servers {} or more",
                              partition.node, base::printable(app.info.app_name), id,
                              app.is_available() ? "" : ", dropped", node_count_,
                              int64_t{partition.node} + 1));
    }
    if (app.info.max_replica_count > node_count_) {
      return fail(
          Code::kRefused,
          fmt::format("the table {} (id {}{}) has {} replicas and the cluster was started "
                      "with {} nodes: start it with --replica-servers {} or more",
                      base::printable(app.info.app_name), id, app.is_available() ? "" : ", dropped",
                      app.info.max_replica_count, node_count_, app.info.max_replica_count));
    }
  }
  return {};
}

std::string AppCatalog::encoded() const { return encode_catalog(state_); }

Result<void> AppCatalog::commit(Change change) {
  CatalogState next{
      .next_app_id = state_.next_app_id, .level = change.level.value_or(state_.level), .apps = {}};
  MetaBatch batch;
  for (const auto& app : change.apps) {
    put_app(batch, app, find_by_id(app.info.app_id));
    next.next_app_id = std::max(next.next_app_id, app.info.app_id + 1);
  }
  for (const auto id : change.forgotten) remove_table(batch, id);
  if (next.next_app_id != state_.next_app_id || next.level != state_.level)
    put_catalog(batch, next);
  batch.append(std::move(change.also));
  TRY(store_.commit(std::move(batch)));
  state_.next_app_id = next.next_app_id;
  state_.level = next.level;
  for (auto& app : change.apps) put_in_memory(std::move(app));
  for (const auto id : change.forgotten) state_.apps.erase(id);
  return {};
}

void AppCatalog::put_in_memory(AppRecord app) {
  const auto id = app.info.app_id;
  auto& place = state_.apps[id];
  if (const auto old = available_.find(place.info.app_name);
      old != available_.end() && old->second == id)
    available_.erase(old);
  place = std::move(app);
  if (place.is_available()) available_.insert_or_assign(place.info.app_name, id);
}

bool AppCatalog::replace(AppRecord record, std::string_view doing, MetaBatch also) {
  auto committed = commit({.apps = {std::move(record)}, .also = std::move(also)});
  if (!committed)
    log_.error(std::move(committed).error().with_context(std::string(doing)).to_string());
  return committed.has_value();
}

Result<void> AppCatalog::set_level(wire::meta_function_level level) {
  return commit({.level = level});
}

// Partition counts of the table differ by at most one between nodes; nodes with fewer partitions of
// all tables come first.
std::vector<PartitionRecord> AppCatalog::place(int32_t partition_count) const {
  struct Load {
    int64_t partitions = 0;
    int32_t node = 0;
  };
  std::vector<Load> loads(static_cast<size_t>(node_count_));
  for (int32_t node = 0; node < node_count_; ++node) loads[static_cast<size_t>(node)].node = node;
  for (const auto& [id, app] : state_.apps) {
    if (!app.is_available()) continue;
    for (const auto& partition : app.partitions)
      ++loads[static_cast<size_t>(partition.node)].partitions;
  }
  std::ranges::sort(loads, {},
                    [](const Load& load) { return std::tie(load.partitions, load.node); });
  std::vector<PartitionRecord> partitions;
  partitions.reserve(static_cast<size_t>(partition_count));
  for (size_t index = 0; index < static_cast<size_t>(partition_count); ++index) {
    partitions.push_back({.ballot = 1, .node = loads[index % loads.size()].node});
  }
  return partitions;
}

AppRecord AppCatalog::make_app(const wire::configuration_create_app_request& request,
                               int64_t now_unix) const {
  const auto& options = request.options;
  AppRecord app;
  app.info.status = wire::app_status::AS_AVAILABLE;
  app.info.app_type = options.app_type;
  app.info.app_name = request.app_name;
  app.info.app_id = state_.next_app_id;
  app.info.partition_count = options.partition_count;
  app.info.envs = options.envs;
  app.info.is_stateful = options.is_stateful;
  app.info.max_replica_count = options.replica_count;
  app.info.create_second = now_unix;
  app.info.init_partition_count = options.partition_count;
  app.info.__set_duplicating(false);
  app.info.__set_is_bulk_loading(false);
  app.info.__set_atomic_idempotent(options.atomic_idempotent);
  app.partitions = place(options.partition_count);
  return app;
}

AppRecord AppCatalog::make_restored(const wire::app_info& saved, const std::string& name,
                                    std::map<std::string, std::string> envs,
                                    int64_t now_unix) const {
  wire::configuration_create_app_request request;
  request.app_name = name;
  request.options.app_type = saved.app_type;
  request.options.partition_count = saved.partition_count;
  request.options.replica_count = std::clamp(saved.max_replica_count, kMinReplicaCount,
                                             std::min(kMaxReplicaCount, node_count_));
  request.options.is_stateful = saved.is_stateful;
  request.options.__set_atomic_idempotent(saved.atomic_idempotent);
  const bool was_split =
      saved.init_partition_count > 0 && saved.init_partition_count != saved.partition_count;
  if (was_split) envs["replica.split.validate_partition_hash"] = "true";
  request.options.envs = std::move(envs);
  auto app = make_app(request, now_unix);
  if (was_split) app.info.init_partition_count = saved.init_partition_count;
  return app;
}

wire::configuration_create_app_response AppCatalog::create(
    const wire::configuration_create_app_request& request, int64_t now_unix) {
  const std::string doing = "creating the table " + base::printable(request.app_name);
  if (is_frozen()) return create_answer(ErrorCode::kStateFreezed);
  if (auto good = check_create(request, node_count_); !good) {
    log_.warning(std::move(good).error().with_context(doing).to_string());
    return create_answer(ErrorCode::kInvalidParameters);
  }
  if (const AppRecord* app = find(request.app_name)) return create_existing(request, *app);
  if (state_.next_app_id == std::numeric_limits<int32_t>::max()) {
    log_.error(doing + ": no ids are left");
    return create_answer(ErrorCode::kInvalidState);
  }
  AppRecord app = make_app(request, now_unix);
  const int32_t id = app.info.app_id;
  if (!replace(std::move(app), doing)) return create_answer(ErrorCode::kFileOperationFailed);
  return create_answer(ErrorCode::kOk, id);
}

wire::configuration_create_app_response AppCatalog::create_existing(
    const wire::configuration_create_app_request& request, const AppRecord& app) {
  const auto& options = request.options;
  if (!options.success_if_exist) {
    if (options.envs.contains(duplication::kMasterClusterEnv)) return create_follower(request, app);
    return create_answer(ErrorCode::kAppExist);
  }
  const bool is_as_asked = options.partition_count == app.info.partition_count &&
                           options.app_type == app.info.app_type && options.envs == app.info.envs &&
                           options.is_stateful == app.info.is_stateful &&
                           options.replica_count == app.info.max_replica_count;
  if (!is_as_asked) return create_answer(ErrorCode::kInvalidParameters);
  return create_answer(ErrorCode::kOk, app.info.app_id);
}

// The source cluster of a duplication creates the follower with the status "creating" and asks
// again with "created" when its data is complete; either request may be repeated.
wire::configuration_create_app_response AppCatalog::create_follower(
    const wire::configuration_create_app_request& request, const AppRecord& app) {
  const auto* asked_master = find_env(request.options.envs, duplication::kMasterClusterEnv);
  const auto* asked_status = find_env(request.options.envs, duplication::kFollowerStatusEnv);
  const auto* master = find_env(app.info.envs, duplication::kMasterClusterEnv);
  const auto* status = find_env(app.info.envs, duplication::kFollowerStatusEnv);
  // Sources before 2.6 do not send the table's name: it is the same.
  const auto master_table = [&app](const auto& envs) {
    const auto* table = find_env(envs, duplication::kMasterTableEnv);
    return table ? *table : app.info.app_name;
  };
  const bool is_of_this_master = asked_master && master && *master == *asked_master &&
                                 master_table(app.info.envs) == master_table(request.options.envs);
  if (!is_of_this_master || !asked_status) return create_answer(ErrorCode::kAppExist);
  if (!status) return create_answer(ErrorCode::kInvalidState);

  const auto is_known = [](const std::string& text) {
    return text == "creating" || text == "created";
  };
  if (!is_known(*status) || !is_known(*asked_status)) {
    return create_answer(ErrorCode::kInvalidParameters);
  }
  const int32_t id = app.info.app_id;
  if (*status == *asked_status) return create_answer(ErrorCode::kOk, id);
  if (*status == "created") return create_answer(ErrorCode::kAppExist);
  AppRecord created = app;
  created.info.envs[duplication::kFollowerStatusEnv] = "created";
  if (!replace(std::move(created),
               fmt::format("marking the follower {} as created", app.info.app_name))) {
    return create_answer(ErrorCode::kFileOperationFailed);
  }
  return create_answer(ErrorCode::kOk, id);
}

wire::configuration_drop_app_response AppCatalog::drop(
    const wire::configuration_drop_app_request& request, int64_t now_unix) {
  wire::configuration_drop_app_response response;
  const AppRecord* found = find(request.app_name);
  if (!found) {
    if (!request.options.success_if_not_exist) response.err.code = ErrorCode::kAppNotExist;
    return response;
  }
  const bool has_reserve =
      request.options.__isset.reserve_seconds && request.options.reserve_seconds > 0;
  AppRecord app = *found;
  app.info.status = wire::app_status::AS_DROPPED;
  app.info.drop_second = now_unix;
  app.info.expire_second =
      add_seconds(now_unix, has_reserve ? request.options.reserve_seconds : kDefaultReserveSeconds);
  if (!replace(std::move(app), "dropping the table " + base::printable(request.app_name))) {
    response.err.code = ErrorCode::kFileOperationFailed;
  }
  return response;
}

wire::configuration_update_app_env_response AppCatalog::update_env(
    const wire::configuration_update_app_env_request& request) {
  const AppRecord* app = find(request.app_name);
  auto update = plan_env_update(request, app ? &app->info.envs : nullptr);
  if (!update.envs) return std::move(update.response);
  AppRecord changed = *app;
  changed.info.envs = std::move(*update.envs);
  if (!replace(std::move(changed), "changing app envs of " + base::printable(request.app_name))) {
    update.response.err.code = ErrorCode::kFileOperationFailed;
    update.response.hint_message = "the app envs could not be written; the server's log says why";
  }
  return std::move(update.response);
}

Result<void> AppCatalog::forget(int32_t app_id) {
  const auto* found = find_by_id(app_id);
  if (!found)
    return fail(Code::kNotFound, "there is no table with the id " + std::to_string(app_id));
  if (found->is_available()) {
    return fail(Code::kRefused, fmt::format("the table {} is not dropped: drop it first",
                                            base::printable(found->info.app_name)));
  }
  return commit({.forgotten = {app_id}});
}

std::vector<int32_t> AppCatalog::secondaries_of(const AppRecord& app, size_t partition) const {
  std::vector<int32_t> nodes;
  for (int32_t step = 1; step < std::min(app.info.max_replica_count, node_count_); ++step)
    nodes.push_back((app.partitions[partition].node + step) % node_count_);
  return nodes;
}

const AppRecord* AppCatalog::find(std::string_view name) const {
  const auto found = available_.find(name);
  return found == available_.end() ? nullptr : find_by_id(found->second);
}

const AppRecord* AppCatalog::find_by_id(int32_t app_id) const {
  const auto found = state_.apps.find(app_id);
  return found == state_.apps.end() ? nullptr : &found->second;
}

}  // namespace pegmove::server::meta
