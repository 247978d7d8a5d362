// Time is injected: code that needs it has a Clock&. Tests pass testing/sim_clock.h, whose time
// moves only when the test moves it.
#pragma once

#include <chrono>
#include <cstdint>

#include "async/task.h"

namespace pegmove::async {

// A point on the clock's monotonic scale.
using Instant = std::chrono::steady_clock::time_point;
using std::chrono::milliseconds;

// Safe from any thread.
class Clock {
 public:
  virtual ~Clock() = default;

  virtual Instant now() const = 0;
  // Wall time, microseconds since 1970 in UTC; may jump.
  virtual int64_t unix_us() const = 0;
  int64_t unix_seconds() const { return unix_us() / 1'000'000; }

  // Returns at the instant, or earlier when the coroutine's task group is stopped meanwhile.
  virtual Routine<> sleep_until(Instant at) = 0;
  Routine<> sleep_for(milliseconds length) { return sleep_until(now() + length); }
};

class SystemClock : public Clock {
 public:
  Instant now() const override;
  int64_t unix_us() const override;
  Routine<> sleep_until(Instant at) override;
};

// When something must have ended. Every network call has one.
struct Deadline {
  Instant at;

  static Deadline in(const Clock& clock, milliseconds length) { return {clock.now() + length}; }
  bool passed(const Clock& clock) const { return clock.now() >= at; }
  milliseconds left(const Clock& clock) const {
    auto left = std::chrono::duration_cast<milliseconds>(at - clock.now());
    return left > milliseconds(0) ? left : milliseconds(0);
  }
  Deadline earlier(Deadline other) const { return at < other.at ? *this : other; }
};

// The pause before attempt number `attempt` (from 0): doubles from `first` up to `most`.
milliseconds back_off(int attempt, milliseconds first, milliseconds most);

}  // namespace pegmove::async

namespace pegmove {
using async::Clock;
using async::Deadline;
}  // namespace pegmove
