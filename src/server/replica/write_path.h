// The ordered write path of one partition: a decree a mutation, one WriteBatch for the mutations
// that wait.
//
//   submit(call) -> queue -> Mutations (decree, timestamp, updates) -> WriteBatch -> replies
//
// Writes wait in a queue while the one before them is on its way to the disk; then all PUTs and
// REMOVEs that stand together become one mutation, as in real servers, and every other write
// becomes a mutation by itself. Mutations that read nothing and wait together are written together:
// that costs RocksDB less, and a client sees no difference.
//
// While the partition keeps a log for duplication (store/duplication_log.h), the requests' own
// bytes go into it, in the batch of their rows.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "async/clock.h"
#include "async/pool.h"
#include "metrics/metric.h"
#include "net/rpc_server.h"
#include "server/replica/atomic_operations.h"
#include "server/replica/duplicate_operation.h"
#include "server/replica/write_cost.h"
#include "store/partition_db.h"
#include "wire/rpc_code.h"

namespace pegmove::server::replica {

// One write request within a mutation: the code and the bytes of its body, as they came.
struct Update {
  wire::RpcCode code;
  net::IncomingCall call;
  int32_t status = 0;      // storage status to answer with
  std::string reply = {};  // the body of the reply, unless it is an update_response
  // What goes into the log instead of the request.
  std::vector<Outcome> outcomes = {};
};

struct Mutation {
  int64_t decree = 0;        // of no other mutation of this opening, also when it is not written
  int64_t timestamp_us = 0;  // strictly increasing within the partition, also over restarts
  std::vector<Update> updates;
  size_t bytes = 0;  // of the requests' bodies
};

struct WriteOptions {
  Gpid gpid;
  std::string server;                         // "host:port", for replies
  size_t max_request_size = 1 << 20;          // [replication] max_allowed_write_size; 0 = no limit
  ClusterIds clusters = {};                   // [duplication-group]
  DuplicationMetrics* duplication = nullptr;  // of DUPLICATE requests
  WriteCosts* costs = nullptr;  // what mutations must wait for before they are written
  metrics::Counter* refused_atomic = nullptr;  // atomic operations, while a log is kept
};

// submit() from any thread. Must outlive what was submitted: close() before destroying.
class WritePath {
 public:
  WritePath(store::PartitionDb& db, async::Pool& pool, Clock& clock, Logger log,
            WriteOptions options);

  // Takes a write request over and answers it when it is durable (or refused).
  void submit(wire::RpcCode code, net::IncomingCall call);
  // Answers what comes from now on ERR_OPERATION_DISABLED, as while files are taken in, and waits
  // until the queue is empty (blocks). Until resume().
  void suspend();
  void resume();
  int64_t refused() const { return refused_; }  // while it was suspended, so far

  // Answers what comes from now on ERR_INVALID_STATE, and waits until the queue is empty (blocks).
  void close();

  // Table env default_ttl: seconds that rows without expiry get; 0 = none.
  void set_default_ttl(int32_t seconds) { default_ttl_ = seconds; }

  // ---- the duplication log; these block ----

  // Keeps a log, as store::PartitionDb::keep_log(), between two writes: all that is answered after
  // it is in the log. From then on INCR, CHECK_AND_SET and CHECK_AND_MUTATE are answered
  // ERR_OPERATION_DISABLED, unless the table is atomic_idempotent: then the log has what they did.
  Result<int64_t> keep_log();
  Result<void> drop_log();
  void set_atomic_idempotent(bool is_idempotent) { is_atomic_idempotent_ = is_idempotent; }
  // `listener` is called after each successful write while a log is kept, also when the write has
  // no entry, on a thread of the pool; it must not block, nor call this. {}: none. The earlier one
  // is not called any more when this returns.
  void on_logged(std::function<void()> listener);
  // Takes writes again after an error of the database, if its cause is gone, as the next write
  // would. Does nothing when the database is in good health.
  Result<void> recover();

 private:
  struct Waiting {
    wire::RpcCode code;
    net::IncomingCall call;
  };

  // The batch of the mutations that are applied together.
  struct Batch {
    store::WriteBatch writes;
    std::vector<store::LoggedMutation> logged = {};
    bool is_logged = false;
    uint32_t default_expiry = 0;
  };

  void work_off_queue();
  bool take_queue();
  std::vector<Mutation> next_mutations();
  Mutation next_mutation();
  void apply(std::vector<Mutation> mutations);
  Result<void> write(std::vector<Mutation>& mutations);
  bool refuse_atomic(std::vector<Mutation>& mutations);
  Batch make_batch(const std::vector<Mutation>& mutations) const;
  void add_to_batch(Update& update, const Mutation& mutation, Batch& batch);
  int32_t add_put(Update& update, int64_t timestamp_us, Batch& batch);
  int32_t add_multi_put(Update& update, int64_t timestamp_us, Batch& batch);
  int32_t add_remove(std::string_view body, Batch& batch);
  std::string add_multi_remove(Update& update, int64_t decree, Batch& batch);
  std::string add_atomic(Update& update, const Mutation& mutation, Batch& batch);
  std::string add_duplicate(std::string_view body, int64_t timestamp_us, Batch& batch);
  void tell_logged();
  uint64_t timetag_of(int64_t timestamp_us) const;
  void reply(Mutation& mutation);
  void reply_failed(std::vector<Mutation>& mutations, const Error& error);
  uint32_t default_expiry() const;

  store::PartitionDb& db_;
  async::Pool& pool_;
  Clock& clock_;
  Logger log_;
  WriteOptions options_;
  std::atomic<int32_t> default_ttl_ = 0;
  std::atomic<bool> is_atomic_idempotent_ = false;
  // The worker's: what it has taken from the queue, and of the last mutation that was made, written
  // or not.
  std::deque<Waiting> taken_;
  int64_t given_decree_;
  int64_t given_timestamp_us_;

  std::mutex writing_;  // held while the database is written

  std::mutex listening_;  // guards on_logged_, also while it is called
  std::function<void()> on_logged_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable idle_;
  std::deque<Waiting> queue_;
  bool working_ = false;
  bool closed_ = false;
  bool suspended_ = false;
  std::atomic<int64_t> refused_ = 0;
};

}  // namespace pegmove::server::replica
