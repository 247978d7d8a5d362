#include "blockstore/rate_limit.h"

#include <algorithm>
#include <boost/asio/this_coro.hpp>

namespace pegmove::blockstore {
namespace {

constexpr async::milliseconds kLongestNap{50};  // so soon a change of the rate is felt
constexpr double kBurstSeconds = 0.1;

}  // namespace

Routine<> RateLimit::acquire(int64_t bytes, std::function<bool()> should_stop) {
  while (true) {
    const auto rate = double(rate_.load());
    if (rate <= 0) co_return;
    const auto now = clock_.now();
    const std::chrono::duration<double> passed = now - filled_;
    filled_ = now;
    left_ = std::min(left_ + passed.count() * rate, kBurstSeconds * rate);
    if (left_ >= 0) break;
    if (should_stop && should_stop()) co_return;
    const auto wanted = async::milliseconds(int64_t(-left_ / rate * 1000) + 1);
    co_await clock_.sleep_for(std::min(wanted, kLongestNap));  // no result
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) co_return;
  }
  left_ -= double(bytes);
}

}  // namespace pegmove::blockstore
