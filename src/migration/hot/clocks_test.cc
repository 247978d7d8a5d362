#include "migration/hot/clocks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "migration/hot/sim_pair_test.h"

namespace pegmove::migration::hot {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

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

// The source's clocks are 20 s ahead.
class AwaitClocks : public ::testing::Test {
 protected:
  Routine<> await_them(int64_t within) {
    const auto passed = co_await await_clocks(source, target, clock, {},
                                              Deadline::in(clock, async::milliseconds(within)));
    ended_at = world.now();
    if (!passed) why_not = passed.error().to_string();
  }
  void run(int64_t within) {
    world.start(await_them(within));
    world.run_until([this] { return world.under_way() == 0; }, 120'000);
    ASSERT_EQ(world.under_way(), 0);
  }

  SimWorld world{1};
  SimCluster a{world, {.name = "A", .env_round_ms = 0, .clock_ahead_ms = 20'000}};
  SimCluster b{world, {.name = "B", .env_round_ms = 0}};
  SimProcess process{world};
  SimSide source{world, a, process, {}}, target{world, b, process, {}};
  SimProcessClock clock{world, process};
  int64_t ended_at = 0;
  std::string why_not;
};

TEST_F(AwaitClocks, WaitsUntilTheyHavePassed) {
  run(60'000);
  EXPECT_EQ(why_not, "");
  EXPECT_GE(ended_at, 20'000);
  EXPECT_LE(ended_at, 20'500);
}

TEST_F(AwaitClocks, GivesUpAtOnceWhatCannotBeInTime) {
  run(15'000);
  EXPECT_LT(ended_at, 1'000);
  EXPECT_THAT(why_not,
              AllOf(HasSubstr("server s0 of B is "), HasSubstr("behind that of server s0 of A")));
}

TEST_F(AwaitClocks, AskAgainWhereNoServerAnswers) {
  for (int server = 0; server < 4; ++server) b.kill(server, 40'000, 5'000);
  run(60'000);
  EXPECT_EQ(why_not, "");
  EXPECT_GE(ended_at, 20'000);
}

}  // namespace
}  // namespace pegmove::migration::hot
