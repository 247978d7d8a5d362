#include "service/throttle.h"

#include <gtest/gtest.h>

namespace pegmove::service {
namespace {

using std::chrono::milliseconds;
using namespace std::chrono_literals;

Throttle must_parse(std::string_view text) { return parse_throttle(text).value(); }

TEST(ParseThrottle, ReadsBothSteps) {
  auto throttle = must_parse("2K*delay*100, 1M*reject*200");
  EXPECT_EQ(throttle.delay->units, 2048u);
  EXPECT_EQ(throttle.delay->pause, 100ms);
  EXPECT_EQ(throttle.reject->units, 1u << 20);
  EXPECT_EQ(throttle.reject->pause, 200ms);
  EXPECT_FALSE(must_parse("1*delay*0").reject);
}

TEST(ParseThrottle, ReadSizeIsANumberOrARejectPart) {
  EXPECT_EQ(parse_read_size_limit("20K").value(), 20480u);
  EXPECT_EQ(parse_read_size_limit("5*delay*1,7*reject*0").value(), 7u);
  EXPECT_EQ(parse_read_size_limit("5*delay*1").value(), 0u);
  EXPECT_FALSE(parse_read_size_limit("0"));
  EXPECT_FALSE(parse_read_size_limit("0*reject*1"));
}

TEST(ThrottleWindow, DelaysAndRejectsWithinASecond) {
  // A share of 10 / 5 + 1 = 3 and 20 / 5 + 1 = 5.
  ThrottleWindow window(must_parse("10*delay*100,20*reject*300"), 5);
  std::vector<Verdict> verdicts;
  for (int i = 0; i < 7; ++i) verdicts.push_back(window.take(1, 1000, 0ms).verdict);
  using enum Verdict;
  EXPECT_EQ(verdicts, (std::vector{kPass, kPass, kPass, kDelay, kDelay, kReject, kReject}));
  EXPECT_EQ(window.take(1, 1001, 0ms).verdict, kPass);  // the next second
}

TEST(ThrottleWindow, DoesNotCountWhatItRejects) {
  ThrottleWindow window(must_parse("9*reject*0"), 1);
  EXPECT_EQ(window.take(100, 1, 0ms).verdict, Verdict::kReject);
  EXPECT_EQ(window.take(10, 1, 0ms).verdict, Verdict::kPass);
}

TEST(ThrottleWindow, NeverWaitsLongerThanHalfOfTheTimeout) {
  ThrottleWindow window(must_parse("0*reject*5,1*delay*300"), 1);
  EXPECT_EQ(window.take(2, 1, 0ms).verdict, Verdict::kPass);
  EXPECT_EQ(window.take(1, 1, 0ms).pause, 300ms);
  EXPECT_EQ(window.take(1, 1, 100ms).pause, 50ms);
  EXPECT_EQ(window.take(1, 1, 5000ms).pause, 300ms);
}

TEST(ThrottleWindow, WithoutAThrottleEverythingPasses) {
  ThrottleWindow window;
  EXPECT_EQ(window.take(1'000'000, 1, 0ms).verdict, Verdict::kPass);
}

TEST(ByteBucket, ClosesWhenItIsOverdrawnAndFillsAtItsRate) {
  ByteBucket bucket(1000);
  ByteBucket::Instant now;
  EXPECT_TRUE(bucket.is_open(now));
  bucket.take(3000);  // what was read is paid afterwards
  EXPECT_FALSE(bucket.is_open(now));
  EXPECT_FALSE(bucket.is_open(now + 2s));
  EXPECT_TRUE(bucket.is_open(now + 2001ms));
  EXPECT_TRUE(bucket.is_open(now + 1h));
  bucket.take(1001);  // no more than a second's worth was saved
  EXPECT_FALSE(bucket.is_open(now + 1h));
}

TEST(ByteBucket, WithoutARateIsAlwaysOpen) {
  ByteBucket bucket;
  bucket.take(1'000'000);
  EXPECT_TRUE(bucket.is_open({}));
}

}  // namespace
}  // namespace pegmove::service
