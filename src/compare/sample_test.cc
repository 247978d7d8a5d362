#include "compare/sample.h"

#include "compare/two_tables_test.h"

namespace pegmove::compare {
namespace {

using testing::Model;
using testing::ModelKey;

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

class SmallSampleTest : public TwoTablesTest {};

TEST_F(SmallSampleTest, ASampleOfASmallTableIsExact) {
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
}  // namespace pegmove::compare
