// Comparisons while clients write.
#include "compare/recheck.h"

#include "async/all.h"
#include "compare/two_tables_test.h"

namespace pegmove::compare {
namespace {

using async::milliseconds;
using testing::Model;
using testing::ModelKey;
using testing::random_model;

RecheckOptions quick() {
  return {.lag = milliseconds(40), .reads = 3, .settle_for = milliseconds(20'000)};
}

class RecheckTest : public TwoTablesTest {};

// Live: a late write is not a difference; a lasting one is.
TEST_F(RecheckTest, LiveProvesWhatStaysDifferent) {
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

TEST_F(RecheckTest, AWriteThatArrivesLateIsNoDifference) {
  make_tables({}, 2, 2);
  set(source, {"h", "late"}, "v");
  set(source, {"h", "never"}, "v");
  const auto late = record::encode_key("h", "late"), never = record::encode_key("h", "never");
  auto options = quick();
  options.lag = milliseconds(400);
  Rechecked rechecked;
  // outlives: clusters.run() runs it to its end
  auto look = [&]() -> Task<> {
    rechecked =
        CO_TRY(co_await recheck(*source, *target, {{late}, {never}}, {}, options, clusters.stop));
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
  EXPECT_EQ(rechecked.agreed, 1);
  ASSERT_EQ(rechecked.different.size(), 1u);
  EXPECT_EQ(rechecked.different[0].raw_key, never);
}

TEST_F(RecheckTest, ARowThatKeepsChangingIsNotSettledAndNotEqual) {
  make_tables({}, 2, 2);
  set(source, {"h", "s"}, "mine");
  set(target, {"h", "s"}, "0");
  auto options = quick();
  options.settle_for = milliseconds(300);
  bool over = false;
  CompareReport report;
  // outlives: clusters.run() runs it to its end
  auto look = [&]() -> Task<> {
    auto compared = co_await compare::compare(tables(), {.live = options}, clusters.stop, {});
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

TEST_F(RecheckTest, AStopEndsTheRecheck) {
  make_tables({}, 1, 1);
  set(source, {"h", "s"}, "v");
  clusters.stop.request();
  auto rechecked = clusters.run(
      recheck(*source, *target, {{record::encode_key("h", "s")}}, {}, quick(), clusters.stop));
  ASSERT_FALSE(rechecked);
  EXPECT_EQ(rechecked.error().code(), Code::kInterrupted);
}

}  // namespace
}  // namespace pegmove::compare
