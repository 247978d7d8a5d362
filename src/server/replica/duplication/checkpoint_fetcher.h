// Fetches the rows of a new table's partition from the same partition of the cluster that
// duplicates to it (`add_dup -s` there): the checkpoint that it keeps. Pegasus:
// src/replica/duplication/replica_follower.cpp, src/nfs/nfs_client_impl.cpp.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "async/pool.h"
#include "async/semaphore.h"
#include "async/task_group.h"
#include "backup/failpoints.h"
#include "blockstore/rate_limit.h"
#include "client/client.h"
#include "duplication/checkpoint_request.h"
#include "metrics/registry.h"

namespace pegmove::server::replica {

// All on one executor, except stop(). Order: ...; stop(); co_await join(); destroy.
class CheckpointFetcher {
 public:
  struct Options {
    // Bytes per second of what is received; they outlive it.
    std::vector<blockstore::RateLimit*> limits;
    backup::FailpointListener on_failpoint = {};
  };
  // `server`: the node's entity of metrics, which outlives it.
  CheckpointFetcher(asio::any_io_executor executor, Options options, Clock& clock,
                    metrics::Entity& server);

  // Copies the files to `partition_dir`/duplication, which is emptied before, checks them, and when
  // all are on disk renames it to `partition_dir`/data/rdb. Does nothing when that is there. After
  // any error, and after a kill, the next call begins from the start; one call of a partition at a
  // time. Errors name the table's master and the step:
  // kNotFound   the master has no such table or partition, or keeps no checkpoint of it (any more)
  // kRefused    other partition counts (wire code ERR_INCONSISTENT_STATE); the disk is too small
  // kCorrupt    the files differ from what was announced, or are damaged
  // kProtocol   names that are no file names, sizes below 0, too many files
  // kUnreachable, kTimeout, kBusy   may be over soon
  // kInterrupted   it was cancelled, or this was stopped
  // kIo         of the disk here
  Task<> fetch(duplication::CheckpointRequest request, std::string partition_dir,
               std::shared_ptr<duplication::CheckpointProgress> progress);

  // From any thread: what is under way ends soon, with kInterrupted.
  void stop();
  Routine<> join();

  // nfs_copy_block_bytes and max_file_copy_request_count_per_file of real servers, in which they
  // ask for the files of a checkpoint.
  static constexpr int64_t kBlockBytes = 4 << 20;
  static constexpr size_t kBlocksAtOnce = 2;

 private:
  class Copy;
  Routine<> close();

  asio::any_io_executor executor_;
  Options options_;
  Clock& clock_;
  metrics::Counter& received_bytes_;
  metrics::Counter& failed_;
  client::Client client_;
  async::Semaphore copies_;  // bounds the partitions that are fetched at once
  std::atomic<bool> stopped_ = false;
  bool is_closing_ = false;
  async::TaskGroup tasks_;
  async::Pool pool_{2};
  // Checks whole checkpoints, one at a time, and while it does others are copied.
  async::Pool check_pool_{1};  // the last member, with pool_: their work may use the others
};

}  // namespace pegmove::server::replica
