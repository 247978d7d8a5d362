#include "compare/compare.h"

#include <gtest/gtest.h>

#include <set>

#include "record/expiry.h"
#include "testing/random_table.h"
#include "testing/two_clusters.h"

namespace pegmove::compare {
namespace {

using async::milliseconds;
using testing::Model;
using testing::ModelKey;
using testing::random_model;
using testing::TwoClusters;

using Found = std::set<std::tuple<DifferenceKind, std::string, std::string>>;

class CompareTest : public ::testing::Test {
 protected:
  uint32_t now() const { return record::pegasus_seconds(clusters.source_time.unix_seconds()); }

  // The same table on both sides.
  void make_tables(const Model& model, int source_partitions, int target_partitions) {
    source = clusters.create_table(clusters.source, "t", source_partitions);
    target = clusters.create_table(clusters.target, "t", target_partitions);
    clusters.must(write_model(source, model, clusters.deadline()));
    clusters.must(write_model(target, model, clusters.deadline()));
  }
  void set(const std::shared_ptr<client::Table>& table, const ModelKey& key,
           const std::string& value, uint32_t expire_ts = 0) {
    clusters.must(table->set(key.hash_key, key.sort_key, value, expire_ts, clusters.deadline()));
  }
  Result<CompareReport> try_compare(CompareOptions options) {
    auto tables = clusters.run(open_tables(clusters.source, clusters.target, options.table,
                                           options.to_table, clusters.deadline()));
    if (!tables) return fail(tables.error());
    return clusters.run(
        compare::compare(*std::move(tables), std::move(options), clusters.stop, {}));
  }
  CompareReport compare(CompareOptions options = {.table = "t"}) {
    auto report = try_compare(std::move(options));
    if (!report) throw std::runtime_error(report.error().to_string());
    return *std::move(report);
  }
  static Found found(const CompareReport& report) {
    Found all;
    for (const auto& difference : report.differences)
      EXPECT_TRUE(all.emplace(difference.kind, difference.hash_key, difference.sort_key).second);
    return all;
  }

  TwoClusters clusters;
  std::shared_ptr<client::Table> source, target;
};

TEST_F(CompareTest, EmptyTablesAreEqual) {
  make_tables({}, 3, 2);
  auto report = compare();
  EXPECT_TRUE(report.equal());
  EXPECT_EQ(report.source_rows, 0);
  EXPECT_EQ(report.source_sum, RowSum());
}

TEST_F(CompareTest, AnEmptyTableMissesAllRows) {
  auto model = random_model(1, {.rows = 30, .expires_after = now()});
  make_tables({}, 2, 3);
  clusters.must(write_model(source, model, clusters.deadline()));
  auto report = compare();
  EXPECT_FALSE(report.equal());
  EXPECT_EQ(report.missing, 30);
  EXPECT_EQ(report.target_sum, RowSum());
  EXPECT_NE(report.source_sum, RowSum());
}

TEST_F(CompareTest, TablesThatDoNotExistAreNamed) {
  clusters.create_table(clusters.source, "t", 1);
  clusters.create_table(clusters.target, "u", 1);
  for (const auto& [options, name] : std::vector<std::pair<CompareOptions, std::string>>{
           {{.table = "t"}, "'t'"},
           {{.table = "u"}, "'u'"},
           {{.table = "t", .to_table = "v"}, "'v'"}}) {
    auto report = try_compare(options);
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code(), Code::kNotFound);
    EXPECT_NE(report.error().message().find(name), std::string::npos) << report.error().message();
  }
}

TEST_F(CompareTest, AStopEndsIt) {
  make_tables(random_model(1, {.rows = 30, .expires_after = now()}), 2, 3);
  clusters.stop.request();
  auto report = try_compare({.table = "t"});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), Code::kInterrupted);
}

TEST_F(CompareTest, WorksOnOneClassAtLeast) {
  make_tables(random_model(1, {.rows = 30, .expires_after = now()}), 4, 2);
  EXPECT_EQ(compare({.table = "t", .classes_at_once = 0}).source_rows, 30);
}

TEST_F(CompareTest, ListsNoMoreThanAskedAndCountsAll) {
  Model model;
  for (int i = 0; i < 300; ++i) model[{"h" + std::to_string(i), "s"}] = {"v", 0};
  make_tables({}, 4, 4);
  clusters.must(write_model(target, model, clusters.deadline()));
  auto report = compare({.table = "t", .most_listed = 7});
  EXPECT_EQ(report.extra, 300);
  EXPECT_EQ(report.differences.size(), 7u);
  EXPECT_EQ(compare({.table = "t", .most_listed = 0}).differences.size(), 0u);
}

TEST_F(CompareTest, ValuesThatHaveChangedPlacesAreFound) {
  make_tables({{{"a", ""}, {"one", 0}}, {{"b", ""}, {"two", 0}}}, 2, 3);
  set(target, {"a", ""}, "two");
  set(target, {"b", ""}, "one");
  auto report = compare();
  EXPECT_EQ(report.value_differs, 2);
  EXPECT_NE(report.source_sum, report.target_sum);
}

TEST_F(CompareTest, BytesThatHaveMovedBetweenHashKeySortKeyAndValueAreFound) {
  make_tables({}, 1, 1);
  set(source, {"ab", "cd"}, "ef");
  set(target, {"a", "bcd"}, "ef");
  set(source, {"xy", "z"}, "12");
  set(target, {"xy", "z1"}, "2");
  auto report = compare();
  EXPECT_EQ(report.missing, 2);
  EXPECT_EQ(report.extra, 2);
  EXPECT_NE(report.source_sum, report.target_sum);
}

// The clocks of the servers do not move; the test sets each.
TEST_F(CompareTest, ARowThatExpiresBetweenTheTwoReadsIsNoDifference) {
  Model model = random_model(2, {.rows = 100, .largest_value = 100, .expires_after = now() + 1000});
  model[{"short", "1"}] = {"v", now() + 10};
  model[{"short", "2"}] = {"v", now() + 10};
  make_tables(model, 4, 6);
  // The source was read a second before the expiry, the target in the very second.
  clusters.source_time.advance(milliseconds(9'000));
  clusters.target_time.advance(milliseconds(10'000));
  auto report = compare();
  EXPECT_TRUE(report.equal());
  EXPECT_EQ(report.source_rows, 102);
  EXPECT_EQ(report.target_rows, 100);
  EXPECT_NE(report.source_sum, report.target_sum);
  // The other way round.
  clusters.source_time.advance(milliseconds(5'000));
  clusters.target_time.set_unix_seconds(clusters.source_time.unix_seconds() - 5);
  report = compare();
  EXPECT_TRUE(report.equal());
  EXPECT_EQ(report.source_rows, 100);
  EXPECT_EQ(report.target_rows, 102);
  // Gone on both sides.
  clusters.target_time.advance(milliseconds(5'000));
  report = compare();
  EXPECT_TRUE(report.equal());
  EXPECT_EQ(report.target_rows, 100);
  EXPECT_EQ(report.source_sum, report.target_sum);
}

TEST_F(CompareTest, ARowThatIsMissingLongBeforeItsExpiryIsADifference) {
  make_tables({}, 4, 6);
  set(source, {"h", "s"}, "v", now() + 60);
  set(target, {"h", "t"}, "v", now() + 60);
  EXPECT_EQ(found(compare()),
            (Found{{DifferenceKind::kMissing, "h", "s"}, {DifferenceKind::kExtra, "h", "t"}}));
}

// More than a reply may hold: the scans must ask for fewer rows at a time.
TEST_F(CompareTest, RowsOfNearlyAMebibyteAreCompared) {
  Model model;
  for (int i = 0; i < 70; ++i)
    model[{"h" + std::to_string(i), "s"}] = {std::string(1'000'000, char('a' + i % 26)), 0};
  make_tables(model, 1, 2);
  set(target, {"h33", "s"}, std::string(999'999, 'h') + "i");
  auto report = compare({.table = "t", .timeout = milliseconds(10'000)});
  EXPECT_EQ(found(report), (Found{{DifferenceKind::kValue, "h33", "s"}}));
}

struct Shape {
  int source_partitions, target_partitions;
  uint32_t seed;
};
void PrintTo(const Shape& shape, std::ostream* out) {
  *out << shape.source_partitions << " to " << shape.target_partitions;
}

class RandomDamageTest : public CompareTest, public ::testing::WithParamInterface<Shape> {
 protected:
  // Changes a row of the target, and returns how the change must be reported.
  std::optional<DifferenceKind> damage(const ModelKey& key, const testing::ModelRow& row) {
    switch (random_() % 12) {
      case 0:
        clusters.must(target->del(key.hash_key, key.sort_key, clusters.deadline()));
        return DifferenceKind::kMissing;
      case 1:
        clusters.must(source->del(key.hash_key, key.sort_key, clusters.deadline()));
        return DifferenceKind::kExtra;
      case 2: {
        auto value = row.value;
        value.empty() ? value.push_back('\0') : void(value.back() ^= 1);
        set(target, key, value, row.expire_ts);
        return DifferenceKind::kValue;
      }
      case 3:
        set(target, key, row.value, row.expire_ts ? 0 : now() + 10'000);
        return DifferenceKind::kExpiry;
      case 4:
        set(target, key, row.value, row.expire_ts ? row.expire_ts - 1 : UINT32_MAX);
        return DifferenceKind::kExpiry;
      case 5: set(target, key, row.value + "x", now() + 777); return DifferenceKind::kValue;
      case 6: set(target, key, row.value, row.expire_ts); return std::nullopt;  // written again
      default: return std::nullopt;
    }
  }

  std::mt19937 random_{GetParam().seed};
};

TEST_P(RandomDamageTest, IsFoundExactly) {
  auto [source_partitions, target_partitions, seed] = GetParam();
  auto model =
      random_model(seed, {.rows = 300, .largest_value = 50'000, .expires_after = now() + 100});
  make_tables(model, source_partitions, target_partitions);
  auto before = compare();
  EXPECT_TRUE(before.equal());
  EXPECT_EQ(before.source_sum, before.target_sum);
  Found expected;
  for (const auto& [key, row] : model)
    if (auto kind = damage(key, row)) expected.emplace(*kind, key.hash_key, key.sort_key);
  auto report = compare();
  EXPECT_FALSE(report.equal());
  EXPECT_EQ(found(report), expected);
  auto count = [&](DifferenceKind kind) {
    return std::ranges::count(expected, kind, [](auto& entry) { return std::get<0>(entry); });
  };
  EXPECT_EQ(report.missing, count(DifferenceKind::kMissing));
  EXPECT_EQ(report.extra, count(DifferenceKind::kExtra));
  EXPECT_EQ(report.value_differs, count(DifferenceKind::kValue));
  EXPECT_EQ(report.expiry_differs, count(DifferenceKind::kExpiry));
  EXPECT_EQ(report.source_rows, 300 - report.extra);
  EXPECT_EQ(report.target_rows, 300 - report.missing);
  EXPECT_NE(report.source_sum, report.target_sum);
}

TEST_P(RandomDamageTest, OfOneRowChangesTheSum) {
  auto [source_partitions, target_partitions, seed] = GetParam();
  auto model = random_model(seed, {.rows = 60, .largest_value = 100, .expires_after = now() + 100});
  make_tables(model, source_partitions, target_partitions);
  for (int i = 0; i < 20; ++i) {
    auto row = std::next(model.begin(), int(random_() % model.size()));
    auto kind = damage(row->first, row->second);
    auto report = compare();
    EXPECT_EQ(report.equal(), !kind);
    EXPECT_EQ(report.source_sum == report.target_sum, !kind);
    set(source, row->first, row->second.value, row->second.expire_ts);
    set(target, row->first, row->second.value, row->second.expire_ts);
  }
  EXPECT_TRUE(compare().equal());
}

INSTANTIATE_TEST_SUITE_P(Shapes, RandomDamageTest,
                         ::testing::Values(Shape{1, 1, 1}, Shape{4, 4, 2}, Shape{1, 8, 3},
                                           Shape{6, 4, 4}, Shape{3, 8, 5}, Shape{8, 2, 6}));

}  // namespace
}  // namespace pegmove::compare
