#include "rows/throttler.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "async/task_group.h"
#include "testing/sim_clock.h"

namespace pegmove::rows {
namespace {

using async::milliseconds;

// Writers of batches that take no time, on a clock that the test moves.
class ThrottlerTest : public ::testing::Test {
 protected:
  // Tries to bring in a batch; `entered` and `refused` count.
  void try_to_enter(int64_t rows, int64_t bytes) {
    auto one = [](ThrottlerTest& test, int64_t rows, int64_t bytes) -> Routine<> {
      if (co_await test.throttler->enter(rows, bytes))
        ++test.entered;
      else
        ++test.refused;
    };
    writers.spawn(one(*this, rows, bytes));
    go_on();
  }
  void go_on() {
    context.restart();
    context.poll();
  }
  void pass(milliseconds length, milliseconds step = milliseconds(10)) {
    for (milliseconds left = length; left > milliseconds(0); left -= step) {
      clock.advance(step);
      go_on();
    }
  }
  void make(ThrottleOptions options) { throttler.emplace(options, clock, stop); }
  // Batches of `rows` that go through in so long, one after the other.
  int batches_in(milliseconds length, int64_t rows, int64_t bytes) {
    const int before = entered;
    for (auto left = length; left > milliseconds(0); left -= milliseconds(1)) {
      if (waiting_ == entered) {
        ++waiting_;
        try_to_enter(rows, bytes);
      }
      while (left_ < entered) {
        throttler->leave();
        ++left_;
      }
      go_on();
      clock.advance(milliseconds(1));
      go_on();
    }
    return entered - before;
  }

  void TearDown() override {
    stop.request();
    while (writers.running() > 0) {
      pass(milliseconds(100));
      throttler->leave();
    }
  }

  asio::io_context context;
  async::TaskGroup writers{context.get_executor()};
  testing::SimClock clock;
  async::StopSignal stop;
  std::optional<Throttler> throttler;
  int entered = 0, refused = 0;

 private:
  int waiting_ = 0, left_ = 0;
};

TEST_F(ThrottlerTest, WithoutLimitsEverybodyEnters) {
  make({.most_at_once = 4});
  for (int i = 0; i < 4; ++i) try_to_enter(1'000'000, 1 << 30);
  EXPECT_EQ(entered, 4);
  EXPECT_EQ(throttler->why_slow(), "");
}

TEST_F(ThrottlerTest, RowsASecondAreKept) {
  make({.max_rows_per_second = 1000});
  auto batches = batches_in(milliseconds(10'000), 100, 1);
  EXPECT_GE(batches, 98);
  EXPECT_LE(batches, 103) << "a burst is a tenth of a second's worth, and one batch more";
}

TEST_F(ThrottlerTest, BytesASecondAreKept) {
  make({.max_bytes_per_second = 1 << 20});
  auto batches = batches_in(milliseconds(10'000), 1, 64 << 10);
  EXPECT_GE(batches, 158);
  EXPECT_LE(batches, 163);
}

TEST_F(ThrottlerTest, ABatchLargerThanTheLimitPassesAndIsPaidOff) {
  make({.max_rows_per_second = 10});
  EXPECT_EQ(batches_in(milliseconds(1000), 100, 1), 1);
  EXPECT_EQ(batches_in(milliseconds(9500), 100, 1), 1);
}

TEST_F(ThrottlerTest, AChangedLimitActsOnThoseWhoWait) {
  make({.max_rows_per_second = 1});
  try_to_enter(1000, 1);
  throttler->leave();
  try_to_enter(1000, 1);
  EXPECT_EQ(entered, 1);
  throttler->options().max_rows_per_second = 0;
  pass(milliseconds(100));
  EXPECT_EQ(entered, 2);
}

TEST_F(ThrottlerTest, WhoWaitsIsToldToStop) {
  make({.max_rows_per_second = 1});
  try_to_enter(1000, 1);
  try_to_enter(1, 1);
  stop.request();
  pass(milliseconds(100));
  EXPECT_EQ(entered, 1);
  EXPECT_EQ(refused, 1);
}

TEST_F(ThrottlerTest, SlowAnswersMeanFewerBatchesAtOnceThenPauses) {
  make({.latency_bound = milliseconds(100), .most_at_once = 8});
  for (int i = 0; i < 8; ++i) try_to_enter(1, 1);
  EXPECT_EQ(entered, 8);
  clock.advance(milliseconds(1000));
  throttler->note_latency(milliseconds(300), "cluster B");
  EXPECT_EQ(throttler->at_once(), 4);
  throttler->note_latency(milliseconds(300), "cluster B");
  EXPECT_EQ(throttler->at_once(), 4) << "what was changed must show first";
  EXPECT_EQ(
      throttler->why_slow(),
      "throttled to 4/8 parallel batches: cluster B latency 300 ms > `--latency-bound` 100 ms");
  for (int i = 0; i < 8; ++i) throttler->leave();
  for (int i = 0; i < 8; ++i) {
    clock.advance(milliseconds(500));
    throttler->note_latency(milliseconds(300), "cluster B");
  }
  EXPECT_EQ(throttler->at_once(), 1);
  EXPECT_NE(throttler->why_slow().find("one every"), std::string::npos) << throttler->why_slow();
  EXPECT_LE(batches_in(milliseconds(5000), 1, 1), 20);
}

TEST_F(ThrottlerTest, GoodAnswersBringTheSpeedBackStepByStep) {
  make({.latency_bound = milliseconds(100), .most_at_once = 3});
  for (int i = 0; i < 3; ++i) {
    clock.advance(milliseconds(500));
    throttler->note_busy("cluster B reports that it is busy");
  }
  EXPECT_NE(throttler->why_slow(), "");
  int steps = 0;
  for (; throttler->why_slow() != "" && steps < 60; ++steps) {
    clock.advance(milliseconds(1000));
    throttler->note_latency(milliseconds(1), "cluster B");
  }
  EXPECT_GT(steps, 2);
  EXPECT_LT(steps, 60);
  for (int i = 0; i < 3; ++i) try_to_enter(1, 1);
  EXPECT_EQ(entered, 3);
}

TEST_F(ThrottlerTest, MiddlingAnswersChangeNothing) {
  make({.latency_bound = milliseconds(100), .most_at_once = 8});
  clock.advance(milliseconds(1000));
  throttler->note_busy("busy");
  auto before = throttler->why_slow();
  clock.advance(milliseconds(5000));
  throttler->note_latency(milliseconds(70), "cluster B");
  EXPECT_EQ(throttler->why_slow(), before);
}

TEST_F(ThrottlerTest, FullSpeedDoesNotAdapt) {
  make({.adaptive = false, .most_at_once = 8});
  for (int i = 0; i < 5; ++i) {
    clock.advance(milliseconds(1000));
    throttler->note_busy("busy");
    throttler->note_latency(milliseconds(9000), "cluster B");
  }
  EXPECT_EQ(throttler->why_slow(), "");
  for (int i = 0; i < 8; ++i) try_to_enter(1, 1);
  EXPECT_EQ(entered, 8);
}

}  // namespace
}  // namespace pegmove::rows
