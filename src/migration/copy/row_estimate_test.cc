#include "migration/copy/row_estimate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "migration/copy/copies_test.h"
#include "migration/copy/copy_text.h"
#include "testing/two_clusters.h"

namespace pegmove::migration {
namespace {

using async::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;

struct LaneNow {
  int64_t rows = 0;
  bool done = false;
};

rows::PumpProgress progress_with(const std::vector<LaneNow>& lanes) {
  rows::PumpProgress progress;
  for (const auto& lane : lanes) {
    progress.lanes.push_back({.last_key = lane.rows > 0 ? "k" : "", .rows = lane.rows});
    progress.lanes.back().done = lane.done;
    progress.lanes_done += lane.done;
    progress.rows += lane.rows;
    progress.rows_written_now += lane.rows;
  }
  return progress;
}

journal::Progress shown_after(CopySpeed& speed, const rows::PumpProgress& progress, int64_t seconds,
                              std::optional<int64_t> expected) {
  return speed.progress_of({.progress = progress,
                            .elapsed = milliseconds(seconds * 1'000),
                            .partitions = int32_t(progress.lanes.size()),
                            .expected_rows = expected,
                            .waits_for = "",
                            .why_slow = ""});
}

TEST(RowEstimate, IsTheMeanOfLanesThatAreDoneOrCounted) {
  EXPECT_EQ(expected_rows(progress_with({{5}, {5}}), {}), std::nullopt) << "nothing is known";
  EXPECT_EQ(expected_rows(progress_with({{5}, {5}}), {{0, 100}}), 200);
  EXPECT_EQ(expected_rows(progress_with({{120, true}, {100, true}, {7}, {0}}), {}), 440);
  EXPECT_EQ(expected_rows(progress_with({{120, true}, {100, true}}), {}), 220);
}

// All rows have one hash key, in lane 2.
TEST(RowEstimate, IsNotKnownWhileALaneHasMoreRowsThanTheOthersLetExpect) {
  const auto progress = progress_with({{0, true}, {0, true}, {17'010}, {0, true}});
  EXPECT_EQ(expected_rows(progress, {{0, 0}}), std::nullopt);
  EXPECT_EQ(lane_to_count(progress, {{0, 0}}), 2);
  EXPECT_EQ(expected_rows(progress, {{0, 0}, {2, 60'000}}), 60'000);
  EXPECT_EQ(lane_to_count(progress, {{0, 0}, {2, 60'000}}), std::nullopt);
}

TEST(RowEstimate, ALaneThatCannotBeCountedStaysUnknownAndIsNotCountedAgain) {
  const auto progress = progress_with({{10, true}, {500}});
  EXPECT_EQ(expected_rows(progress, {{1, -1}}), std::nullopt);
  EXPECT_EQ(lane_to_count(progress, {{1, -1}}), std::nullopt);
}

TEST(RowEstimate, RowsThatClientsAddMeanwhileCount) {
  EXPECT_EQ(expected_rows(progress_with({{130}, {100, true}}), {{0, 100}}), 230);
}

TEST(CopySpeed, ShowsNoPercentageAndNoEtaThatItDoesNotKnow) {
  CopySpeed speed;
  const auto open = progress_with({{0, true}, {17'010}});
  auto shown = shown_after(speed, open, 1, std::nullopt);
  EXPECT_THAT(shown.line, Not(HasSubstr("%")));
  EXPECT_THAT(shown.line, Not(HasSubstr("ETA")));
  shown = shown_after(speed, open, 2, 60'000);
  EXPECT_THAT(shown.line, HasSubstr(", 28%, ETA "));
  shown = shown_after(speed, open, 3, 17'010);
  EXPECT_THAT(shown.line, HasSubstr(", 99%,")) << "a partition is not done";
  EXPECT_THAT(shown.line, Not(HasSubstr("ETA")));
}

// 90,000 rows in the first second, then 1,000 a second by the last lane.
TEST(CopySpeed, TheEtaIsThatOfTheLastSeconds) {
  CopySpeed speed;
  journal::Progress shown;
  for (int64_t second = 1; second <= 15; ++second) {
    const auto progress = progress_with({{80'000, true}, {9'000 + second * 1'000}});
    shown = shown_after(speed, progress, second, 109'000);
  }
  EXPECT_EQ(shown.eta_ms, 5'000);
  EXPECT_EQ(shown.done, 104'000);
}

TEST(RowEstimate, ACopyOfOneHashKeyNeverShowsThatItIsDoneBeforeItIs) {
  testing::TwoClusters clusters;
  auto table = clusters.create_table(clusters.source, "t", 4);
  constexpr int64_t kRows = 6'000;
  for (int i = 0; i < kRows; i += 500) {
    std::vector<client::SortValue> rows;
    for (int j = i; j < i + 500; ++j) rows.push_back({std::to_string(j), std::string(1'000, 'v')});
    clusters.must(table->multi_set("h", std::move(rows), 0, clusters.deadline()));
  }
  CopySpeed speed;
  auto copied = clusters.run(
      prepare_and_copy(clusters.source, clusters.target, {.table = "t", .create = true},
                       clusters.stop, [&](const CopyStatus& status) {
                         const auto shown = speed.progress_of(status);
                         if (status.progress.lanes_done == 4) return;
                         EXPECT_THAT(shown.line, Not(HasSubstr("100%")));
                         EXPECT_THAT(shown.line, Not(HasSubstr("ETA 0 ms")));
                         const auto expected = status.expected_rows.value_or(0);
                         EXPECT_TRUE(expected == 0 || expected >= kRows) << shown.line;
                       }));
  ASSERT_TRUE(copied) << copied.error().to_string();
  EXPECT_EQ(copied->rows, kRows);
}

}  // namespace
}  // namespace pegmove::migration
