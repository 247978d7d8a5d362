// Simulated time for the simulation of a pair of clusters: a queue of events for what the clusters
// and their clients do, and a SimClock for the coroutines of pegmove, in one order.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <functional>
#include <limits>
#include <queue>
#include <random>

#include "testing/sim_clock.h"

namespace pegmove::migration::hot {

// One seed's world. All times are milliseconds since its begin.
class SimWorld {
 public:
  using Event = std::function<void()>;
  explicit SimWorld(uint64_t seed) : random_(seed), work_(context_.get_executor()) {}
  ~SimWorld() { work_.reset(); }

  Clock& clock() { return clock_; }
  int64_t now() const {
    return std::chrono::duration_cast<async::milliseconds>(clock_.now() - async::Instant{}).count();
  }
  static async::Instant instant(int64_t at) { return async::Instant{} + async::milliseconds(at); }

  int64_t between(int64_t least, int64_t most) {
    return least + int64_t(random_() % uint64_t(most - least + 1));
  }
  bool chance(double share) { return double(random_() >> 11) * 0x1p-53 < share; }

  void after(int64_t ms, Event event) {
    events_.push({.at = now() + ms, .number = next_number_++, .event = std::move(event)});
  }
  // Runs it beside everything else; `done` after it. The routine must end before the world does.
  void start(Routine<> routine) {
    ++under_way_;
    asio::co_spawn(context_, std::move(routine), [this](std::exception_ptr broken) {
      --under_way_;
      if (broken) std::rethrow_exception(broken);
    });
  }
  int under_way() const { return under_way_; }

  // Lets time pass until the condition holds, which is asked after each event, or `most` ms have
  // passed: false.
  template <typename Condition>
  bool run_until(Condition condition, int64_t most) {
    const auto end = now() + most;
    while (true) {
      context_.poll();
      if (condition()) return true;
      const auto next = next_time();
      if (next > end) {
        clock_.advance(async::milliseconds(end - now()));
        return false;
      }
      clock_.advance(async::milliseconds(next - now()));
      run_events();
    }
  }
  void run_for(int64_t ms) {
    run_until([] { return false; }, ms);
  }

 private:
  struct Queued {
    int64_t at = 0;
    uint64_t number = 0;
    Event event{};
    bool operator<(const Queued& other) const {
      return std::pair(other.at, other.number) < std::pair(at, number);
    }
  };
  int64_t next_time() const {
    auto next = events_.empty() ? std::numeric_limits<int64_t>::max() : events_.top().at;
    if (const auto wake = clock_.next_wake())
      next =
          std::min(next, std::chrono::ceil<async::milliseconds>(*wake - async::Instant{}).count());
    return std::max(next, now());
  }
  void run_events() {
    while (!events_.empty() && events_.top().at <= now()) {
      auto event = std::move(const_cast<Queued&>(events_.top()).event);
      events_.pop();
      event();
    }
  }

  std::mt19937_64 random_;
  asio::io_context context_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  pegmove::testing::SimClock clock_;
  std::priority_queue<Queued> events_;
  uint64_t next_number_ = 0;
  int under_way_ = 0;
};

}  // namespace pegmove::migration::hot
