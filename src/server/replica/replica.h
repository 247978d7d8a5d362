// One partition that this node serves: its database, its write path, its reads.
#pragma once

#include <functional>
#include <future>
#include <map>
#include <memory>

#include "server/replica/admission.h"
#include "server/replica/manual_compaction.h"
#include "server/replica/replica_metrics.h"
#include "server/replica/scan_contexts.h"
#include "server/replica/write_path.h"

namespace pegmove::server::replica {

// Runs the work once, after the pause, on the node's executor.
using Later = std::function<void(async::milliseconds, std::move_only_function<void()>)>;

struct ReplicaOptions {
  Gpid gpid;
  std::string server;  // "host:port" of this node
  store::PartitionOptions db;
  size_t max_request_size = 1 << 20;
  ClusterIds clusters = {};  // [duplication-group]
  WriteCosts* write_costs = nullptr;
  Later later;
  std::shared_ptr<ReplicaMetrics> metrics = {};  // shared with the calls that it watches
};

inline constexpr async::milliseconds kIterationTime{30'000};  // rocksdb_iteration_threshold_time_ms

// What reads of a request need to know of the replica; see read_operations.h.
struct ReadContext {
  const store::PartitionDb& db;
  Gpid gpid;
  std::string_view server;
  uint32_t now;                        // seconds since 2016
  async::milliseconds iteration_time;  // of one scan or multi_get; 0 = no limit
  // After a partition split: of how many partitions the rows must hash to this one; 0 = not looked
  // at.
  int32_t partition_count;
  ReplicaMetrics& metrics;
};

// A secondary of a partition: another node, through which this replica answers backup requests.
struct SecondarySeat {
  std::string server;                       // "host:port" of that node
  Later later;                              // on that node's executor
  std::shared_ptr<ReplicaMetrics> metrics;  // of that node; shared with the calls that it watches
};
// Shared with the requests that came through it.
using Secondary = std::shared_ptr<const SecondarySeat>;

// read() and write() on a node's executor; both answer later, from a thread of the pool. Held by
// shared_ptr: work on the pool keeps its replica alive while the node has let go of it.
class Replica : public std::enable_shared_from_this<Replica> {
 public:
  // Opens the partition's database (blocks). Errors: those of store::PartitionDb::open.
  static Result<std::shared_ptr<Replica>> open(ReplicaOptions options, async::Pool& pool,
                                               Clock& clock, Logger log);
  ~Replica();

  // `secondary`: the one that received the request; null: the primary did.
  void read(wire::RpcCode code, net::IncomingCall call, Secondary secondary = nullptr);
  void write(wire::RpcCode code, net::IncomingCall call, Secondary secondary = nullptr);

  // From now on these envs act (table_envs.h).
  void apply_envs(const EnvMap& envs, int32_t partition_count);

  // While a log for duplication is kept: whether atomic operations are carried out, and logged as
  // what they did. Pegasus: atomic_idempotent of app_info.
  void set_atomic_idempotent(bool is_idempotent) { writes_.set_atomic_idempotent(is_idempotent); }

  // The log for duplication: as the functions of store::PartitionDb, from any thread (they block).
  // keep_log() and drop_log() are ordered with the writes: what is answered after keep_log() is in
  // the log. After an error of the database they try to take writes again.
  Result<int64_t> keep_log();
  Result<void> drop_log();
  bool keeps_log() const { return db_->keeps_log(); }
  std::optional<store::LogStart> log_start() const { return db_->log_start(); }
  Result<store::LogPiece> read_log(int64_t after, size_t most_bytes);
  Result<void> trim_log(int64_t upto);
  Result<store::LogBacklog> log_backlog(int64_t after) const { return db_->log_backlog(after); }
  // As WritePath::on_logged().
  void on_logged(std::function<void()> listener) { writes_.on_logged(std::move(listener)); }

  // Manual compaction: queue_compaction() says how, once, when it is due; then either compact(),
  // which blocks, or unqueue_compaction().
  struct QueuedCompaction {
    CompactionPlan::How how;
    int most_running;
  };
  std::optional<QueuedCompaction> queue_compaction();
  void unqueue_compaction();
  void compact(CompactionPlan::How how);
  CompactionState compaction_state() const { return compaction_state_; }
  // Of the compaction that is queued or under way, and of the last one; 0: none. Unix milliseconds.
  struct CompactionTimes {
    std::atomic<int64_t> queued_ms = 0;
    std::atomic<int64_t> started_ms = 0;
    std::atomic<int64_t> took_ms = 0;
  };
  const CompactionTimes& compaction_times() const { return compaction_times_; }

  void drop_idle_scans() { scans_.drop_idle(); }
  // Refuses writes from now on, ends a compaction, and waits for what is under way (blocks).
  void close();
  // Ready when the last holder has let go and the database is closed. Once.
  std::future<void> closed() { return closed_.closed.get_future(); }

  Gpid gpid() const { return options_.gpid; }
  const store::PartitionDb& db() const { return *db_; }
  // Writes what is in memory to files (blocks). Errors: those of store::PartitionDb::flush.
  Result<void> flush() { return db_->flush(); }
  // A copy that is a database of its own, of hard links where possible (blocks). Returns its
  // decree. Errors: those of store::PartitionDb::checkpoint.
  Result<int64_t> checkpoint(const std::string& path) { return db_->checkpoint(path); }
  // Takes table files in, as store::PartitionDb::ingest() does (blocks). Writes are refused with
  // ERR_OPERATION_DISABLED meanwhile; for how long is returned. Reads go on.
  Result<std::chrono::microseconds> ingest(const std::vector<std::string>& files, bool behind,
                                           int64_t load);
  ReplicaMetrics& metrics() const { return *options_.metrics; }
  const std::shared_ptr<ReplicaMetrics>& observer() const { return options_.metrics; }
  int64_t last_decree() const { return db_->last_decree(); }

 private:
  Replica(ReplicaOptions options, std::unique_ptr<store::PartitionDb> db, async::Pool& pool,
          Clock& clock, Logger log);
  template <typename Call>
  auto with_recovery(Call call);
  template <typename CarryOut>
  void admit(Admission admission, net::IncomingCall call, Secondary secondary, CarryOut carry_out);
  // On the pool, when there is room for its reply.
  void start_read(wire::RpcCode code, net::IncomingCall call, Secondary secondary);
  void answer_read(wire::RpcCode code, net::IncomingCall& call, const SecondarySeat* secondary);
  void carry_out_read(wire::RpcCode code, net::IncomingCall& call, const SecondarySeat* secondary);
  ReplicaMetrics& metrics_at(const SecondarySeat* secondary) const;

  // Goes after all others: the database is closed then.
  struct ClosedSignal {
    std::promise<void> closed;
    ~ClosedSignal() { closed.set_value(); }
  };

  ClosedSignal closed_;
  ReplicaOptions options_;
  std::unique_ptr<store::PartitionDb> db_;
  async::Pool& pool_;
  Clock& clock_;
  Logger log_;
  ScanContexts scans_;
  WritePath writes_;
  AdmissionControl admission_;
  std::atomic<async::milliseconds> iteration_time_{kIterationTime};
  std::atomic<async::milliseconds> slow_query_{async::milliseconds(0)};
  std::atomic<int32_t> validated_partition_count_ = 0;
  std::atomic<int64_t> failed_compaction_unix_seconds_ = 0;
  // Nothing may be compacted: rows that clients deleted would come back with the load.
  std::atomic<bool> waits_for_load_behind_ = false;
  std::atomic<CompactionState> compaction_state_ = CompactionState::kIdle;
  CompactionTimes compaction_times_;
  std::mutex plan_mutex_;  // guards plan_
  CompactionPlan plan_;
};

}  // namespace pegmove::server::replica
