#include "server/replica/write_cost.h"

#include <algorithm>
#include <boost/asio/post.hpp>

namespace pegmove::server::replica {

WriteCosts::~WriteCosts() {
  auto end = [](async::TaskGroup& waiting) -> Routine<> {
    waiting.stop();
    co_await waiting.join();  // no result
  };
  thread_.wait_for(end(waiting_));
}

void WriteCosts::serve(size_t mutations, size_t requests, std::move_only_function<void()> then) {
  const auto cost = int64_t(mutations) * cost_.mutation + int64_t(requests) * cost_.request;
  asio::post(thread_.executor(), [this, cost, then = std::move(then)]() mutable {
    free_at_ = std::max(free_at_, clock_.now()) + cost;
    waiting_.spawn(wait(clock_, free_at_, std::move(then)));
  });
}

Routine<> WriteCosts::wait(Clock& clock, async::Instant until,
                           std::move_only_function<void()> then) {
  co_await clock.sleep_until(until);  // no result
  then();
}

}  // namespace pegmove::server::replica
