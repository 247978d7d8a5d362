// How fast a pump may go: what the operator allows, and what the clusters bear.
//
// Two limits (rows and bytes a second) hold always. Beside them the pace adapts: when a cluster
// answers busy, or what its clients feel climbs over a bound, fewer batches are written at once,
// and then with pauses between them; when it is well again, step by step more. Increase is slow and
// decrease is fast, as TCP does it.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "async/clock.h"
#include "async/event.h"
#include "async/stop_signal.h"
#include "base/token_bucket.h"

namespace pegmove::rows {

struct PaceOptions {
  int64_t max_rows_per_second = 0;   // 0: no limit
  int64_t max_bytes_per_second = 0;  // of keys and values; 0: no limit
  bool adaptive = true;
  async::milliseconds latency_bound{200};  // of a small request of a client; see note_latency()
  int most_at_once = 16;                   // batches being written
};

// All on one executor. The clock and the stop signal outlive it.
class Pace {
 public:
  Pace(const PaceOptions& options, Clock& clock, const async::StopSignal& stop)
      : options_(options), clock_(clock), stop_(stop), at_once_(options.most_at_once) {}

  // Waits until a batch of so many rows and bytes may be written. False: the work is to stop, and
  // the batch is not to be written. After true: leave(), whatever came of the write.
  Routine<bool> enter(int64_t rows, int64_t bytes);
  void leave();

  // How long a small request took just now; called a few times a second, for each cluster.
  void note_latency(async::milliseconds latency, std::string_view where);
  // A server refused, for now, to take more ("busy"); may be called as often as it happens.
  void note_busy(std::string_view why);

  // Can be changed at any time, also while somebody waits in enter().
  PaceOptions& options() { return options_; }

  // Why it goes slower than it could, for people; "" when it does not. Limits that the operator set
  // are no reason.
  std::string why_slow() const;
  int at_once() const { return int(at_once_); }

 private:
  static constexpr async::milliseconds kBurst{100};  // of a limit's worth may go at once
  bool has_room() const;
  async::milliseconds until_open();
  void slow_down(std::string why);
  void speed_up();

  PaceOptions options_;
  Clock& clock_;
  const async::StopSignal& stop_;
  int writing_ = 0;
  double at_once_;                // batches that may be written at once, if it adapts
  async::milliseconds pause_{0};  // before each batch, once one at a time is too much
  std::string reason_;            // of the last slowing down
  async::Instant changed_at_{};   // when the pace was last slowed down or sped up
  async::Instant last_pause_{};   // when a batch was last let in
  base::TokenBucket rows_{kBurst};
  base::TokenBucket bytes_{kBurst};
  async::Event left_;
};

}  // namespace pegmove::rows
