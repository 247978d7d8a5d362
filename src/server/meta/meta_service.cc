#include "server/meta/meta_service.h"

#include "async/all.h"
#include "meta_types.h"
#include "net/tcp.h"
#include "server/meta/admin/table_admin.h"
#include "server/meta/catalog/catalog_json.h"

namespace pegmove::server::meta {
namespace {

using wire::RpcCode;

// How often expired data of dropped tables is looked for.
constexpr async::milliseconds kPurgePeriod{60'000};

}  // namespace

MetaService::MetaService(asio::any_io_executor executor, MetaState state, NodePort& nodes,
                         async::Pool& pool, MetaOptions options, Clock& clock, Logger log)
    : executor_(executor),
      store_(std::move(state.store)),
      catalog_(std::move(state.catalog)),
      nodes_(nodes),
      pool_(pool),
      options_(std::move(options)),
      clock_(clock),
      log_(std::move(log)),
      tasks_(executor),
      backups_(executor, *store_, catalog_, nodes, std::move(state.backups), options_.backups,
               clock, log_),
      backup_jobs_(backups_),
      backup_policies_(backups_, backup_jobs_),
      restores_(backups_, restore_host()),
      loads_(backups_, std::move(state.loads),
             {.several_at_once =
                  [this] { return operations_.settings.boolean("enable_concurrent_bulk_load"); },
              .ingestions_of_a_node = [this] { return ingestions_of_a_node(); }}),
      duplications_(backups_, std::move(state.duplications),
                    {.cluster_name = options_.cluster_name,
                     .group = options_.duplication_group,
                     .clusters = options_.clusters},
                    follower_port()),
      followers_(
          executor, catalog_, nodes,
          [this](const AppRecord& app, int32_t index) { return open_follower(app, index); },
          options_.backups.on_failpoint, clock, log_),
      operations_(
          {.cluster = options_.cluster_name, .role = "meta", .dump_dir = options_.dump_dir},
          [](auto work) { work(); }, tasks_, clock) {
  register_handlers();
  register_http();
  register_commands();
  operations_.refresh = [this] { refresh_metrics(); };
}

Task<> MetaService::start() {
  auto acceptor = CO_TRY(net::listen_tcp(executor_, options_.listen));
  for (const auto& [id, app] : catalog_.apps()) {
    if (!app.is_available()) continue;
    for (int32_t index = 0; index < app.info.partition_count; ++index)
      if (restores_.is_pending(id, index)) {
        continue;
      } else if (auto hosted = co_await host_one(app, index); !hosted)
        log_.error(hosted.error().to_string() + "; its other partitions serve");
  }
  server_ = std::make_unique<net::RpcServer>(
      executor_, std::move(acceptor), dispatcher_, clock_, log_,
      net::RpcServerLimits{.max_connections = options_.max_connections}, &operations_.http);
  operations_.set_port(server_->local().port);
  server_->start();
  tasks_.spawn(purge_dropped());
  backup_jobs_.resume();
  backup_policies_.resume();
  restores_.resume();
  loads_.resume();
  duplications_.resume();
  co_return Result<void>();
}

void MetaService::stop() {
  if (server_) server_->stop();
  tasks_.stop();
  backups_.stop();
  followers_.stop();
}

Routine<> MetaService::join() {
  if (server_) co_await server_->join();                 // no result
  if (remote_client_) co_await remote_client_->close();  // no result
  co_await tasks_.join();                                // no result
  co_await backups_.join();                              // no result
  co_await followers_.join();                            // no result
}

Task<> MetaService::host_one(const AppRecord& app, int32_t index, bool may_be_new) {
  auto node = app.partitions[size_t(index)].node;
  const Gpid gpid{app.info.app_id, index};
  if (!nodes_.serves(node, gpid)) opening_.insert(gpid);
  const bool may_be_fetched = may_be_new && is_follower(app.info);
  auto hosted = co_await pool_.run(
      [this, node, info = app.info, index, may_be_empty = may_be_new && !may_be_fetched] {
        return nodes_.host(node, info, index, may_be_empty);
      });
  opening_.erase(gpid);
  if (!hosted && may_be_fetched && hosted.error().code() == Code::kNotFound) {
    followers_.fetch(gpid);
    co_return Result<void>();
  }
  CO_TRY(std::move(hosted));
  // The replica count may have changed meanwhile.
  if (const auto* now = catalog_.find_by_id(gpid.app_id))
    nodes_.set_secondaries(node, now->info, index, catalog_.secondaries_of(*now, size_t(index)));
  duplications_.partition_served(gpid);
  co_return Result<void>();
}

// While it is opened, the table may be dropped: the node is then asked to release a partition that
// it does not serve yet. And recalled again.
Task<> MetaService::open_follower(AppRecord app, int32_t index) {
  CO_TRY(co_await host_one(app, index, false));
  for (bool is_open = true;;) {
    const auto* now = catalog_.find_by_id(app.info.app_id);
    const bool is_wanted = now && now->is_available();
    if (is_open == is_wanted) co_return Result<void>();
    if (now) app = *now;
    CO_TRY(is_wanted ? co_await host_one(app, index, false)
                     : co_await release_one(app, index, false));
    is_open = is_wanted;
  }
}

void MetaService::set_secondaries(const AppRecord& app) {
  for (size_t index = 0; index < app.partitions.size(); ++index)
    nodes_.set_secondaries(app.partitions[index].node, app.info, int32_t(index),
                           catalog_.secondaries_of(app, index));
}

Task<> MetaService::release_one(const AppRecord& app, int32_t index, bool delete_files) {
  auto node = app.partitions[size_t(index)].node;
  Gpid gpid{app.info.app_id, index};
  nodes_.set_secondaries(node, app.info, index, {});
  co_return co_await pool_.run(
      [this, node, gpid, delete_files] { return nodes_.release(node, gpid, delete_files); });
}

Routine<> MetaService::apply_catalog(int32_t app_id) {
  const auto [applying, is_first] = applying_.try_emplace(app_id, true);
  applying->second = true;
  if (!is_first) co_return;
  // Again after each change: a table that was dropped and recalled meanwhile looks as before, and
  // what the drop has ended must begin again.
  while (std::exchange(applying->second, false) && !tasks_.stopped())
    if (const auto* app = catalog_.find_by_id(app_id))
      co_await apply_catalog_once(*app);  // no result
  applying_.erase(app_id);
}

// The files of a dropped table stay until its reserve time has passed.
Routine<> MetaService::apply_catalog_once(AppRecord app) {
  for (int32_t index = 0; index < app.info.partition_count && !tasks_.stopped(); ++index) {
    if (app.is_available() && restores_.is_pending(app.info.app_id, index)) continue;
    auto done = app.is_available() ? co_await host_one(app, index)
                                   : co_await release_one(app, index, false);
    if (!done) log_.error(done.error().to_string());
    const auto* now = catalog_.find_by_id(app.info.app_id);
    if (!now || now->is_available() != app.is_available()) co_return;
    // Changes sent to the nodes meanwhile did not reach the partition that was being opened.
    if (app.is_available() &&
        (now->info.envs != app.info.envs || now->info.app_name != app.info.app_name))
      nodes_.apply_envs(now->info);
    app = *now;
  }
}

bool MetaService::is_served(Gpid gpid) const {
  const auto* app = catalog_.find_by_id(gpid.app_id);
  return app && !opening_.contains(gpid) &&
         nodes_.serves(app->partitions[size_t(gpid.partition_index)].node, gpid);
}

meta_view::ClusterFacts MetaService::facts() const {
  auto address = this->address().to_string();
  return {.cluster_name = options_.cluster_name,
          .meta_servers = address,
          .primary_meta_server = address,
          .zookeeper_hosts = "",
          .zookeeper_root = "",
          .meta_function_level = std::string(level_name(catalog_.level()))};
}

// Deletes the files of dropped tables whose reserve time has passed; not at a function level that
// forbids automatic changes, as in Pegasus.
Routine<> MetaService::purge_dropped() {
  while (!tasks_.stopped()) {
    std::vector<AppRecord> over;
    for (const auto& [id, app] : catalog_.apps())
      if (!app.is_available() && is_reservation_over(app, clock_.unix_seconds()) &&
          catalog_.level() > wire::fl_steady && !applying_.contains(id))
        over.push_back(app);
    for (const auto& app : over) purging_.insert(app.info.app_id);
    for (const auto& app : over) {
      co_await purge(app);  // no result
      purging_.erase(app.info.app_id);
    }
    co_await clock_.sleep_for(kPurgePeriod);  // no result
  }
}

Routine<> MetaService::purge(AppRecord app) {
  if (followers_.is_busy(app.info.app_id)) co_return;  // tried again in the next round
  bool is_removed = true;
  for (int32_t index = 0; index < app.info.partition_count; ++index) {
    nodes_.duplicate(app.partitions[size_t(index)].node, {app.info.app_id, index}, {});
    auto released = co_await release_one(app, index, true);
    if (released) continue;
    log_.error(released.error().to_string());
    is_removed = false;
  }
  const auto id = app.info.app_id;
  const bool is_busy = backup_jobs_.is_busy(id) || restores_.is_busy(id) || loads_.is_busy(id) ||
                       duplications_.is_busy(id);
  if (!is_removed || is_busy) co_return;  // tried again in the next round
  if (auto forgotten = forget(id); !forgotten) log_.error(forgotten.error().to_string());
}

// Records of the table are removed with its data.
Result<void> MetaService::forget(int32_t app_id) {
  TRY(catalog_.forget(app_id));
  forget_table(backups_.records, app_id);
  loads_.forget_table(app_id);
  duplications_.forget_table(app_id);
  return {};
}

void MetaService::register_handlers() {
  using namespace wire;
  dispatcher_.on_message<configuration_create_app_request, configuration_create_app_response>(
      RpcCode::kCreateApp, [this](const auto& request, const auto&) {
        auto response = catalog_.create(request, clock_.unix_seconds());
        if (response.err.code == ErrorCode::kOk) tasks_.spawn(apply_catalog(response.appid));
        return response;
      });
  dispatcher_.on_message<configuration_drop_app_request, configuration_drop_app_response>(
      RpcCode::kDropApp, [this](const auto& request, const auto&) {
        const auto* app = catalog_.find(request.app_name);
        auto app_id = app ? app->info.app_id : 0;
        auto response = catalog_.drop(request, clock_.unix_seconds());
        if (response.err.code == ErrorCode::kOk) table_dropped(app_id);
        return response;
      });
  dispatcher_
      .on_message<configuration_update_app_env_request, configuration_update_app_env_response>(
          RpcCode::kUpdateAppEnv, [this](const auto& request, const auto&) {
            auto response = catalog_.update_env(request);
            if (const auto* app = catalog_.find(request.app_name);
                app && response.err.code == ErrorCode::kOk)
              nodes_.apply_envs(app->info);
            return response;
          });
  dispatcher_.on_message<configuration_list_apps_request, configuration_list_apps_response>(
      RpcCode::kListApps,
      [this](const auto& request, const auto&) { return list_apps(catalog_, request); });
  dispatcher_.on_message<configuration_list_nodes_request, configuration_list_nodes_response>(
      RpcCode::kListNodes, [this](const auto& request, const auto& head) {
        return meta_view::list_nodes(request, nodes_.addresses(), meta_view::host_ports_for(head));
      });
  dispatcher_.on_message<configuration_cluster_info_request, configuration_cluster_info_response>(
      RpcCode::kClusterInfo, [this](const auto&, const auto&) {
        return cluster_info(catalog_, facts(), nodes_.addresses());
      });
  dispatcher_.on_message<query_cfg_request, query_cfg_response>(
      RpcCode::kQueryConfig, [this](const auto& request, const auto& head) {
        return query_config(
            catalog_, request, nodes_.addresses(), [this](Gpid gpid) { return is_served(gpid); },
            meta_view::host_ports_for(head));
      });
  dispatcher_.on(RpcCode::kCliCall,
                 [this](net::IncomingCall call) { operations_.commands.handle(std::move(call)); });
  dispatcher_.on_message<negotiation_request, negotiation_response>(
      RpcCode::kNegotiation, [](const auto&, const auto&) {
        negotiation_response response;
        response.status = SASL_AUTH_DISABLE;
        return response;
      });
  dispatcher_.on_message<configuration_meta_control_request, configuration_meta_control_response>(
      RpcCode::kControlMeta,
      [this](const auto& request, const auto&) { return control_level(catalog_, request); });
  register_table_handlers();
  register_compaction_handlers();
  register_backup_handlers();
  register_load_handlers();
  register_duplication_handlers();
}

void MetaService::register_table_handlers() {
  using namespace wire;
  dispatcher_.on_message<configuration_recall_app_request, configuration_recall_app_response>(
      RpcCode::kRecallApp, [this](const auto& request, const auto&) {
        configuration_recall_app_response response;
        response.err.code = ErrorCode::kAppNotExist;
        if (purging_.contains(request.app_id)) return response;
        response = recall_app(catalog_, request, clock_.unix_seconds(),
                              duplications_.recalling(request.app_id));
        if (response.err.code == ErrorCode::kOk) {
          duplications_.table_recalled(request.app_id);
          tasks_.spawn(apply_catalog(request.app_id));
          restores_.table_recalled(request.app_id);
        }
        return response;
      });
  dispatcher_.on_message<configuration_rename_app_request, configuration_rename_app_response>(
      RpcCode::kRenameApp, [this](const auto& request, const auto&) {
        configuration_rename_app_response response;
        if (const auto* app = catalog_.find(request.old_app_name))
          if (auto why = duplications_.needs_name_of(app->info.app_id)) {
            response.err.code = ErrorCode::kBusy;
            response.hint_message = *std::move(why);
            return response;
          }
        response = rename_app(catalog_, request);
        if (response.err.code == ErrorCode::kOk)
          nodes_.apply_envs(catalog_.find(request.new_app_name)->info);
        return response;
      });
  dispatcher_.on_message<configuration_get_max_replica_count_request,
                         configuration_get_max_replica_count_response>(
      RpcCode::kGetMaxReplicaCount,
      [this](const auto& request, const auto&) { return max_replica_count(catalog_, request); });
  dispatcher_.on_message<configuration_set_max_replica_count_request,
                         configuration_set_max_replica_count_response>(
      RpcCode::kSetMaxReplicaCount, [this](const auto& request, const auto&) {
        auto response = set_max_replica_count(catalog_, request);
        if (response.err.code == ErrorCode::kOk) set_secondaries(*catalog_.find(request.app_name));
        return response;
      });
  dispatcher_.on_message<configuration_get_atomic_idempotent_request,
                         configuration_get_atomic_idempotent_response>(
      RpcCode::kGetAtomicIdempotent,
      [this](const auto& request, const auto&) { return atomic_idempotent(catalog_, request); });
  dispatcher_.on_message<configuration_set_atomic_idempotent_request,
                         configuration_set_atomic_idempotent_response>(
      RpcCode::kSetAtomicIdempotent, [this](const auto& request, const auto&) {
        auto response = set_atomic_idempotent(catalog_, request);
        if (response.err.code == ErrorCode::kOk)
          nodes_.apply_envs(catalog_.find(request.app_name)->info);
        return response;
      });
}

void MetaService::register_compaction_handlers() {
  using namespace wire;
  dispatcher_.on_message<start_app_manual_compact_request, start_app_manual_compact_response>(
      RpcCode::kStartManualCompact, [this](const auto& request, const auto&) {
        auto response = start_manual_compact(catalog_, request, clock_.unix_seconds());
        if (response.err.code == ErrorCode::kOk)
          nodes_.apply_envs(catalog_.find(request.app_name)->info);
        return response;
      });
  dispatcher_.on_message<query_app_manual_compact_request, query_app_manual_compact_response>(
      RpcCode::kQueryManualCompactStatus, [this](const auto& request, const auto&) {
        auto status_of = [this](const AppRecord& app, int32_t index) {
          return nodes_.compaction_status(app.partitions[size_t(index)].node,
                                          {app.info.app_id, index});
        };
        return query_manual_compact(catalog_, request, status_of);
      });
}

}  // namespace pegmove::server::meta
