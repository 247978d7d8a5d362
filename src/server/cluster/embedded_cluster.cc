#include "server/cluster/embedded_cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "async/context_thread.h"
#include "async/run_on.h"
#include "meta_types.h"
#include "server/meta/meta_service.h"
#include "server/replica/replica_node.h"

namespace pegmove::server::cluster {
namespace {

using meta::MetaService;
using replica::ReplicaNode;

Routine<Result<void>> start_node(ReplicaNode& node) { co_return node.start(); }

template <typename Role>
Routine<Result<void>> stop_role(Role& role) {
  role.stop();
  co_await role.join();  // no result
  co_return Result<void>();
}

// The nodes of this process, as the meta server sees them.
class LocalNodes : public meta::NodePort {
 public:
  void add(ReplicaNode& node) {
    nodes_.push_back(&node);
    const auto address = node.address();
    addresses_.push_back(
        {.address = wire::rpc_address::of(address.ipv4, address.port),
         .host_port = wire::host_port::of(net::host_port_of(address).host, address.port)});
  }

  std::vector<meta_view::NodeAddress> addresses() const override { return addresses_; }
  Result<void> host(int node, const wire::app_info& app, int32_t partition_index,
                    bool may_be_new) override {
    auto table = hosted(app);
    table.may_be_new = may_be_new;
    return nodes_[size_t(node)]->host(table, partition_index);
  }
  Task<int64_t> back_up(int node, backup::BackupRequest request,
                        std::shared_ptr<backup::PartitionProgress> progress) override {
    return on(node, &ReplicaNode::back_up, std::move(request), std::move(progress));
  }
  Task<> restore(int node, backup::RestoreRequest request,
                 std::shared_ptr<backup::PartitionProgress> progress) override {
    return on(node, &ReplicaNode::restore, std::move(request), std::move(progress));
  }
  Task<> download_load(int node, bulkload::LoadRequest request,
                       std::shared_ptr<bulkload::LoadProgress> progress) override {
    return on(node, &ReplicaNode::download_load, std::move(request), std::move(progress));
  }
  Task<> ingest_load(int node, bulkload::LoadRequest request,
                     std::shared_ptr<bulkload::LoadProgress> progress) override {
    return on(node, &ReplicaNode::ingest_load, std::move(request), std::move(progress));
  }
  Task<> clean_load(int node, Gpid gpid) override {
    return on(node, &ReplicaNode::clean_load, gpid);
  }
  Task<int64_t> keep_log(int node, Gpid gpid) override {
    return on(node, &ReplicaNode::keep_log, gpid);
  }
  void duplicate(int node, Gpid gpid, std::vector<duplication::Assignment> assignments) override {
    nodes_[size_t(node)]->duplicate(gpid, std::move(assignments));
  }
  std::vector<duplication::Progress> duplication_progress(int node, Gpid gpid) const override {
    return nodes_[size_t(node)]->duplication_progress(gpid);
  }
  Task<int64_t> prepare_checkpoint(int node, Gpid gpid) override {
    return on(node, &ReplicaNode::prepare_checkpoint, gpid);
  }
  Task<> fetch_checkpoint(int node, duplication::CheckpointRequest request,
                          std::shared_ptr<duplication::CheckpointProgress> progress) override {
    return on(node, &ReplicaNode::fetch_checkpoint, std::move(request), std::move(progress));
  }
  void stop_transfers() override {
    for (auto* node : nodes_) node->stop_transfers();
  }
  Result<void> release(int node, Gpid gpid, bool delete_files) override {
    return nodes_[size_t(node)]->release(gpid, delete_files);
  }
  bool serves(int node, Gpid gpid) const override { return nodes_[size_t(node)]->serves(gpid); }
  void set_secondaries(int node, const wire::app_info& app, int32_t partition_index,
                       const std::vector<int32_t>& secondaries) override {
    const Gpid gpid{app.app_id, partition_index};
    const auto replica = nodes_[size_t(node)]->find(gpid);
    for (int other = 0; other < int(nodes_.size()); ++other) {
      const bool is_secondary = other != node && std::ranges::count(secondaries, other) > 0;
      nodes_[size_t(other)]->follow(hosted(app), partition_index, is_secondary ? replica : nullptr);
    }
  }
  void apply_envs(const wire::app_info& app) override {
    for (auto* node : nodes_) node->apply_envs(hosted(app));
  }
  wire::CompactionStatus compaction_status(int node, Gpid gpid) const override {
    using replica::CompactionState;
    switch (nodes_[size_t(node)]->compaction_state(gpid)) {
      case CompactionState::kIdle: return wire::CompactionStatus::kIdle;
      case CompactionState::kQueuing: return wire::CompactionStatus::kQueuing;
      case CompactionState::kRunning: return wire::CompactionStatus::kRunning;
      case CompactionState::kFinished: return wire::CompactionStatus::kFinished;
    }
    std::unreachable();
  }

 private:
  // Makes the call on the node's own thread. The node outlives it.
  template <typename T, typename... Wanted, typename... Given>
  Task<T> on(int node, Task<T> (ReplicaNode::*call)(Wanted...), Given... given) {
    auto& target = *nodes_[size_t(node)];
    co_return co_await async::run_on(target.executor(), (target.*call)(std::move(given)...));
  }

  static replica::HostedTable hosted(const wire::app_info& app) {
    return {.app_id = app.app_id,
            .name = app.app_name,
            .partition_count = app.partition_count,
            .envs = app.envs,
            .atomic_idempotent = app.atomic_idempotent};
  }

  std::vector<ReplicaNode*> nodes_;
  std::vector<meta_view::NodeAddress> addresses_;
};

replica::ClusterIds cluster_ids(const EmbeddedClusterOptions& options) {
  replica::ClusterIds ids;
  ids.refuses_for_now = options.refuses_duplicates_for_now;
  for (const auto& [name, id] : options.duplication_group) {
    ids.known.set(id & 0x7F);
    if (name == options.name) ids.own = id;
  }
  return ids;
}

std::map<std::string, std::string> group_lines(const EmbeddedClusterOptions& options) {
  std::map<std::string, std::string> lines;
  for (const auto& [name, id] : options.duplication_group) lines[name] = std::to_string(id);
  return lines;
}

std::string cold_backup_root(const EmbeddedClusterOptions& options) {
  return options.cold_backup_root.empty() ? options.name : options.cold_backup_root;
}

struct NodeRole {
  async::ContextThread thread;
  std::unique_ptr<ReplicaNode> node;
};

}  // namespace

// In the order of destruction, from the end: the meta server is destroyed before the nodes that it
// calls.
struct EmbeddedCluster::Parts {
  std::unique_ptr<replica::WriteCosts> write_costs;
  std::vector<std::unique_ptr<NodeRole>> nodes;
  LocalNodes ports;
  async::Pool admin_pool{2};
  async::ContextThread meta_thread;
  std::unique_ptr<MetaService> meta;

  ~Parts() {
    if (meta) (void)meta_thread.wait_for(stop_role(*meta));
    for (auto& role : nodes)
      if (role->node) (void)role->thread.wait_for(stop_role(*role->node));
    for (auto& role : nodes)
      if (role->node) role->node->drain();
    write_costs.reset();  // its thread may still be in a call to a node's pool
  }

  Result<void> start_nodes(const EmbeddedClusterOptions& options, Clock& clock, const Logger& log) {
    if (options.write_cost)
      write_costs = std::make_unique<replica::WriteCosts>(*options.write_cost, clock);
    for (int i = 0; i < options.replica_servers; ++i) {
      auto role = std::make_unique<NodeRole>();
      auto port = options.replica_port == 0 ? 0 : options.replica_port + i;
      role->node = std::make_unique<ReplicaNode>(
          role->thread.executor(),
          replica::NodeOptions{.cluster_name = options.name,
                               .data_dir = fmt::format("{}/replica{}", options.data_dir, i),
                               .listen = {options.listen_ipv4, uint16_t(port)},
                               .sync_writes = options.sync_writes,
                               .max_request_size = options.max_request_size,
                               .clusters = cluster_ids(options),
                               .duplication_group = group_lines(options),
                               .write_costs = write_costs.get(),
                               .max_connections = options.max_connections,
                               .providers = options.providers,
                               .cold_backup_root = cold_backup_root(options),
                               .on_failpoint = options.on_failpoint},
          clock, log.with("node", "replica" + std::to_string(i)));
      auto started = role->thread.wait_for(start_node(*role->node));
      if (!started) {
        role->node.reset();
        return started;
      }
      ports.add(*role->node);
      nodes.push_back(std::move(role));
    }
    return {};
  }
};

Result<std::unique_ptr<EmbeddedCluster>> EmbeddedCluster::start(EmbeddedClusterOptions options,
                                                                Clock& clock) {
  Logger log("cluster=" + options.name);
  auto state = TRY(meta::MetaState::open(options.data_dir + "/meta", options.replica_servers));
  auto parts = std::make_unique<Parts>();
  TRY(parts->start_nodes(options, clock, log));
  parts->meta = std::make_unique<MetaService>(
      parts->meta_thread.executor(), std::move(state), parts->ports, parts->admin_pool,
      meta::MetaOptions{.cluster_name = options.name,
                        .listen = {options.listen_ipv4, options.meta_port},
                        .dump_dir = options.data_dir + "/meta/dump",
                        .max_connections = options.max_connections,
                        .backups = {.cold_backup_root = cold_backup_root(options),
                                    .providers = options.providers,
                                    .on_failpoint = options.on_failpoint,
                                    .never_ends = options.backups_never_end},
                        .duplication_group = options.duplication_group,
                        .clusters = options.clusters},
      clock, log.with("node", "meta"));
  TRY(parts->meta_thread.wait_for(parts->meta->start()));
  return std::unique_ptr<EmbeddedCluster>(new EmbeddedCluster(std::move(parts)));
}

EmbeddedCluster::EmbeddedCluster(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
EmbeddedCluster::~EmbeddedCluster() = default;

net::Address EmbeddedCluster::meta_address() const { return parts_->meta->address(); }

std::vector<net::Address> EmbeddedCluster::replica_addresses() const {
  std::vector<net::Address> addresses;
  for (const auto& role : parts_->nodes) addresses.push_back(role->node->address());
  return addresses;
}

}  // namespace pegmove::server::cluster
