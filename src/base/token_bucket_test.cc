#include "base/token_bucket.h"

#include <gtest/gtest.h>

namespace pegmove::base {
namespace {

using namespace std::chrono_literals;
using Instant = TokenBucket::Instant;

constexpr Instant kBegin{1h};

TEST(TokenBucket, BeginsFullAndFillsAtItsRateUpToItsBurst) {
  TokenBucket bucket(1s, 1000);
  EXPECT_TRUE(bucket.is_open(kBegin));
  bucket.take(3000);  // work is paid for afterwards
  EXPECT_EQ(bucket.until_open(kBegin), 2001ms);
  EXPECT_FALSE(bucket.is_open(kBegin + 2s));
  EXPECT_TRUE(bucket.is_open(kBegin + 2001ms));
  EXPECT_TRUE(bucket.is_open(kBegin + 1h));
  bucket.take(1001);  // no more than a second's worth was saved
  EXPECT_FALSE(bucket.is_open(kBegin + 1h));
}

TEST(TokenBucket, KeepsToItsRateInTheLongRun) {
  TokenBucket bucket(100ms, 10'000);
  double taken = 0;
  auto now = kBegin;
  while (now < kBegin + 10s) {
    for (; bucket.is_open(now); taken += 100) bucket.take(100);
    now += bucket.until_open(now);
  }
  EXPECT_NEAR(taken, 100'000, 1'100);  // and the burst
}

TEST(TokenBucket, WithoutALimitItIsOpenAndNothingCounts) {
  TokenBucket bucket(1s);
  bucket.take(1'000'000);
  EXPECT_TRUE(bucket.is_open(kBegin));
  bucket.set_rate(10);  // begins full
  EXPECT_TRUE(bucket.is_open(kBegin));
  bucket.take(11);
  EXPECT_FALSE(bucket.is_open(kBegin));
  bucket.set_rate(0);
  EXPECT_TRUE(bucket.is_open(kBegin));
}

TEST(TokenBucket, ADebtIsPaidAtTheNewRate) {
  TokenBucket bucket(100ms, 1);
  EXPECT_TRUE(bucket.is_open(kBegin));
  bucket.take(100);
  EXPECT_GT(bucket.until_open(kBegin), 99s);
  bucket.set_rate(1000);
  EXPECT_EQ(bucket.until_open(kBegin), 100ms);
}

TEST(TokenBucket, TimeThatGoesBackGivesNothing) {
  TokenBucket bucket(1s, 1000);
  EXPECT_TRUE(bucket.is_open(kBegin));
  bucket.take(2000);
  EXPECT_EQ(bucket.until_open(kBegin - 1h), 1001ms);
}

TEST(TokenBucket, AnEnormousDebtIsAWaitThatAClockCanTake) {
  TokenBucket bucket(1s, 1);
  EXPECT_TRUE(bucket.is_open(kBegin));
  bucket.take(1e300);
  EXPECT_EQ(bucket.until_open(kBegin), 24h + 1ms);
}

}  // namespace
}  // namespace pegmove::base
