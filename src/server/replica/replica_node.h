// A replica server: the partitions that one node serves, on one port, and those of other nodes of
// which it is a secondary.
#pragma once

#include <unordered_map>

#include "async/task_group.h"
#include "server/replica/backup_runner.h"
#include "server/replica/compaction_runner.h"
#include "server/replica/duplication/checkpoint_fetcher.h"
#include "server/replica/duplication/checkpoint_server.h"
#include "server/replica/duplication/duplication_runner.h"
#include "server/replica/load_runner.h"
#include "server/replica/replica.h"
#include "service/dispatcher.h"
#include "service/operations.h"

namespace pegmove::server::replica {

struct NodeOptions {
  std::string cluster_name = {};
  std::string
      data_dir;  // partitions are in <data_dir>/<app_id>.<index>.pegasus/data/rdb, as in Pegasus
  net::Address listen;
  bool sync_writes = false;
  size_t max_request_size = 1 << 20;
  ClusterIds clusters = {};                                   // [duplication-group]
  std::map<std::string, std::string> duplication_group = {};  // the same as configured
  int pool_threads = 2;
  WriteCosts* write_costs = nullptr;  // of the whole cluster; must outlive the node
  size_t max_connections = net::RpcServerLimits().max_connections;
  blockstore::Providers providers = {};  // [block_service.NAME]
  std::string cold_backup_root = {};     // shown by config-dump
  backup::FailpointListener on_failpoint = {};
};

// The table of a partition, as the meta server describes it to a node.
struct HostedTable {
  int32_t app_id = 0;
  std::string name;
  int32_t partition_count = 1;
  EnvMap envs;
  bool atomic_idempotent = false;
  // Otherwise its files must exist: a restored partition is never created empty.
  bool may_be_new = true;
};

// start(), stop() and join() on the executor; host(), release() and the others from any thread
// except the executor's (they block). Order: start(); ...; stop(); co_await join(); drain();
// destroy.
class ReplicaNode {
 public:
  ReplicaNode(asio::any_io_executor executor, NodeOptions options, Clock& clock, Logger log);
  ~ReplicaNode();

  // Listens, and makes its data folder. Errors: kAlreadyExists and kIo, naming the address or the
  // folder.
  Result<void> start();
  void stop();
  Routine<> join();
  // After join() of all nodes that follow its partitions (blocks): what they and this node
  // requested is done. When this is so of all nodes, they can be destroyed in any order.
  void drain();
  net::Address address() const { return server_->local(); }

  // Opens the partition, creating it when it is new, and serves it. Errors: of its files; other
  // partitions keep serving. Repeatable, also while another call runs: calls of host() and
  // release() are serialized.
  Result<void> host(const HostedTable& table, int32_t partition_index);
  // Stops serving it. delete_files: its data is deleted, too.
  Result<void> release(Gpid gpid, bool delete_files);
  // From now on this node is a secondary of a partition that another node serves: it answers
  // backup requests from that node's data, and refuses what else clients send. Null: it is no
  // longer, or never was. Does not block. Repeatable.
  void follow(const HostedTable& table, int32_t partition_index,
              const std::shared_ptr<Replica>& primary);
  // Applies the table's new name, app envs and atomic_idempotent to the partitions served here.
  void apply_envs(const HostedTable& table);
  bool serves(Gpid gpid) const;
  // The replica of a partition that is served here; else null.
  std::shared_ptr<Replica> find(Gpid gpid) const;
  asio::any_io_executor executor() const { return executor_; }

  // On the executor: uploads a partition to a block store, and downloads one from there, before
  // host(). See BackupRunner. Errors of back_up(): also kNotFound when the partition is not served
  // here.
  Task<int64_t> back_up(backup::BackupRequest request,
                        std::shared_ptr<backup::PartitionProgress> progress);
  Task<> restore(backup::RestoreRequest request,
                 std::shared_ptr<backup::PartitionProgress> progress);
  // On the executor: the parts of a bulk load; see LoadRunner. Errors: also kNotFound when the
  // partition is not served here.
  Task<> download_load(bulkload::LoadRequest request,
                       std::shared_ptr<bulkload::LoadProgress> progress);
  Task<> ingest_load(bulkload::LoadRequest request,
                     std::shared_ptr<bulkload::LoadProgress> progress);
  Task<> clean_load(Gpid gpid);
  // On the executor: makes the checkpoint of a partition that the cluster to which it is duplicated
  // may fetch from this node, in place of an earlier one, and returns its decree: exactly the
  // writes up to it are inside. On disk. May be repeated. Errors: kNotFound when the partition is
  // not served here; those of store::PartitionDb::checkpoint.
  Task<int64_t> prepare_checkpoint(Gpid gpid);
  // On the executor: fetches the rows of a new partition from another cluster, before host(); see
  // CheckpointFetcher.
  Task<> fetch_checkpoint(duplication::CheckpointRequest request,
                          std::shared_ptr<duplication::CheckpointProgress> progress);
  // On the executor. From now on the partition keeps a log for duplications; returns the decree
  // behind which all later writes of clients are in it. See DuplicationRunner::keep_log().
  Task<int64_t> keep_log(Gpid gpid) { return duplications_.keep_log(gpid); }
  // From any thread; does not wait. These are all duplications of the partition; without any its
  // log is dropped. When all of them ship, the checkpoint that followers fetched is removed.
  // Repeatable. See DuplicationRunner::duplicate().
  void duplicate(Gpid gpid, std::vector<duplication::Assignment> assignments);
  // From any thread: the partition's duplications, by id.
  std::vector<duplication::Progress> duplication_progress(Gpid gpid) const;
  // From any thread: transfers end soon, with kInterrupted, and continue when they are requested
  // again.
  void stop_transfers() {
    backups_.stop();
    loads_.stop();
    fetcher_.stop();
  }

  // Of a partition that is not served: kIdle.
  CompactionState compaction_state(Gpid gpid) const;

 private:
  Later later();
  // A replica of a partition, as requests reach it through this node.
  struct Reached {
    std::shared_ptr<Replica> replica;  // null: there is none
    Secondary secondary;               // null: this node is the primary
  };
  std::string partition_dir(Gpid gpid) const;
  Reached reach(Gpid gpid) const;
  void forget_unused_name(int32_t app_id);
  Result<std::shared_ptr<Replica>> get(Gpid gpid) const;
  void register_handlers();
  CheckpointServer::Options checkpoint_server_options();
  Routine<> check_replicas();
  Routine<> run_after(async::milliseconds pause, std::move_only_function<void()> work);
  void answer_disk_info(net::IncomingCall call);
  // The replica that a request is for, which then observes the call. None: the call is answered or
  // dropped.
  Reached admit(wire::RpcCode code, net::IncomingCall& call);

  // In replica_http.cc and replica_commands.cc; what they register runs on operations_pool_.
  void register_http();
  void define_settings();
  void define_rates();
  net::HttpReply answer_duplication(const service::HttpQuery& query) const;
  void register_commands();
  void register_replica_commands();
  std::map<Gpid, Reached> replicas_of(int32_t app_id) const;
  std::string run_on_replicas(service::RemoteCommands::Arguments arguments,
                              const std::function<std::string(Replica&)>& run) const;
  std::string progress_of(const Replica& replica) const;
  void refresh_metrics();

  asio::any_io_executor executor_;
  NodeOptions options_;
  Clock& clock_;
  Logger log_;
  std::shared_ptr<store::StoreResources> resources_;
  async::TaskGroup tasks_;
  service::Operations operations_;
  std::shared_ptr<NodeMetrics> metrics_;   // shared with the metrics of the replicas
  std::shared_ptr<metrics::Entity> disk_;  // shared with the registry
  std::atomic<bool> denies_clients_ = false;
  async::Pool pool_;
  service::Dispatcher dispatcher_;
  std::unique_ptr<net::RpcServer> server_;
  std::mutex hosting_;        // held while a partition is opened or closed: one at a time
  mutable std::mutex mutex_;  // guards what follows
  std::unordered_map<Gpid, std::shared_ptr<Replica>> replicas_;
  struct Followed {
    std::weak_ptr<Replica> primary;  // of another node, which may let go of it at any time
    Secondary seat;
  };
  std::unordered_map<Gpid, Followed> followed_;
  std::map<int32_t, std::string> table_names_;  // of the tables that these belong to
  CompactionRunner compactions_;
  BackupRunner backups_;
  LoadRunner loads_;
  KeptCheckpoints checkpoints_;
  CheckpointServer checkpoint_server_;
  CheckpointFetcher fetcher_;
  DuplicationRunner duplications_;
  async::Pool operations_pool_{1};  // the last member: its work may use all others to the end
};

}  // namespace pegmove::server::replica
