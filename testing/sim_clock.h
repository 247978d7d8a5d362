// A clock whose time moves only by advance(). Sleepers wake in order of their instants.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "async/clock.h"

namespace pegmove::testing {

// Safe from any thread.
class SimClock : public Clock {
 public:
  async::Instant now() const override;
  int64_t unix_us() const override;
  Routine<> sleep_until(async::Instant at) override;

  void advance(async::milliseconds by);
  void set_unix_seconds(int64_t seconds);
  size_t sleepers() const;
  // The instant of the next sleeper: for tests that move the time from one to the next.
  std::optional<async::Instant> next_wake() const;

 private:
  struct Sleeper;
  static void wake(std::shared_ptr<Sleeper> sleeper);
  void forget(async::Instant at, const Sleeper& sleeper);

  mutable std::mutex mutex_;
  async::Instant now_{};
  int64_t unix_us_ = 1'800'000'000'000'000;
  std::multimap<async::Instant, std::shared_ptr<Sleeper>> sleepers_;
};

}  // namespace pegmove::testing
