#include "server/replica/manual_compaction.h"

#include <gtest/gtest.h>

#include <ctime>

namespace pegmove::server::replica {
namespace {

constexpr int64_t kNow = 1'700'000'000;

// The minute of the local day at a unix time.
int minute_at(int64_t unix_seconds) {
  std::time_t time = unix_seconds;
  std::tm day{};
  localtime_r(&time, &day);
  return day.tm_hour * 60 + day.tm_min;
}

TEST(CompactionDue, OnceWhenItsTimeHasComeAndNoneEndedSince) {
  CompactionPlan plan{.once_trigger_unix_seconds = kNow, .once = {.target_level = 2}};
  EXPECT_FALSE(compaction_due(plan, 0, kNow - 1));
  ASSERT_TRUE(compaction_due(plan, 0, kNow));
  EXPECT_EQ(compaction_due(plan, 0, kNow)->target_level, 2);
  EXPECT_TRUE(compaction_due(plan, kNow - 1, kNow + 100));
  EXPECT_FALSE(compaction_due(plan, kNow, kNow + 100));
}

TEST(CompactionDue, PeriodicallyAfterEachTimeOfTheDay) {
  CompactionPlan plan{.daily_minutes = {minute_at(kNow)}, .periodic = {.target_level = 3}};
  const int64_t due = kNow / 60 * 60;
  EXPECT_FALSE(compaction_due(plan, 0, due - 1));
  ASSERT_TRUE(compaction_due(plan, 0, due));
  EXPECT_EQ(compaction_due(plan, 0, due)->target_level, 3);
  EXPECT_FALSE(compaction_due(plan, due, due + 30));
  EXPECT_TRUE(compaction_due(plan, due, due + 24 * 3600));
}

TEST(CompactionDue, NeverWhenDisabledOrNoneMayRun) {
  CompactionPlan plan{.once_trigger_unix_seconds = kNow};
  plan.is_disabled = true;
  EXPECT_FALSE(compaction_due(plan, 0, kNow));
  plan.is_disabled = false;
  plan.most_running = 0;
  EXPECT_FALSE(compaction_due(plan, 0, kNow));
}

TEST(CompactionDue, NeverWithoutAPlan) { EXPECT_FALSE(compaction_due({}, 0, kNow)); }

}  // namespace
}  // namespace pegmove::server::replica
