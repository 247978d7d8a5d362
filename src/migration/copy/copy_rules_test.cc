#include "migration/copy/copy_rules.h"

#include <gtest/gtest.h>

#include "migration/copy/copies_test.h"
#include "migration/copy/copy.h"
#include "testing/random_table.h"
#include "testing/two_clusters.h"

namespace pegmove::migration {
namespace {

using rows::Match;
using rows::WriteMode;
using testing::Model;

std::string error_of(const CopyRules& rules, bool through_duplicate = false) {
  auto checked = check_copy_rules(rules, through_duplicate);
  return checked ? "no error" : checked.error().message();
}

TEST(CopyRules, ThoseThatContradictEachOtherAreRefused) {
  EXPECT_EQ(error_of({}), "no error");
  EXPECT_EQ(error_of({.partitions = {0, 7}, .with_values = false, .with_expiry = false}, true),
            "no error");
  EXPECT_NE(error_of({.partitions = {-1}}), "no error");
  EXPECT_NE(error_of({.partitions = {1, 1}}), "no error");
  EXPECT_NE(error_of({.filters = {.hash_key = {Match::kExact, "a"}}}), "no error");
  EXPECT_NE(error_of({.filters = {.value = {Match::kExact, "a"}}, .with_values = false}),
            "no error");
  EXPECT_NE(error_of({.with_values = false, .mode = WriteMode::kGeo}), "no error");
  EXPECT_NE(error_of({.mode = WriteMode::kGeo, .geo_layout = {.min_level = 30}}), "no error");
  EXPECT_NE(error_of({.mode = WriteMode::kMultiSet}, true), "no error");
}

TEST(CopyRules, OnlyACopyOfAllRowsAsTheyAreCopiesEverything) {
  EXPECT_TRUE(copies_everything({}));
  EXPECT_TRUE(copies_everything({.mode = WriteMode::kMultiSet}));
  EXPECT_FALSE(copies_everything({.partitions = {0}}));
  EXPECT_FALSE(copies_everything({.filters = {.value = {Match::kPrefix, "a"}}}));
  EXPECT_FALSE(copies_everything({.with_values = false}));
  EXPECT_FALSE(copies_everything({.with_expiry = false}));
  EXPECT_FALSE(copies_everything({.mode = WriteMode::kNoOverwrite}));
}

class CopyByRulesTest : public ::testing::Test {
 protected:
  std::shared_ptr<client::Table> table(const std::shared_ptr<client::Cluster>& cluster,
                                       const std::string& name, const Model& model = {}) {
    auto table = clusters.create_table(cluster, name, 2);
    clusters.must(write_model(table, model, clusters.deadline()));
    return table;
  }
  Result<CopyReport> copy(CopyOptions options) {
    return clusters.run(
        prepare_and_copy(clusters.source, clusters.target, std::move(options), clusters.stop, {}));
  }
  std::string differences(const std::shared_ptr<client::Table>& table, const Model& model) {
    return clusters.must(differs_from(table, model, 0, clusters.deadline()));
  }

  testing::TwoClusters clusters;
  const std::string point = "||||116.3222|40.0039";
};

TEST_F(CopyByRulesTest, TheRulesReachTheRows) {
  table(clusters.source, "t", {{{"a1", "s"}, {"v", 0}}, {{"a2", "s"}, {"v", 0}}, {{"b", ""}, {}}});
  auto target = table(clusters.target, "t", {{{"a1", "s"}, {"there", 0}}});
  auto report = copy(
      {.table = "t",
       .into_nonempty = true,
       .rules = {.filters = {.hash_key = {Match::kPrefix, "a"}}, .mode = WriteMode::kNoOverwrite}});
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(report->rows, 1);
  EXPECT_EQ(report->rows_kept, 1);
  EXPECT_EQ(differences(target, {{{"a1", "s"}, {"there", 0}}, {{"a2", "s"}, {"v", 0}}}), "");
}

TEST_F(CopyByRulesTest, GeoRowsGoToTheTableBesideTheTarget) {
  table(clusters.source, "t", {{{"a", "s"}, {point, 0}}, {{"b", ""}, {"no point", 0}}});
  auto target = table(clusters.target, "u");
  CopyOptions options{.table = "t", .to_table = "u", .rules = {.mode = WriteMode::kGeo}};
  auto report = copy(options);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), Code::kNotFound);
  EXPECT_TRUE(report.error().message().contains("u_geo")) << report.error().message();
  EXPECT_EQ(differences(target, {}), "") << "nothing was written";

  auto geo = table(clusters.target, "u_geo");
  report = copy(options);
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(report->rows, 2);
  EXPECT_EQ(report->rows_not_geo, 1);
  using namespace std::string_literals;
  EXPECT_EQ(differences(geo, {{{"1/223320022311", "000122033012212321:\0\1as"s}, {point, 0}}}), "");
}

TEST_F(CopyByRulesTest, TheSourceCannotBeTheGeoTable) {
  table(clusters.source, "t_geo", {{{"a", "s"}, {point, 0}}});
  table(clusters.source, "t");
  async::StopSignal stop;
  auto report = clusters.run(prepare_and_copy(
      clusters.source, clusters.source,
      {.table = "t_geo", .to_table = "t", .rules = {.mode = WriteMode::kGeo}}, stop, {}));
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace pegmove::migration
