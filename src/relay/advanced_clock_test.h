// A clock for tests of this folder that use sockets.
#pragma once

#include <algorithm>

#include "async/clock.h"

namespace pegmove::relay {

// The time is real, and a test can advance it; no sleep is longer than a millisecond.
class AdvancedClock : public async::SystemClock {
 public:
  async::Instant now() const override { return SystemClock::now() + advanced; }
  Routine<> sleep_until(async::Instant at) override {
    using Length = async::Instant::duration;
    const auto rest = std::clamp<Length>(at - now(), Length(0), async::milliseconds(1));
    return SystemClock::sleep_until(SystemClock::now() + rest);
  }
  async::milliseconds advanced{0};
};

}  // namespace pegmove::relay
