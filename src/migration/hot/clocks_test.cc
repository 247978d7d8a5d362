#include "migration/hot/clocks.h"

#include <gtest/gtest.h>

namespace pegmove::migration::hot {
namespace {

TEST(Clocks, EachOfTheTargetsMustHavePassedEachOfTheSources) {
  const std::vector<SideTime> source{{"s1", 1'000'000, 1'000'001}, {"s2", 4'000'000, 5'000'000}};
  EXPECT_FALSE(find_later_clock(source, {{"t1", 5'000'001, 5'000'002}}));
  // It has passed what s2 certainly showed, and not what it may have shown.
  EXPECT_TRUE(find_later_clock(source, {{"t1", 5'000'000, 6'000'000}}));
  const auto later =
      find_later_clock(source, {{"t1", 9'000'000, 9'000'001}, {"t2", 2'000'000, 9'000'000}});
  ASSERT_TRUE(later);
  EXPECT_EQ(later->source.node, "s2");
  EXPECT_EQ(later->target.node, "t2");
  EXPECT_EQ(later->behind(), async::milliseconds(3'001));
}

}  // namespace
}  // namespace pegmove::migration::hot
