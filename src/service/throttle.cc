#include "service/throttle.h"

#include <algorithm>

namespace pegmove::service {
namespace {

using base::ThrottleStep;
using std::chrono::milliseconds;

ThrottleStep share_of(const std::optional<ThrottleStep>& step, int32_t partition_count) {
  if (!step || step->units == 0) return {};
  return {.units = step->units / uint64_t(std::max(partition_count, 1)) + 1, .pause = step->pause};
}

milliseconds bounded(milliseconds pause, milliseconds client_timeout) {
  return client_timeout.count() > 0 ? std::min(pause, client_timeout / 2) : pause;
}

}  // namespace

ThrottleWindow::ThrottleWindow(const base::Throttle& throttle, int32_t partition_count)
    : delay_(share_of(throttle.delay, partition_count)),
      reject_(share_of(throttle.reject, partition_count)) {}

ThrottleWindow::Decision ThrottleWindow::take(uint64_t units, int64_t unix_seconds,
                                              milliseconds client_timeout) {
  if (delay_.units == 0 && reject_.units == 0) return {};
  if (second_ != unix_seconds) {
    second_ = unix_seconds;
    units_ = 0;
  }
  units_ += units;
  if (reject_.units > 0 && units_ > reject_.units) {
    units_ -= units;
    return {Verdict::kReject, bounded(reject_.pause, client_timeout)};
  }
  if (delay_.units > 0 && units_ > delay_.units)
    return {Verdict::kDelay, bounded(delay_.pause, client_timeout)};
  return {};
}

}  // namespace pegmove::service
