// Runs the manual compactions of a node's partitions, off the threads that answer requests.
#pragma once

#include <atomic>
#include <memory>

#include "async/pool.h"
#include "server/replica/replica.h"

namespace pegmove::server::replica {

// Safe from any thread. Close the replicas first, which ends what runs; the destructor waits.
class CompactionRunner {
 public:
  // Queues the partition when its compaction is due and none is under way. One that finds as many
  // running on the node as its table allows is let go, and considered again with the next call.
  void consider(std::shared_ptr<Replica> replica);

 private:
  static constexpr int kThreads = 2;

  std::atomic<int> running_ = 0;
  async::Pool pool_{kThreads};
};

}  // namespace pegmove::server::replica
