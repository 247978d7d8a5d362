#include "compare/repair.h"

#include "compare/live_verification.h"
#include "compare/two_tables_test.h"

namespace pegmove::compare {
namespace {

using async::milliseconds;
using testing::Model;
using testing::random_model;

class RepairTest : public TwoTablesTest {
 protected:
  using TwoTablesTest::TwoTablesTest;

  // Compares, and repairs what differs.
  RepairReport repair(RepairOptions options = {}) {
    Repair repair(tables(), options, clusters.stop);
    compare({}, {.sink = &repair});
    clusters.must(repair.flush());
    return repair.report();
  }
  // Repairs the rows of a list.
  RepairReport repair_list(const std::vector<Difference>& list, RepairOptions options = {}) {
    Repair repair(tables(), options, clusters.stop);
    for (const auto& difference : list) clusters.must(repair.take(difference));
    clusters.must(repair.flush());
    return repair.report();
  }
  // One row of each kind of difference.
  Model make_damaged() {
    auto model =
        random_model(4, {.rows = 100, .largest_value = 3000, .expires_after = now() + 100});
    model[{"value", "s"}] = {"mine", 0};
    model[{"expiry", "s"}] = {"v", now() + 5000};
    make_tables(model, 4, 6);
    set(target, {"value", "s"}, "theirs");
    set(target, {"expiry", "s"}, "v", now() + 5001);
    set(source, {"missing", std::string("\0\xff", 2)}, "v", now() + 777);
    model[{"missing", std::string("\0\xff", 2)}] = {"v", now() + 777};
    set(target, {"extra", "s"}, "v");
    return model;
  }
  std::string differs(const std::shared_ptr<client::Table>& table, const Model& model) {
    return clusters.must(testing::differs_from(table, model, now(), clusters.deadline()));
  }
};

TEST_F(RepairTest, MendsEachKindAndLeavesExtraRows) {
  auto model = make_damaged();
  auto report = repair();
  EXPECT_EQ(report.looked_at, 4);
  EXPECT_EQ(report.missing, 1);
  EXPECT_EQ(report.value, 1);
  EXPECT_EQ(report.expiry, 1);
  EXPECT_EQ(report.agree_now, 3);
  EXPECT_EQ(report.differ_now, 0);
  EXPECT_EQ(report.extra_left, 1);
  EXPECT_EQ(found_in(report.left), (Found{{DifferenceKind::kExtra, "extra", "s"}}));
  EXPECT_FALSE(report.all_agree());
  EXPECT_EQ(differs(source, model), "");
  model[{"extra", "s"}] = {"v", 0};
  EXPECT_EQ(differs(target, model), "");
}

TEST_F(RepairTest, DeletesExtraRowsWhenAskedTo) {
  auto model = make_damaged();
  auto report = repair({.delete_extra = true});
  EXPECT_EQ(report.extra_deleted, 1);
  EXPECT_EQ(report.agree_now, 4);
  EXPECT_TRUE(report.all_agree());
  EXPECT_EQ(differs(target, model), "");
  auto again = repair({.delete_extra = true});
  EXPECT_EQ(again.looked_at, 0);
}

TEST_F(RepairTest, ADryRunChangesNothingAndCountsTheSame) {
  make_damaged();
  const auto before = compare();
  auto report = repair({.delete_extra = true, .dry_run = true});
  EXPECT_EQ(report.repaired(), 4);
  EXPECT_EQ(report.agree_now, 0);
  EXPECT_EQ(compare().target_sum, before.target_sum);
}

TEST_F(RepairTest, AStaleListDoesNoHarm) {
  make_tables({{{"h", "same"}, {"v", 0}}, {{"h", "both"}, {"v", 0}}}, 2, 3);
  set(source, {"h", "new"}, "now there");
  const auto before = compare();
  auto report = repair_list({{DifferenceKind::kExtra, "h", "same"},
                             {DifferenceKind::kValue, "h", "both"},
                             {DifferenceKind::kExtra, "h", "new"},
                             {DifferenceKind::kMissing, "h", "nowhere"},
                             {DifferenceKind::kMissing, "", ""}},
                            {.delete_extra = true});
  EXPECT_EQ(report.looked_at, 5);
  EXPECT_EQ(report.agreed_before, 4);
  EXPECT_EQ(report.missing, 1);  // whatever the list said
  EXPECT_EQ(report.extra_deleted, 0);
  EXPECT_EQ(compare().target_sum, before.source_sum);
}

TEST_F(RepairTest, MendsMoreRowsThanItKeepsInMemory) {
  Model model;
  for (int i = 0; i < 2500; ++i) model[{"h" + std::to_string(i), "s"}] = {"v", 0};
  make_tables({}, 2, 4);
  clusters.must(write_model(source, model, clusters.deadline()));
  auto report = repair();
  EXPECT_EQ(report.missing, 2500);
  EXPECT_EQ(report.agree_now, 2500);
  EXPECT_TRUE(compare().equal());
}

TEST_F(RepairTest, AStopEndsItAndItStaysFailed) {
  make_tables({}, 1, 1);
  Repair repair(tables(), {}, clusters.stop);
  clusters.must(repair.take({DifferenceKind::kMissing, "h", "s"}));
  clusters.stop.request();
  EXPECT_EQ(clusters.run(repair.flush()).error().code(), Code::kInterrupted);
  EXPECT_FALSE(clusters.run(repair.flush()));
}

TEST_F(RepairTest, ALiveVerificationMendsAllButExtraRows) {
  auto model = make_damaged();
  LiveVerificationOptions options{
      .recheck = {.lag = milliseconds(40), .settle_for = milliseconds(20'000)}};
  auto verified = clusters.must(verify_and_repair_live(source, target, options, clusters.stop, {}));
  EXPECT_EQ(verified.found.differing(), 4);
  EXPECT_EQ(verified.repaired.agree_now, 3);
  EXPECT_TRUE(verified.source_is_there());
  EXPECT_FALSE(verified.equal());
  model[{"extra", "s"}] = {"v", 0};
  EXPECT_EQ(differs(target, model), "");
}

class RepairThroughDuplicateTest : public RepairTest {
 protected:
  static testing::TestClusterOptions in_group(const std::string& name) {
    return {.name = name, .duplication_group = {{"A", 1}, {"B", 2}}};
  }
  RepairThroughDuplicateTest() : RepairTest(in_group("A"), in_group("B")) {}

  RepairOptions as_cluster_a(int64_t time_us) const {
    return {.delete_extra = true,
            .through_duplicate = client::DuplicateWrite{
                .cluster_id = 1, .timestamp_us = time_us, .verify_timetag = true}};
  }
};

TEST_F(RepairThroughDuplicateTest, MakesRowsEqualAndExtraRowsGone) {
  const auto model = make_damaged();
  clusters.target_time.advance(milliseconds(60'000));
  clusters.source_time.advance(milliseconds(60'000));
  const auto report = repair(as_cluster_a(clusters.target_time.unix_us()));
  EXPECT_EQ(report.repaired(), 4);
  EXPECT_EQ(report.agree_now, 4);
  EXPECT_TRUE(report.all_agree());
  EXPECT_EQ(differs(target, model), "");
}

TEST_F(RepairThroughDuplicateTest, KeepsRowsThatAreNewerThanItsTime) {
  make_damaged();
  const auto before_us = clusters.target_time.unix_us() - 1'000'000;
  const auto report = repair(as_cluster_a(before_us));
  EXPECT_EQ(report.missing, 1);
  EXPECT_EQ(report.agree_now, 1);
  EXPECT_EQ(report.differ_now, 3);
  EXPECT_EQ(clusters.must(target->get("extra", "s", clusters.deadline())).value, "v");
  EXPECT_EQ(clusters.must(target->get("value", "s", clusters.deadline())).value, "theirs");
}

TEST_F(RepairTest, RowsAreReadWithTheirExactExpiry) {
  make_tables({}, 3, 1);
  set(source, {"", ""}, "empty key", now() + 11);
  set(source, {"h", "s"}, "", 0);
  set(source, {"h", "s2"}, "beside", 0);
  auto read = [&](std::string_view hash_key, std::string_view sort_key) {
    return clusters.must(
        read_row(*source, record::encode_key(hash_key, sort_key), clusters.deadline()));
  };
  EXPECT_EQ(read("", "")->expire_ts, now() + 11);
  EXPECT_EQ(read("", "")->value, "empty key");
  EXPECT_EQ(read("h", "s")->value, "");
  EXPECT_EQ(read("h", "s")->expire_ts, 0u);
  EXPECT_FALSE(read("h", ""));
  EXPECT_FALSE(read("h", "s1"));
  clusters.source_time.advance(milliseconds(11'000));
  EXPECT_FALSE(read("", ""));
  EXPECT_EQ(clusters.run(read_row(*source, "x", clusters.deadline())).error().code(),
            Code::kInvalidArgument);
}

}  // namespace
}  // namespace pegmove::compare
