#include "inspect/server_checks.h"

#include <gtest/gtest.h>

namespace pegmove::inspect {
namespace {

constexpr int64_t kSecond = 1'000'000;

TEST(ClockOffset, IsFarOffOnlyWhenThatIsCertain) {
  EXPECT_FALSE(is_far_off({-70 * kSecond, -50 * kSecond}));
  EXPECT_FALSE(is_far_off({50 * kSecond, 70 * kSecond}));
  EXPECT_TRUE(is_far_off({61 * kSecond, 70 * kSecond}));
  EXPECT_TRUE(is_far_off({-70 * kSecond, -61 * kSecond}));
}

}  // namespace
}  // namespace pegmove::inspect
