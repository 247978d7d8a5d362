#include "blockstore/rate_limit.h"

#include <algorithm>
#include <boost/asio/this_coro.hpp>

namespace pegmove::blockstore {
namespace {

constexpr async::milliseconds kLongestNap{
    50};  // a change of the rate takes effect within this time

}  // namespace

Routine<> RateLimit::acquire(int64_t bytes, std::function<bool()> should_stop) {
  while (true) {
    bucket_.set_rate(double(rate_.load()));
    const auto wait = bucket_.until_open(clock_.now());
    if (wait.count() == 0) break;
    if (should_stop && should_stop()) co_return;
    co_await clock_.sleep_for(std::min(wait, kLongestNap));  // no result
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) co_return;
  }
  bucket_.take(double(bytes));
}

}  // namespace pegmove::blockstore
