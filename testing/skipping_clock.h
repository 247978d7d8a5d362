// A clock whose time passes only by sleeping.
#pragma once

#include <algorithm>
#include <mutex>

#include "async/clock.h"

namespace pegmove::testing {

// For costs that are sleeps (server/replica/write_cost.h): a short sleep ends at once, and the
// clock shows its instant then. A longer one, like that of a deadline, lasts until its task group
// is stopped. What sleeps again and again must sleep longer than that. Safe from any thread.
class SkippingClock : public Clock {
 public:
  explicit SkippingClock(async::milliseconds longest_skipped) : longest_(longest_skipped) {}

  async::Instant now() const override {
    std::lock_guard lock(mutex_);
    return now_;
  }
  int64_t unix_us() const override { return 1'800'000'000'000'000; }
  Routine<> sleep_until(async::Instant at) override {
    if (skip_to(at)) co_return;
    co_await async::SystemClock().sleep_until(async::Instant::max());  // no result
  }

 private:
  bool skip_to(async::Instant at) {
    std::lock_guard lock(mutex_);
    if (at > now_ + longest_) return false;
    now_ = std::max(now_, at);
    return true;
  }

  const async::milliseconds longest_;
  mutable std::mutex mutex_;
  async::Instant now_{};
};

}  // namespace pegmove::testing
