#include "base/token_bucket.h"

#include <algorithm>
#include <cmath>

namespace pegmove::base {

void TokenBucket::fill(Instant now) {
  const double most = burst_.count() * rate_;
  if (!filled_at_) {
    level_ = most;
    filled_at_ = now;
    return;
  }
  if (now > *filled_at_) level_ += Seconds(now - *filled_at_).count() * rate_;
  level_ = std::min(level_, most);
  filled_at_ = std::max(now, *filled_at_);
}

std::chrono::milliseconds TokenBucket::until_open(Instant now) {
  if (rate_ <= 0) {
    filled_at_.reset();
    return std::chrono::milliseconds(0);
  }
  fill(now);
  if (level_ > 0) return std::chrono::milliseconds(0);
  constexpr double kLongest = 24.0 * 3600 * 1000;  // fits a clock, however much was taken
  return std::chrono::milliseconds(int64_t(std::min(std::floor(-level_ * 1000 / rate_), kLongest)) +
                                   1);
}

void TokenBucket::take(double units) {
  if (rate_ > 0) level_ -= units;
}

}  // namespace pegmove::base
