// What a node does for cold backups: it brings checkpoints of its partitions to a block store, and
// gets partitions back from there. Pegasus: src/replica/replica_backup.cpp, replica_restore.cpp.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "async/pool.h"
#include "async/semaphore.h"
#include "async/task_group.h"
#include "backup/checkpoint_transfer.h"
#include "base/log.h"
#include "blockstore/store_set.h"
#include "server/replica/replica.h"

namespace pegmove::server::replica {

// How far a partition is, seen by the meta server while the node works on it. Safe from any thread.
struct PartitionProgress {
  std::atomic<int64_t> done_bytes = 0;
  std::atomic<int64_t> all_bytes = 0;
  std::atomic<int64_t> sent_bytes = 0;  // of them not found in the store already
  std::atomic<bool> cancelled = false;  // asks the node to stop
};

struct BackupOrder {
  Gpid gpid;
  std::string provider;
  std::string policy;  // names the folder of the checkpoint here; "fake_policy_<id>" for one-time
  backup::Place place;
};

struct RestoreOrder {
  Gpid gpid;  // the new one
  std::string provider;
  std::string policy;  // of the backup; may be empty
  backup::Place place;
};

// Called after each step by name; see backup/checkpoint_transfer.h and kNodeSteps.
using StepListener = std::function<void(std::string_view step)>;
inline constexpr std::string_view kNodeSteps[] = {
    "backup.checkpoint_made", "backup.checkpoint_named", "backup.checkpoint_removed",
    "restore.partition_in_place"};

struct BackupRunnerOptions {
  std::string server;  // "host:port" of the node: checkpoints in the store are named by it
  blockstore::Providers providers;
  int pool_threads = 4;        // each moves a file's bytes
  int64_t files_at_once = 10;  // max_concurrent_uploading_file_count
  StepListener on_step = {};
};

// On one executor, but for set_upload_rate() and set_download_rate(), which any thread may call.
// Order: ...; stop(); what is under way ends with kInterrupted; destroy.
class BackupRunner {
 public:
  BackupRunner(BackupRunnerOptions options, Clock& clock, Logger log);

  // Makes a checkpoint of the replica in `partition_dir`/backup/, unless one for this backup is
  // there, uploads it, and removes it. A killed node goes on from the files that are in the store.
  // `replica` is let go of when the checkpoint is made. Returns the bytes of the checkpoint.
  // Errors name the file. Repeatable; once at a time a partition.
  Task<int64_t> back_up(BackupOrder order, std::string partition_dir,
                        std::shared_ptr<Replica> replica,
                        std::shared_ptr<PartitionProgress> progress);

  // Downloads the partition's files and, when all are there and right, puts them at
  // `partition_dir`/data/rdb; where something is already, nothing is done. Errors: kNotFound and
  // kCorrupt when the backup is damaged; the store's; kInterrupted. Repeatable.
  Task<> restore(RestoreOrder order, std::string partition_dir,
                 std::shared_ptr<PartitionProgress> progress);

  void set_upload_rate(int64_t bytes_per_second) { upload_limit_.set(bytes_per_second); }
  void set_download_rate(int64_t bytes_per_second) { download_limit_.set(bytes_per_second); }
  void stop();

 private:
  Task<backup::LocalCheckpoint> checkpoint(const BackupOrder& order, std::string folder,
                                           std::shared_ptr<Replica> replica);
  Task<blockstore::AsyncStore> store(std::string provider);
  backup::CheckpointTransfer transfer(blockstore::RateLimit& limit,
                                      std::shared_ptr<PartitionProgress> progress) const;
  void step(std::string_view name) const;

  BackupRunnerOptions options_;
  Clock& clock_;
  Logger log_;
  blockstore::StoreSet stores_;
  mutable async::Semaphore files_;
  blockstore::RateLimit upload_limit_, download_limit_;
  std::atomic<bool> stopped_ = false;
  async::Pool pool_;  // goes first: its work may use the stores
};

}  // namespace pegmove::server::replica
