// Limits the bytes per second to and from block stores.
#pragma once

#include <atomic>
#include <functional>

#include "async/clock.h"
#include "async/task.h"
#include "base/token_bucket.h"

namespace pegmove::blockstore {

// acquire() on one executor; set() from any thread, also while a caller waits.
class RateLimit {
 public:
  explicit RateLimit(Clock& clock) : clock_(clock) {}

  // 0: no limit.
  void set(int64_t bytes_per_second) { rate_ = bytes_per_second; }
  int64_t get() const { return rate_; }
  // Waits until this many bytes may be transferred. More than the limit of a second also passes,
  // and makes the next wait longer. Returns early when the caller's task group is stopped, or
  // `should_stop` (may be empty; called several times a second) returns true.
  Routine<> acquire(int64_t bytes, std::function<bool()> should_stop = {});

 private:
  Clock& clock_;
  std::atomic<int64_t> rate_ = 0;
  base::TokenBucket bucket_{async::milliseconds(100)};
};

}  // namespace pegmove::blockstore
