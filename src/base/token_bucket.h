// A limit of units per second: rows, bytes, requests.
#pragma once

#include <chrono>
#include <optional>

namespace pegmove::base {

// Units flow in at a steady rate, at most `burst` worth of them accumulate, and it begins full.
// More units can be taken at once than it has: the bucket is then in debt, and closed until that is
// paid. The caller passes the time. For one thread at a time.
class TokenBucket {
 public:
  using Instant = std::chrono::steady_clock::time_point;
  using Seconds = std::chrono::duration<double>;

  explicit TokenBucket(Seconds burst, double units_per_second = 0)
      : burst_(burst), rate_(units_per_second) {}

  // 0 or less: no limit. A debt stays, and is paid at the new rate.
  void set_rate(double units_per_second) { rate_ = units_per_second; }

  // How long until something may be taken: 0 when it may now. Of a closed bucket at least 1 ms.
  std::chrono::milliseconds until_open(Instant now);
  bool is_open(Instant now) { return until_open(now).count() == 0; }
  void take(double units);

 private:
  void fill(Instant now);

  Seconds burst_;
  double rate_;
  double level_ = 0;                  // below 0: a debt
  std::optional<Instant> filled_at_;  // none: full, when there is a limit
};

}  // namespace pegmove::base
