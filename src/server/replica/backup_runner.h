// What a node does for cold backups: it uploads checkpoints of its partitions to a block store, and
// downloads partitions from there. Pegasus: src/replica/replica_backup.cpp, replica_restore.cpp.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "async/pool.h"
#include "async/semaphore.h"
#include "async/task_group.h"
#include "backup/checkpoint_transfer.h"
#include "backup/node_requests.h"
#include "base/log.h"
#include "blockstore/store_set.h"
#include "server/replica/replica.h"

namespace pegmove::server::replica {

struct BackupRunnerOptions {
  blockstore::Providers providers;
  int pool_threads = 4;        // each transfers one file
  int64_t files_at_once = 10;  // max_concurrent_uploading_file_count
  backup::FailpointListener on_failpoint = {};
};

// On one executor, except set_rate() and stop(), which any thread may call. Order: ...; stop();
// running calls end with kInterrupted; destroy.
class BackupRunner {
 public:
  enum class Way { kThere, kHere };

  BackupRunner(BackupRunnerOptions options, Clock& clock, Logger log);

  // "host:port" of the node: checkpoints in the store are named by it. Call it before the first
  // back_up().
  void set_server(std::string server) { server_ = std::move(server); }

  // Makes a checkpoint of the replica in `partition_dir`/backup/, unless one for this backup is
  // there, uploads it, and removes it. A killed node continues with the files that are not in the
  // store yet. `replica` is released when the checkpoint is made. Returns the bytes of the
  // checkpoint. Errors name the file. Repeatable; one call per partition at a time.
  Task<int64_t> back_up(backup::BackupRequest request, std::string partition_dir,
                        std::shared_ptr<Replica> replica,
                        std::shared_ptr<backup::PartitionProgress> progress);

  // Downloads the partition's files and, when all are complete and correct, moves them to
  // `partition_dir`/data/rdb; does nothing when that exists. Errors: kNotFound and kCorrupt when
  // the backup is damaged; the store's; kInterrupted. Repeatable.
  Task<> restore(backup::RestoreRequest request, std::string partition_dir,
                 std::shared_ptr<backup::PartitionProgress> progress);

  // A limit by the name of its setting: max_send_rate_megabytes[_per_disk] for uploads,
  // max_copy_rate_megabytes_per_disk for downloads, hdfs_write_limit_rate_mb_per_sec and
  // hdfs_read_limit_rate_mb_per_sec in addition where the store is an HDFS. In MiB per second; 0:
  // none. Applies at once, also to running transfers. Precondition: one of these names.
  void set_rate(const std::string& name, int64_t megabytes_per_second);
  // The limits of downloads from a provider; "": of files from other servers.
  std::vector<blockstore::RateLimit*> limits_of_reads(const std::string& provider) const {
    return limits(Way::kHere, provider);
  }
  // The limits of files that are sent to other servers.
  std::vector<blockstore::RateLimit*> limits_of_sends() const { return limits(Way::kThere, ""); }
  void stop();

 private:
  Task<int64_t> back_up_with(std::shared_ptr<ReplicaMetrics> metrics, backup::BackupRequest request,
                             std::string partition_dir, std::shared_ptr<Replica> replica,
                             std::shared_ptr<backup::PartitionProgress> progress);
  Task<backup::LocalCheckpoint> checkpoint(const backup::BackupRequest& request, std::string folder,
                                           std::shared_ptr<Replica> replica);
  Task<blockstore::AsyncStore> store(std::string provider);
  std::vector<blockstore::RateLimit*> limits(Way way, const std::string& provider) const;
  backup::CheckpointTransfer transfer(Way way, const std::string& provider,
                                      std::shared_ptr<backup::PartitionProgress> progress) const;
  void failpoint(std::string_view name) const;

  BackupRunnerOptions options_;
  Clock& clock_;
  Logger log_;
  std::string server_;
  blockstore::StoreSet stores_;
  mutable async::Semaphore files_;
  std::map<std::string, std::unique_ptr<blockstore::RateLimit>> rates_;  // never changes
  std::atomic<bool> stopped_ = false;
  async::Pool pool_;  // destroyed first: its work may use the stores
};

}  // namespace pegmove::server::replica
