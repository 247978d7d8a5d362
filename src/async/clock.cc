#include "async/clock.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace pegmove::async {

Instant SystemClock::now() const { return std::chrono::steady_clock::now(); }

int64_t SystemClock::unix_us() const {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Routine<> SystemClock::sleep_until(Instant at) {
  asio::steady_timer timer(co_await asio::this_coro::executor, at);
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));  // no result
}

milliseconds back_off(int attempt, milliseconds first, milliseconds most) {
  return std::min(most, first * (int64_t{1} << std::clamp(attempt, 0, 20)));
}

}  // namespace pegmove::async
