#include "testing/sim_clock.h"

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <utility>

namespace pegmove::testing {
async::Instant SimClock::now() const {
  std::lock_guard lock(mutex_);
  return now_;
}

int64_t SimClock::unix_us() const {
  std::lock_guard lock(mutex_);
  return unix_us_;
}

void SimClock::set_unix_seconds(int64_t seconds) {
  std::lock_guard lock(mutex_);
  unix_us_ = seconds * 1'000'000;
}

size_t SimClock::sleepers() const {
  std::lock_guard lock(mutex_);
  return sleepers_.size();
}

std::optional<async::Instant> SimClock::next_wake() const {
  std::lock_guard lock(mutex_);
  return sleepers_.empty() ? std::nullopt : std::optional(sleepers_.begin()->first);
}

// Time may pass on another thread while the executor's cancels the sleep: only the executor's
// thread resumes it, once.
struct SimClock::Sleeper {
  asio::any_io_executor executor;
  std::move_only_function<void()> resume;  // for the executor's thread; empty: it was resumed
};

void SimClock::wake(std::shared_ptr<Sleeper> sleeper) {
  asio::post(sleeper->executor, [sleeper] {
    if (auto resume = std::exchange(sleeper->resume, nullptr)) resume();
  });
}

Routine<> SimClock::sleep_until(async::Instant at) {
  if (at <= now()) co_return;
  co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
      [this, at](auto handler) {
        auto slot = asio::get_associated_cancellation_slot(handler);
        auto sleeper = std::make_shared<Sleeper>(asio::get_associated_executor(handler));
        sleeper->resume = std::move(handler);
        if (slot.is_connected())
          slot.assign([this, at, held = std::weak_ptr(sleeper)](asio::cancellation_type) {
            const auto sleeper = held.lock();
            if (!sleeper || !sleeper->resume) return;
            forget(at, *sleeper);
            wake(sleeper);
          });
        std::lock_guard lock(mutex_);
        sleepers_.emplace(at, std::move(sleeper));
      },
      asio::use_awaitable);  // no result
}

void SimClock::forget(async::Instant at, const Sleeper& sleeper) {
  std::lock_guard lock(mutex_);
  const auto [first, last] = sleepers_.equal_range(at);
  const auto found =
      std::find_if(first, last, [&](const auto& each) { return each.second.get() == &sleeper; });
  if (found != last) sleepers_.erase(found);
}

void SimClock::advance(async::milliseconds by) {
  std::lock_guard lock(mutex_);
  now_ += by;
  unix_us_ += std::chrono::microseconds(by).count();
  const auto end = sleepers_.upper_bound(now_);
  for (auto each = sleepers_.begin(); each != end; ++each) wake(std::move(each->second));
  sleepers_.erase(sleepers_.begin(), end);
}

}  // namespace pegmove::testing
