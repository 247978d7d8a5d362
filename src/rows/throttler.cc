#include "rows/throttler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/units.h"

namespace pegmove::rows {
namespace {

using async::milliseconds;
using std::chrono::duration_cast;

constexpr milliseconds kLongestWait{100};  // until the limits and the stop signal are checked again
constexpr milliseconds kBetweenSlowdowns{500};  // a change needs time to take effect
constexpr milliseconds kBetweenSpeedups{1000};
constexpr milliseconds kFirstPause{10};
constexpr milliseconds kLongestPause{2000};

}  // namespace

// How long until the limits and the pause allow the next batch.
milliseconds Throttler::until_open() {
  const auto now = clock_.now();
  rows_.set_rate(double(options_.max_rows_per_second));
  bytes_.set_rate(double(options_.max_bytes_per_second));
  const auto wait = std::max(rows_.until_open(now), bytes_.until_open(now));
  if (pause_ == milliseconds(0)) return wait;
  return std::max(wait, pause_ - duration_cast<milliseconds>(now - last_pause_));
}

bool Throttler::has_room() const { return writing_ == 0 || writing_ < int(at_once_); }

Routine<bool> Throttler::enter(int64_t rows, int64_t bytes) {
  while (!stop_.requested()) {
    const auto wait = until_open();
    if (has_room() && wait <= milliseconds(0)) {
      ++writing_;
      last_pause_ = clock_.now();
      rows_.take(double(rows));
      bytes_.take(double(bytes));
      co_return true;
    }
    if (!has_room())
      co_await left_.wait();  // no result
    else
      co_await clock_.sleep_for(std::min(wait, kLongestWait));  // no result
  }
  co_return false;
}

void Throttler::leave() {
  --writing_;
  left_.notify_all();
}

void Throttler::note_latency(milliseconds latency, std::string_view where) {
  if (!options_.adaptive) return speed_up();
  if (latency > options_.latency_bound)
    slow_down(fmt::format("{} latency {} > `--latency-bound` {}", where,
                          base::format_duration(latency),
                          base::format_duration(options_.latency_bound)));
  else if (latency < options_.latency_bound / 2)
    speed_up();
}

void Throttler::note_busy(std::string_view why) {
  if (options_.adaptive) slow_down(std::string(why));
}

void Throttler::slow_down(std::string why) {
  auto now = clock_.now();
  reason_ = std::move(why);
  if (now - changed_at_ < kBetweenSlowdowns) return;
  changed_at_ = now;
  // Start from what was in use: only that can be reduced.
  at_once_ = std::min(at_once_, double(std::max(writing_, 1)));
  if (at_once_ > 1)
    at_once_ = std::max(1.0, std::floor(at_once_ * 0.6));
  else
    pause_ = std::clamp(pause_ * 2, kFirstPause, kLongestPause);
}

void Throttler::speed_up() {
  auto now = clock_.now();
  if (now - changed_at_ < kBetweenSpeedups && options_.adaptive) return;
  changed_at_ = now;
  if (pause_ > milliseconds(0))
    pause_ = pause_ <= kFirstPause ? milliseconds(0) : pause_ / 2;
  else
    at_once_ = std::min(at_once_ + 1, double(options_.most_at_once));
  left_.notify_all();
}

std::string Throttler::why_slow() const {
  if (!options_.adaptive || (pause_ == milliseconds(0) && at_once_ >= options_.most_at_once))
    return "";
  auto text =
      fmt::format("throttled to {}/{} parallel batches", int(at_once_), options_.most_at_once);
  if (pause_ > milliseconds(0)) text += ", one every " + base::format_duration(pause_);
  return fmt::format("{}: {}", text, reason_);
}

}  // namespace pegmove::rows
