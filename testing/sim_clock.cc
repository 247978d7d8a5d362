#include "testing/sim_clock.h"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

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

Routine<> SimClock::sleep_until(async::Instant at) {
  if (at <= now()) co_return;
  co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
      [this, at](auto handler) {
        auto slot = asio::get_associated_cancellation_slot(handler);
        std::lock_guard lock(mutex_);
        auto entry = sleepers_.emplace(at, [handler = std::move(handler)]() mutable {
          auto executor = asio::get_associated_executor(handler);
          asio::get_associated_cancellation_slot(handler).clear();
          asio::post(executor, std::move(handler));
        });
        if (slot.is_connected())
          slot.assign([this, entry](asio::cancellation_type) {
            std::lock_guard cancel_lock(mutex_);
            auto sleeper = std::move(entry->second);
            sleepers_.erase(entry);
            sleeper();  // destroys this lambda: nothing may follow
          });
      },
      asio::use_awaitable);  // no result
}

void SimClock::advance(async::milliseconds by) {
  std::lock_guard lock(mutex_);
  now_ += by;
  unix_us_ += std::chrono::microseconds(by).count();
  while (!sleepers_.empty() && sleepers_.begin()->first <= now_) {
    auto sleeper = std::move(sleepers_.begin()->second);
    sleepers_.erase(sleepers_.begin());
    sleeper();
  }
}

}  // namespace pegmove::testing
