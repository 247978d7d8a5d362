// Comparisons with a sample, a tolerance, live writers, and those that go on where they were.
#include "async/all.h"
#include "migration/compare_journal.h"
#include "migration/two_tables_test.h"

namespace pegmove::migration {
namespace {

using async::milliseconds;
using testing::Model;
using testing::ModelKey;
using testing::random_model;

SettleOptions quick() {
  return {.lag = milliseconds(40), .reads = 3, .settle_for = milliseconds(20'000)};
}

class VerifyTest : public TwoTablesTest {};

TEST_F(VerifyTest, ExpiriesWithinTheToleranceAreTheSame) {
  make_tables({}, 2, 3);
  set(source, {"h", "near"}, "v", now() + 1000);
  set(target, {"h", "near"}, "v", now() + 1002);
  set(source, {"h", "far"}, "v", now() + 1003);
  set(target, {"h", "far"}, "v", now() + 1000);
  set(source, {"h", "none"}, "v", 0);
  set(target, {"h", "none"}, "v", 1);
  set(target, {"h", "none"}, "v", now() + 1000);
  EXPECT_EQ(compare().expiry_differs, 3);
  EXPECT_EQ(found_in(compare({.expiry_tolerance_s = 2}).differences),
            (Found{{DifferenceKind::kExpiry, "h", "far"}, {DifferenceKind::kExpiry, "h", "none"}}));
}

// Live: what arrives late is no difference, what stays is one.
TEST_F(VerifyTest, LiveProvesWhatStaysDifferent) {
  auto model = random_model(3, {.rows = 100, .largest_value = 100, .expires_after = now() + 1000});
  model[{"h", "expiry"}] = {"v", now() + 500};
  make_tables(model, 4, 6);
  set(source, {"h", "missing"}, "v");
  set(target, {"h", "extra"}, "v");
  set(target, {"h", "expiry"}, "v", now() + 501);
  auto report = compare({.live = quick()});
  EXPECT_EQ(found_in(report.differences), (Found{{DifferenceKind::kMissing, "h", "missing"},
                                                 {DifferenceKind::kExtra, "h", "extra"},
                                                 {DifferenceKind::kExpiry, "h", "expiry"}}));
  EXPECT_EQ(report.suspects, 3);
  EXPECT_EQ(report.not_settled, 0);
}

TEST_F(VerifyTest, AWriteThatArrivesLateIsNoDifference) {
  make_tables({}, 2, 2);
  set(source, {"h", "late"}, "v");
  set(source, {"h", "never"}, "v");
  const auto late = record::encode_key("h", "late"), never = record::encode_key("h", "never");
  auto options = quick();
  options.lag = milliseconds(400);
  Settled settled;
  // outlives: clusters.run() runs it to its end
  auto look = [&]() -> Task<> {
    settled =
        CO_TRY(co_await settle(*source, *target, {{late}, {never}}, {}, options, clusters.stop));
    co_return Result<void>();
  };
  // outlives: clusters.run() runs it to its end
  auto arrive = [&]() -> Task<> {
    for (int reads = 0; reads < 100; ++reads)  // long after the first look, long before the lag
      CO_TRY(co_await target->get("h", "other", clusters.deadline()));
    CO_TRY(co_await target->set("h", "late", "v", 0, clusters.deadline()));
    co_return Result<void>();
  };
  std::vector<Task<>> both;
  both.push_back(look());
  both.push_back(arrive());
  clusters.must(async::all(std::move(both)));
  EXPECT_EQ(settled.agreed, 1);
  ASSERT_EQ(settled.different.size(), 1u);
  EXPECT_EQ(settled.different[0].raw_key, never);
}

TEST_F(VerifyTest, ARowThatKeepsChangingIsNotSettledAndNotEqual) {
  make_tables({}, 2, 2);
  set(source, {"h", "s"}, "mine");
  set(target, {"h", "s"}, "0");
  auto options = quick();
  options.settle_for = milliseconds(300);
  bool over = false;
  CompareReport report;
  // outlives: clusters.run() runs it to its end
  auto look = [&]() -> Task<> {
    auto compared = co_await migration::compare(tables(), {.live = options}, clusters.stop, {});
    over = true;
    report = CO_TRY(std::move(compared));
    co_return Result<void>();
  };
  // outlives: clusters.run() runs it to its end
  auto write = [&]() -> Task<> {
    int i = 0;
    while (!over)
      CO_TRY(co_await target->set("h", "s", std::to_string(++i), 0, clusters.deadline()));
    co_return Result<void>();
  };
  std::vector<Task<>> both;
  both.push_back(look());
  both.push_back(write());
  clusters.must(async::all(std::move(both)));
  EXPECT_EQ(report.not_settled, 1);
  EXPECT_EQ(report.differing(), 0);
  EXPECT_FALSE(report.equal());
}

TEST_F(VerifyTest, AStopEndsTheSettling) {
  make_tables({}, 1, 1);
  set(source, {"h", "s"}, "v");
  clusters.stop.request();
  auto settled = clusters.run(
      settle(*source, *target, {{record::encode_key("h", "s")}}, {}, quick(), clusters.stop));
  ASSERT_FALSE(settled);
  EXPECT_EQ(settled.error().code(), Code::kInterrupted);
}

// Every class is told with a position from which a second comparison comes to the same result.
TEST_F(VerifyTest, GoesOnBehindThePositionsThatItTold) {
  Model model;
  for (int i = 0; i < 3000; ++i)
    model[{"h" + std::to_string(i), std::string("\xff\0", 2)}] = {"v", 0};
  make_tables(model, 2, 4);
  int i = 0;
  for (const auto& [key, row] : model)
    if (++i % 10 == 0) set(target, key, row.value + "x", row.expire_ts);
  const auto whole = compare();
  ASSERT_EQ(whole.value_differs, 300);

  std::vector<journal::LanePosition> positions;
  CompareEvents events{.on_class = [&](int number, const ClassState& state) {
    std::erase_if(positions, [&](const auto& other) { return other.lane == number; });
    positions.push_back(to_position(number, state, tables()));
    if (state.counts.source_rows > 700) clusters.stop.request();
  }};
  auto stopped = try_compare({.note_every = milliseconds(0)}, events);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code(), Code::kInterrupted);
  auto restored = restore_classes(positions, tables());
  ASSERT_EQ(restored.states.size(), 2u) << restored.why_anew;
  int64_t rows_before = 0;
  for (const auto& state : restored.states) rows_before += state.counts.source_rows;
  EXPECT_GT(rows_before, 500);
  EXPECT_LT(rows_before, 3000);

  async::StopSignal no_stop;
  auto report = clusters.must(
      migration::compare(tables(), {.most_listed = 1000, .start = restored.states}, no_stop, {}));
  EXPECT_EQ(static_cast<const CompareCounts&>(report), static_cast<const CompareCounts&>(whole));
  EXPECT_EQ(found_in(report.differences), found_in(whole.differences));
}

TEST_F(VerifyTest, PositionsOfOtherTablesBeginAnew) {
  make_tables({{{"h", "s"}, {"v", 0}}}, 2, 4);
  auto position = to_position(1, {.last_key = "k", .done = true}, tables());
  EXPECT_TRUE(restore_classes({position}, tables()).states.at(1).done);
  EXPECT_TRUE(restore_classes({}, tables()).states.empty());
  EXPECT_EQ(restore_classes({}, tables()).why_anew, "");
  auto other = clusters.create_table(clusters.target, "u", 8);
  auto restored = restore_classes({position}, {.source = source, .target = other});
  EXPECT_TRUE(restored.states.empty());
  EXPECT_NE(restored.why_anew.find("partition count"), std::string::npos);
  for (const char* detail : {"", "{}", "[1]", "{\"tables\":[1,2,3,4]}"}) {
    position.detail = detail;
    EXPECT_NE(restore_classes({position}, tables()).why_anew, "") << detail;
  }
}

TEST_F(VerifyTest, OptionsComeBackFromTheJournal) {
  CompareOptions options{.most_listed = 7, .expiry_tolerance_s = 3};
  options.sample = {.share = 1.0 / 64, .seed = UINT64_MAX};
  options.live = quick();
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

// Keys as people make them: numbers with leading zeros, words, random bytes, one hash key.
std::string spread_key(int kind, int i) {
  char text[64];
  std::mt19937 random(static_cast<uint32_t>(i));
  switch (kind) {
    case 0: std::snprintf(text, sizeof text, "user_%08d", i * 7); return text;
    case 1: std::snprintf(text, sizeof text, "%d", i); return text;
    case 2: return testing::random_bytes(random, 16, 16);
    default:
      std::snprintf(text, sizeof text, "%08x-%04x", unsigned(random()), i & 0xffff);
      return text;
  }
}

class SampleTest : public TwoTablesTest, public ::testing::WithParamInterface<int> {};

TEST_P(SampleTest, ReadsAboutTheShareThatWasAskedForOnBothSides) {
  constexpr int kRows = 24'000;
  Model model;
  for (int i = 0; i < kRows; ++i) {
    auto key = spread_key(GetParam(), i);
    model[GetParam() == 1 ? ModelKey{"one", key} : ModelKey{key, ""}] = {"v", 0};
  }
  make_tables(model, 2, 4);
  CompareOptions options{};
  options.sample = {.share = 1.0 / 16, .seed = 11};
  const auto report = compare(options);
  EXPECT_TRUE(report.equal());
  EXPECT_EQ(report.source_rows, report.target_rows);
  EXPECT_EQ(report.source_sum, report.target_sum);
  EXPECT_GT(report.source_rows, kRows / 64);
  EXPECT_LT(report.source_rows, kRows / 16 * 3);
  EXPECT_GT(report.slices, 10);
  EXPECT_GT(report.source_rows + report.rows_skipped, kRows / 4);
  EXPECT_LT(report.source_rows + report.rows_skipped, kRows * 4);
  EXPECT_EQ(compare(options).source_sum, report.source_sum);  // the same rows again
  options.sample->seed = 12;
  EXPECT_NE(compare(options).source_sum, report.source_sum);

  for (auto row = model.begin(); row != model.end(); std::advance(row, 1))
    if (std::hash<std::string>()(row->first.hash_key + row->first.sort_key) % 20 == 0)
      set(target, row->first, "w");
  auto damaged = compare(options);
  EXPECT_GT(damaged.value_differs, damaged.source_rows / 60);
}

INSTANTIATE_TEST_SUITE_P(Keys, SampleTest, ::testing::Values(0, 1, 2, 3));

TEST_F(VerifyTest, ASampleOfASmallTableIsExact) {
  make_tables({{{"a", "1"}, {"v", 0}}, {{"b", "2"}, {"w", 0}}}, 3, 2);
  CompareOptions options{};
  options.sample = {.share = 0.01, .seed = 1};
  auto report = compare(options);
  EXPECT_TRUE(report.equal());
  EXPECT_EQ(report.source_rows, 2);
}

TEST(Share, IsReadAsAFractionOrANumber) {
  EXPECT_DOUBLE_EQ(parse_share("1/64").value(), 1.0 / 64);
  EXPECT_DOUBLE_EQ(parse_share("0.05").value(), 0.05);
  EXPECT_DOUBLE_EQ(parse_share("1").value(), 1);
  for (const char* wrong : {"", "/", "1/", "/2", "0", "0/3", "2", "3/2", "-1/2", "1/-2", "nan",
                            "inf", "1/inf", "1/0", "x", "1/2/3", "1e-300"})
    EXPECT_FALSE(parse_share(wrong)) << wrong;
}

}  // namespace
}  // namespace pegmove::migration
