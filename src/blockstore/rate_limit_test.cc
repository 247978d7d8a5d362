#include "blockstore/rate_limit.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "async/task_group.h"
#include "testing/sim_clock.h"

namespace pegmove::blockstore {
namespace {

using async::milliseconds;

class RateLimitTest : public ::testing::Test {
 protected:
  // Takes pieces of 100 bytes until it is stopped.
  Routine<> take_pieces() {
    while (!group_.stopped() && taken_ < 1'000'000) {
      co_await limit_.acquire(100);  // no result
      if (!group_.stopped()) taken_ += 100;
    }
  }
  void pass(int ms) {
    for (int i = 0; i < ms / 10; ++i) {
      context_.restart();
      context_.poll();
      clock_.advance(milliseconds(10));
    }
    context_.restart();
    context_.poll();
  }
  void TearDown() override {
    group_.stop();
    context_.restart();
    context_.run();
  }

  asio::io_context context_;
  pegmove::testing::SimClock clock_;
  RateLimit limit_{clock_};
  async::TaskGroup group_{context_.get_executor()};
  int64_t taken_ = 0;
};

TEST_F(RateLimitTest, KeepsToTheRate) {
  limit_.set(10'000);
  group_.spawn(take_pieces());
  pass(1000);
  EXPECT_GE(taken_, 9'500);
  EXPECT_LE(taken_, 11'500);
  pass(2000);
  EXPECT_GE(taken_, 29'000);
  EXPECT_LE(taken_, 31'500);
}

TEST_F(RateLimitTest, AChangeIsFeltWhileSomebodyWaits) {
  limit_.set(1);  // a piece in 100 s
  group_.spawn(take_pieces());
  pass(1000);
  EXPECT_LE(taken_, 200);
  limit_.set(10'000);
  pass(1100);
  EXPECT_GE(taken_, 8'000);
  limit_.set(0);
  pass(100);
  EXPECT_EQ(taken_, 1'000'000);
}

TEST_F(RateLimitTest, AStopEndsTheWait) {
  limit_.set(1);
  group_.spawn(take_pieces());
  pass(100);
  group_.stop();
  context_.restart();
  context_.run();
  EXPECT_EQ(group_.running(), 0u);
}

}  // namespace
}  // namespace pegmove::blockstore
