#include "server/meta/meta_service.h"

#include "async/all.h"
#include "net/tcp.h"

namespace pegmove::server::meta {
namespace {

using wire::RpcCode;

// How often the data of dropped tables whose time is over is looked for.
constexpr async::milliseconds kPurgePeriod{60'000};

HostPorts host_ports_for(const wire::RequestHead& head) {
  return head.framing == wire::Framing::kRdsn ? HostPorts::kInclude : HostPorts::kOmit;
}

}  // namespace

MetaService::MetaService(asio::any_io_executor executor, AppCatalog catalog, NodePort& nodes,
                         async::Pool& pool, MetaOptions options, Clock& clock, Logger log)
    : executor_(executor),
      catalog_(std::move(catalog)),
      nodes_(nodes),
      pool_(pool),
      options_(std::move(options)),
      clock_(clock),
      log_(std::move(log)),
      tasks_(executor),
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
      if (auto hosted = co_await host_one(app, index); !hosted)
        log_.error(hosted.error().to_string() + "; its other partitions serve");
  }
  server_ = std::make_unique<net::RpcServer>(executor_, std::move(acceptor), dispatcher_, clock_,
                                             log_, net::RpcServerLimits{}, &operations_.http);
  operations_.set_port(server_->local().port);
  server_->start();
  tasks_.spawn(purge_dropped());
  co_return Result<void>();
}

void MetaService::stop() {
  if (server_) server_->stop();
  tasks_.stop();
}

Routine<> MetaService::join() {
  if (server_) co_await server_->join();  // no result
  co_await tasks_.join();                 // no result
}

Task<> MetaService::host_one(const AppRecord& app, int32_t index) {
  auto node = app.partitions[size_t(index)].node;
  co_return co_await pool_.run(
      [this, node, info = app.info, index] { return nodes_.host(node, info, index); });
}

Routine<> MetaService::host_in_background(AppRecord app) {
  for (int32_t index = 0; index < app.info.partition_count && !tasks_.stopped(); ++index) {
    auto hosted = co_await host_one(app, index);
    if (!hosted) log_.error(hosted.error().to_string());
    const auto* now = catalog_.find_by_id(app.info.app_id);
    if (now && now->is_available()) continue;
    // Dropped meanwhile.
    co_await release_in_background(app);  // no result
    co_return;
  }
}

// The files stay until the table's reserve time is over.
Routine<> MetaService::release_in_background(AppRecord app) {
  for (int32_t index = 0; index < int32_t(app.partitions.size()); ++index) {
    auto released = co_await pool_.run(
        [this, node = app.partitions[size_t(index)].node, gpid = Gpid{app.info.app_id, index}] {
          return nodes_.release(node, gpid, false);
        });
    if (!released) log_.error(released.error().to_string());
  }
}

bool MetaService::is_served(Gpid gpid) const {
  const auto* app = catalog_.find_by_id(gpid.app_id);
  return app && nodes_.serves(app->partitions[size_t(gpid.partition_index)].node, gpid);
}

ClusterFacts MetaService::facts() const {
  auto address = this->address().to_string();
  return {.cluster_name = options_.cluster_name,
          .meta_servers = address,
          .primary_meta_server = address,
          .zookeeper_hosts = "",
          .zookeeper_root = ""};
}

// Files of a dropped table go when its reserve time is over.
Routine<> MetaService::purge_dropped() {
  while (!tasks_.stopped()) {
    std::vector<AppRecord> over;
    for (const auto& [id, app] : catalog_.apps())
      if (!app.is_available() && app.info.expire_second <= clock_.unix_seconds())
        over.push_back(app);
    for (const auto& app : over) {
      bool removed = true;
      for (int32_t index = 0; index < app.info.partition_count; ++index) {
        auto node = app.partitions[size_t(index)].node;
        Gpid gpid{app.info.app_id, index};
        auto released = co_await pool_.run([&] { return nodes_.release(node, gpid, true); });
        if (released) continue;
        log_.error(released.error().to_string());
        removed = false;
      }
      if (!removed) continue;
      if (auto forgotten = catalog_.forget(app.info.app_id); !forgotten)
        log_.error(forgotten.error().to_string());
    }
    co_await clock_.sleep_for(kPurgePeriod);  // no result
  }
}

void MetaService::register_handlers() {
  using namespace wire;
  dispatcher_.on_message<configuration_create_app_request, configuration_create_app_response>(
      RpcCode::kCreateApp, [this](const auto& request, const auto&) {
        auto response = catalog_.create(request, clock_.unix_seconds());
        if (response.err.code == ErrorCode::kOk)
          tasks_.spawn(host_in_background(*catalog_.find_by_id(response.appid)));
        return response;
      });
  dispatcher_.on_message<configuration_drop_app_request, configuration_drop_app_response>(
      RpcCode::kDropApp, [this](const auto& request, const auto&) {
        const auto* app = catalog_.find(request.app_name);
        auto dropped = app ? *app : AppRecord();
        auto response = catalog_.drop(request, clock_.unix_seconds());
        if (response.err.code == ErrorCode::kOk)
          tasks_.spawn(release_in_background(std::move(dropped)));
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
        return list_nodes(request, nodes_.addresses(), host_ports_for(head));
      });
  dispatcher_.on_message<configuration_cluster_info_request, configuration_cluster_info_response>(
      RpcCode::kClusterInfo, [this](const auto&, const auto&) {
        return cluster_info(catalog_, facts(), nodes_.addresses());
      });
  dispatcher_.on_message<query_cfg_request, query_cfg_response>(
      RpcCode::kQueryConfig, [this](const auto& request, const auto& head) {
        return query_config(
            catalog_, request, nodes_.addresses(), [this](Gpid gpid) { return is_served(gpid); },
            host_ports_for(head));
      });
  dispatcher_.on(RpcCode::kCliCall,
                 [this](net::IncomingCall call) { operations_.commands.handle(std::move(call)); });
  dispatcher_.on_message<negotiation_request, negotiation_response>(
      RpcCode::kNegotiation, [](const auto&, const auto&) {
        negotiation_response response;
        response.status = SASL_AUTH_DISABLE;
        return response;
      });
}

}  // namespace pegmove::server::meta
