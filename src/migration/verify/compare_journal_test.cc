#include "migration/verify/compare_journal.h"

#include "compare/two_tables_test.h"

namespace pegmove::migration {
namespace {

using async::milliseconds;
using testing::Model;

class CompareJournalTest : public compare::TwoTablesTest {};

// Every class is reported with a position from which a second comparison gets the same result.
TEST_F(CompareJournalTest, GoesOnBehindThePositionsThatItTold) {
  Model model;
  for (int i = 0; i < 3000; ++i)
    model[{"h" + std::to_string(i), std::string("\xff\0", 2)}] = {"v", 0};
  make_tables(model, 2, 4);
  int i = 0;
  for (const auto& [key, row] : model)
    if (++i % 10 == 0) set(target, key, row.value + "x", row.expire_ts);
  const auto whole = compare();
  ASSERT_EQ(whole.value_differs, 300);

  std::vector<journal::UnitPosition> positions;
  compare::CompareEvents events{
      .on_class = [&](int number, const compare::ResidueClassState& state) {
        std::erase_if(positions, [&](const auto& other) { return other.unit == number; });
        positions.push_back(to_position(number, state, tables()));
        if (state.counts.source_rows > 700) clusters.stop.request();
      }};
  auto stopped = try_compare({.note_every = milliseconds(0)}, events);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code(), Code::kInterrupted);
  auto restored = restore_classes(positions, tables());
  ASSERT_EQ(restored.states.size(), 2u) << restored.why_restarted;
  int64_t rows_before = 0;
  for (const auto& state : restored.states) rows_before += state.counts.source_rows;
  EXPECT_GT(rows_before, 500);
  EXPECT_LT(rows_before, 3000);

  async::StopSignal no_stop;
  auto report = clusters.must(
      compare::compare(tables(), {.most_listed = 1000, .start = restored.states}, no_stop, {}));
  EXPECT_EQ(static_cast<const compare::CompareCounts&>(report),
            static_cast<const compare::CompareCounts&>(whole));
  EXPECT_EQ(found_in(report.differences), found_in(whole.differences));
}

// They are no rows of either table; each is counted once, wherever the first process ended.
TEST_F(CompareJournalTest, ForeignRowsAreLeftOutAndCountedOnce) {
  Model model, foreign;
  for (int i = 0; i < 3000; ++i) model[{"h" + std::to_string(i), "s"}] = {"v", 0};
  for (int i = 0; i < 900; ++i) foreign[{"h" + std::to_string(3 * i), "s"}] = {"stale", 0};
  foreign[{"only", "here"}] = {"v", 0};
  make_tables(model, 4, 2);
  clusters.must(testing::write_foreign(source, foreign, clusters.deadline()));
  clusters.must(testing::write_foreign(target, {{{"h7", "s"}, {"stale", 0}}}, clusters.deadline()));

  std::vector<journal::UnitPosition> positions;
  compare::CompareEvents events{
      .on_class = [&](int number, const compare::ResidueClassState& state) {
        std::erase_if(positions, [&](const auto& other) { return other.unit == number; });
        positions.push_back(to_position(number, state, tables()));
        if (state.counts.source_rows > 700) clusters.stop.request();
      }};
  ASSERT_FALSE(try_compare({.note_every = milliseconds(0)}, events));
  const auto restored = restore_classes(positions, tables());
  ASSERT_EQ(restored.states.size(), 2u) << restored.why_restarted;
  int64_t before = 0;
  for (const auto& state : restored.states) before += state.counts.source_foreign.rows;
  EXPECT_GT(before, 0);
  EXPECT_LT(before, 901);

  async::StopSignal no_stop;
  const auto report =
      clusters.must(compare::compare(tables(), {.start = restored.states}, no_stop, {}));
  EXPECT_TRUE(report.equal());
  EXPECT_EQ(report.source_rows, 3000);
  EXPECT_EQ(report.source_sum, report.target_sum);
  EXPECT_EQ(report.source_foreign.rows, 901);
  EXPECT_EQ(report.source_foreign.strays, 1);
  EXPECT_EQ(report.source_foreign.stray_keys, std::vector{record::encode_key("only", "here")});
  EXPECT_EQ(report.target_foreign.rows, 1);
  EXPECT_EQ(report.target_foreign.strays, 0);
}

TEST_F(CompareJournalTest, PositionsOfOtherTablesBeginAnew) {
  make_tables({{{"h", "s"}, {"v", 0}}}, 2, 4);
  auto position = to_position(1, {.last_key = "k", .done = true}, tables());
  EXPECT_TRUE(restore_classes({position}, tables()).states.at(1).done);
  EXPECT_TRUE(restore_classes({}, tables()).states.empty());
  EXPECT_EQ(restore_classes({}, tables()).why_restarted, "");
  auto other = clusters.create_table(clusters.target, "u", 8);
  auto restored = restore_classes({position}, {.source = source, .target = other});
  EXPECT_TRUE(restored.states.empty());
  EXPECT_NE(restored.why_restarted.find("partition count"), std::string::npos);
  for (const char* detail : {"", "{}", "[1]", "{\"tables\":[1,2,3,4]}"}) {
    position.detail = detail;
    EXPECT_NE(restore_classes({position}, tables()).why_restarted, "") << detail;
  }
}

TEST_F(CompareJournalTest, OptionsComeBackFromTheJournal) {
  compare::CompareOptions options{.most_listed = 7, .expiry_tolerance_s = 3};
  options.sample = {.share = 1.0 / 64, .seed = UINT64_MAX};
  options.live =
      compare::RecheckOptions{.lag = milliseconds(40), .settle_for = milliseconds(20'000)};
  auto read = parse_compare_options(to_json_text(options));
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(to_json_text(*read), to_json_text(options));
  for (const char* wrong :
       {"", "[]", "{}", "{\"most_listed\":1}", "{\"most_listed\":-1,\"expiry_tolerance_s\":0}",
        "{\"most_listed\":1,\"expiry_tolerance_s\":0,\"sample\":{\"share\":2,"
        "\"seed\":1}}",
        "{\"most_listed\":1,\"expiry_tolerance_s\":0,\"live\":7}"})
    EXPECT_FALSE(parse_compare_options(wrong)) << wrong;
}

}  // namespace
}  // namespace pegmove::migration
