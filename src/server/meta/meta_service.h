// The meta server of the embedded cluster: answers requests about tables and nodes, and assigns
// partitions to the nodes.
#pragma once

#include <map>
#include <set>

#include "async/pool.h"
#include "bulk_load_types.h"
#include "client/client.h"
#include "meta_types.h"
#include "server/meta/backup/backup_jobs.h"
#include "server/meta/backup/backup_policies.h"
#include "server/meta/backup/restores.h"
#include "server/meta/catalog/app_catalog.h"
#include "server/meta/catalog/catalog_views.h"
#include "server/meta/duplication/duplications.h"
#include "server/meta/duplication/follower_partitions.h"
#include "server/meta/load/bulk_loads.h"
#include "server/meta/meta_state.h"
#include "service/dispatcher.h"
#include "service/operations.h"

namespace pegmove::server::meta {

struct MetaOptions {
  std::string cluster_name;
  net::Address listen;
  std::string dump_dir = {};  // where meta.dump may write
  size_t max_connections = net::RpcServerLimits().max_connections;
  BackupOptions backups = {};
  std::map<std::string, uint8_t> duplication_group = {};            // [duplication-group]
  std::map<std::string, std::vector<net::HostPort>> clusters = {};  // [pegasus.clusters]
  std::optional<FollowerPort> follower = {};  // for tests: instead of other clusters
};

// On one executor. A request that changes something is answered when the change is on disk (which
// blocks this executor: nothing but administration runs on it); job progress is written on another
// thread. Partitions are opened after the answer, as in real servers; until then they have no
// primary. Order: start(); ...; stop(); co_await join(); destroy.
class MetaService {
 public:
  MetaService(asio::any_io_executor executor, MetaState state, NodePort& nodes, async::Pool& pool,
              MetaOptions options, Clock& clock, Logger log);

  // Opens the partitions of all tables, then listens. A partition that does not open is logged and
  // left without a primary; the others serve. Errors: kAlreadyExists and kIo, naming the address.
  Task<> start();
  void stop();
  Routine<> join();
  net::Address address() const { return server_->local(); }
  const AppCatalog& catalog() const { return catalog_; }

 private:
  void register_handlers();
  void register_table_handlers();
  void register_compaction_handlers();
  // In backup/meta_backups.cc.
  void register_backup_handlers();
  void register_backup_commands();
  net::HttpReply http_backup_policy(const service::HttpQuery& query) const;
  // In load/meta_loads.cc.
  void register_load_handlers();
  Routine<> start_load(net::IncomingCall call, wire::start_bulk_load_request request);
  void register_load_commands();
  net::HttpReply http_query_bulk_load(const service::HttpQuery& query) const;
  Routine<> http_start_bulk_load(service::HttpQuery query, net::IncomingHttp http);
  int64_t ingestions_of_a_node() const;
  // In duplication/meta_duplications.cc.
  void register_duplication_handlers();
  Routine<> add_duplication(net::IncomingCall call, wire::duplication_add_request request);
  net::HttpReply http_duplication(const service::HttpQuery& query) const;
  FollowerPort follower_port();
  client::Client& remote_client();
  // In duplication/meta_followers.cc.
  void register_follower_commands();
  Restores::Host restore_host();
  template <typename Request, typename Response>
  void on_routine(wire::RpcCode code, std::function<Routine<Response>(Request)> handler);
  template <typename Request, typename Response>
  Routine<> answer(net::IncomingCall call, Request request,
                   std::function<Routine<Response>(Request)> handler);
  bool backups_are_served(net::IncomingCall& call) const;
  void table_dropped(int32_t app_id);

  // With its secondaries.
  Task<> host_one(const AppRecord& app, int32_t index, bool may_be_new = true);
  // The partition of a follower that has its rows.
  Task<> open_follower(AppRecord app, int32_t index);
  Task<> release_one(const AppRecord& app, int32_t index, bool delete_files);
  // Makes the nodes serve or release the table, as the catalog says. At most one call per table
  // works at a time: it repeats until the nodes match the catalog, and other calls return at once.
  Routine<> apply_catalog(int32_t app_id);
  Routine<> apply_catalog_once(AppRecord app);
  void set_secondaries(const AppRecord& app);
  Routine<> purge_dropped();
  Routine<> purge(AppRecord app);
  Result<void> forget(int32_t app_id);
  bool is_served(Gpid gpid) const;
  meta_view::ClusterFacts facts() const;

  // In admin/meta_http.cc.
  void register_http();
  wire::query_cfg_response partitions_of(const std::string& table) const;
  net::HttpReply http_app(const service::HttpQuery& query) const;
  net::HttpReply http_apps(const service::HttpQuery& query) const;
  net::HttpReply http_nodes(const service::HttpQuery& query) const;
  net::HttpReply http_cluster() const;
  net::HttpReply http_app_envs(const service::HttpQuery& query) const;
  net::HttpReply http_usage_scenario(const service::HttpQuery& query);
  net::HttpReply http_start_compaction(const service::HttpQuery& query);
  net::HttpReply set_envs(const std::string& table, const std::map<std::string, std::string>& envs);

  // In admin/meta_commands.cc.
  void define_settings();
  void register_commands();
  std::string black_list(service::RemoteCommands::Arguments arguments);
  std::string ignored_apps(service::RemoteCommands::Arguments arguments);
  std::string dump_tables(service::RemoteCommands::Arguments arguments) const;
  void refresh_metrics();

  asio::any_io_executor executor_;
  std::unique_ptr<MetaStore> store_;
  AppCatalog catalog_;
  NodePort& nodes_;
  async::Pool& pool_;
  MetaOptions options_;
  Clock& clock_;
  Logger log_;
  service::Dispatcher dispatcher_;
  async::TaskGroup tasks_;
  BackupContext backups_;
  BackupJobs backup_jobs_;
  BackupPolicies backup_policies_;
  Restores restores_;
  BulkLoads loads_;
  Duplications duplications_;
  std::unique_ptr<client::Client> remote_client_;  // of other clusters; null until it is needed
  FollowerPartitions followers_;
  std::set<Gpid> opening_;  // shown as served when their secondaries follow them, too
  // Tables whose nodes are being updated: whether they must be once more, by id.
  std::map<int32_t, bool> applying_;
  std::set<int32_t> purging_;  // ids of tables whose data is being deleted: they cannot be recalled
  service::Operations operations_;  // its handlers run on the executor
  std::set<std::string> black_list_;
  std::set<int32_t> ignored_apps_;
  std::map<int32_t, std::shared_ptr<metrics::Entity>> table_metrics_;  // shared with the registry
  std::unique_ptr<net::RpcServer> server_;
};

}  // namespace pegmove::server::meta
