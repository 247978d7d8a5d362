#include "service/throttle.h"

#include <gtest/gtest.h>

namespace pegmove::service {
namespace {

using std::chrono::milliseconds;
using namespace std::chrono_literals;

base::Throttle must_parse(std::string_view text) { return base::parse_throttle(text).value(); }

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

}  // namespace
}  // namespace pegmove::service
