// A clock for code that polls.
#pragma once

#include <algorithm>

#include "async/clock.h"

namespace pegmove::testing {

// For a client under test: the time is real, but no sleep is longer than a millisecond, so that
// polling (retries, progress, waiting for a table) happens at once. The wall time is that of
// another clock.
class QuickClock : public Clock {
 public:
  explicit QuickClock(const Clock& wall) : wall_(wall) {}

  async::Instant now() const override { return system_.now(); }
  int64_t unix_us() const override { return wall_.unix_us(); }
  Routine<> sleep_until(async::Instant at) override {
    return system_.sleep_until(std::min(at, now() + async::milliseconds(1)));
  }

 private:
  const Clock& wall_;
  async::SystemClock system_;
};

}  // namespace pegmove::testing
