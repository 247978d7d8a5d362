// Throttles a pump: the operator's limits, and adaptation to the load of the clusters.
//
// Two limits (rows and bytes per second) always apply. Besides, the throttler adapts: when a
// cluster reports that it is busy, or the latency that its clients see exceeds a bound, fewer
// batches are written in parallel, and then with pauses between them; when it has recovered, step
// by step more. Increase is slow and decrease is fast, as in TCP.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "async/clock.h"
#include "async/event.h"
#include "async/stop_signal.h"
#include "base/token_bucket.h"

namespace pegmove::rows {

struct ThrottleOptions {
  int64_t max_rows_per_second = 0;   // 0: no limit
  int64_t max_bytes_per_second = 0;  // of keys and values; 0: no limit
  bool adaptive = true;
  async::milliseconds latency_bound{200};  // of a client's small request; see note_latency()
  int most_at_once = 16;                   // batches being written
};

// All on one executor. The clock and the stop signal must outlive it.
class Throttler {
 public:
  Throttler(const ThrottleOptions& options, Clock& clock, const async::StopSignal& stop)
      : options_(options), clock_(clock), stop_(stop), at_once_(options.most_at_once) {}

  // Waits until a batch of this many rows and bytes may be written. Returns false when the work
  // must stop: the batch must not be written. After true, call leave(), also when the write failed.
  Routine<bool> enter(int64_t rows, int64_t bytes);
  void leave();

  // Reports how long a small request took; called a few times a second, for each cluster.
  void note_latency(async::milliseconds latency, std::string_view where);
  // Reports that a server refused a request for now ("busy"); may be called as often as it happens.
  void note_busy(std::string_view why);

  // Can be changed at any time, also while a caller waits in enter().
  ThrottleOptions& options() { return options_; }

  // "throttled to 4/8 parallel batches: ...", for people; "" when it is not throttled. The
  // operator's limits do not count.
  std::string why_slow() const;
  int at_once() const { return int(at_once_); }

 private:
  static constexpr async::milliseconds kBurst{100};  // of a limit may be used in one burst
  bool has_room() const;
  async::milliseconds until_open();
  void slow_down(std::string why);
  void speed_up();

  ThrottleOptions options_;
  Clock& clock_;
  const async::StopSignal& stop_;
  int writing_ = 0;
  double at_once_;                // batches that may be written in parallel, if it adapts
  async::milliseconds pause_{0};  // before each batch, when one at a time is too much
  std::string reason_;            // of the last slowdown
  async::Instant changed_at_{};   // when it last slowed down or sped up
  async::Instant last_pause_{};   // when a batch was last allowed
  base::TokenBucket rows_{kBurst};
  base::TokenBucket bytes_{kBurst};
  async::Event left_;
};

}  // namespace pegmove::rows
