// Runs the manual compactions of a node's partitions, off the threads that answer requests.
#pragma once

#include <atomic>
#include <memory>

#include "async/pool.h"
#include "server/replica/replica.h"

namespace pegmove::server::replica {

// Safe from any thread. Close the replicas first, which ends running compactions; the destructor
// waits for them.
class CompactionRunner {
 public:
  // Queues the partition when its compaction is due and none is under way. A partition is skipped
  // when the node already runs as many as its table allows, and considered again with the next
  // call.
  void consider(std::shared_ptr<Replica> replica);

 private:
  static constexpr int kThreads = 2;

  std::atomic<int> running_ = 0;
  async::Pool pool_{kThreads};
};

}  // namespace pegmove::server::replica
