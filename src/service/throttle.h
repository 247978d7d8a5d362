// Counts requests against a table's throttles (base/app_env_text.h). Pegasus:
// src/utils/throttling_controller.cpp.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/app_env_text.h"

namespace pegmove::service {

enum class Verdict { kPass, kDelay, kReject };

// Counts the units of each second of the wall clock. A partition's share of a table's limit is
// units / partition_count + 1. For one thread at a time.
class ThrottleWindow {
 public:
  ThrottleWindow() = default;
  ThrottleWindow(const base::Throttle& throttle, int32_t partition_count);

  struct Decision {
    Verdict verdict = Verdict::kPass;
    std::chrono::milliseconds pause{0};
  };
  // Units of rejected requests are not counted. A pause is at most half of the client's timeout,
  // when that is known (> 0).
  Decision take(uint64_t units, int64_t unix_seconds, std::chrono::milliseconds client_timeout);

 private:
  base::ThrottleStep delay_;
  base::ThrottleStep reject_;
  int64_t second_ = 0;
  uint64_t units_ = 0;
};

}  // namespace pegmove::service
