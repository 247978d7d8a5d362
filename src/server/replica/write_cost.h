// Writes that take as long as in a real cluster, for tests and rehearsals.
//
// In a real cluster each mutation is sent to all replicas and written to their logs. The embedded
// cluster has one replica and does none of that, so a mutation costs it next to nothing. WriteCosts
// is what the writes of a real cluster share: it serves them one after the other.
#pragma once

#include <chrono>
#include <functional>

#include "async/clock.h"
#include "async/context_thread.h"
#include "async/task_group.h"

namespace pegmove::server::replica {

// As measured on Pegasus 2.6 with three replica servers and their client on two cores: 29,000
// PUTs/s, which share mutations; MULTI_PUTs with 10 rows 40,000 rows/s, with 40 rows 175,000.
struct WriteCost {
  std::chrono::microseconds mutation{250};
  std::chrono::microseconds request{33};  // whatever is in it
};

// Safe from any thread. It must outlive the last write of the write paths that use it, and must be
// destroyed before the pools that `then` posts to.
class WriteCosts {
 public:
  WriteCosts(WriteCost cost, Clock& clock) : cost_(cost), clock_(clock) {}
  ~WriteCosts();

  // Calls `then` once these and all earlier ones are served, on a thread of its own, which `then`
  // must not block.
  void serve(size_t mutations, size_t requests, std::move_only_function<void()> then);

 private:
  static Routine<> wait(Clock& clock, async::Instant until, std::move_only_function<void()> then);

  const WriteCost cost_;
  Clock& clock_;
  async::Instant free_at_{};  // on thread_, like waiting_
  async::ContextThread thread_;
  async::TaskGroup waiting_{thread_.executor()};
};

}  // namespace pegmove::server::replica
