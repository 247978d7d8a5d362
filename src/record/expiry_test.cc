#include "record/expiry.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <random>
#include <string>

namespace pegmove::record {
namespace {

constexpr uint32_t kMaxTs = std::numeric_limits<uint32_t>::max();

TEST(ExpireTsFromUnix, CountsFromThePegasusEpoch) {
  EXPECT_EQ(expire_ts_from_unix(1451606401).value(), 1U);
  EXPECT_EQ(expire_ts_from_unix(1451606400 + 86400).value(), 86400U);
  EXPECT_EQ(expire_ts_from_unix(int64_t{1451606400} + kMaxTs).value(), kMaxTs);
}

TEST(ExpireTsFromUnix, RefusesWhatWouldReadAsNeverOrWrapAround) {
  for (const int64_t moment :
       {std::numeric_limits<int64_t>::min(), int64_t{-1}, int64_t{0}, int64_t{1451606399},
        int64_t{1451606400}, int64_t{1451606400} + kMaxTs + 1,
        std::numeric_limits<int64_t>::max()}) {
    const auto result = expire_ts_from_unix(moment);
    ASSERT_FALSE(result.has_value()) << moment;
    EXPECT_EQ(result.error().code(), Code::kInvalidArgument);
    EXPECT_NE(result.error().message().find(std::to_string(moment)), std::string::npos);
  }
}

TEST(UnixFromExpireTs, UndoesExpireTsFromUnix) {
  EXPECT_EQ(unix_from_expire_ts(1), 1451606401);
  EXPECT_EQ(unix_from_expire_ts(kMaxTs), int64_t{1451606400} + kMaxTs);
  std::mt19937 random(10);
  for (int i = 0; i < 1000; ++i) {
    const auto expire_ts = static_cast<uint32_t>(random()) | 1;
    ASSERT_EQ(expire_ts_from_unix(unix_from_expire_ts(expire_ts)).value(), expire_ts);
  }
}

TEST(IsExpired, HoldsFromTheSecondOfTheExpiryOn) {
  EXPECT_FALSE(is_expired(100, 99));
  EXPECT_TRUE(is_expired(100, 100));
  EXPECT_TRUE(is_expired(100, 101));
  EXPECT_TRUE(is_expired(1, kMaxTs));
}

TEST(IsExpired, NeverHoldsWithoutAnExpiry) {
  EXPECT_FALSE(is_expired(0, 0));
  EXPECT_FALSE(is_expired(0, kMaxTs));
}

TEST(IsExpired, DoesNotHoldForANegativeNumberOfAClient) {
  EXPECT_FALSE(is_expired(static_cast<uint32_t>(-1), 300000000));
}

TEST(PegasusSeconds, ConvertsAClockReading) {
  EXPECT_EQ(pegasus_seconds(1451606400), 0U);
  EXPECT_EQ(pegasus_seconds(1451606400 + 300000000), 300000000U);
}

TEST(PegasusSeconds, StopsAtTheEndsOfPegasusTime) {
  EXPECT_EQ(pegasus_seconds(0), 0U);
  EXPECT_EQ(pegasus_seconds(std::numeric_limits<int64_t>::min()), 0U);
  EXPECT_EQ(pegasus_seconds(int64_t{1451606400} + kMaxTs), kMaxTs);
  EXPECT_EQ(pegasus_seconds(std::numeric_limits<int64_t>::max()), kMaxTs);
}

}  // namespace
}  // namespace pegmove::record
