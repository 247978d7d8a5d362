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

// The tables through a client whose time passes only when the test says so: a lag is as long on a
// slow machine.
class SteppedRecheckTest : public RecheckTest {
 protected:
  void TearDown() override {
    stepped_source.reset();
    stepped_target.reset();
    clusters.run(close());
  }
  Routine<bool> close() {
    co_await client_.close();  // no result
    co_return true;
  }
  std::shared_ptr<client::Table> open(net::Address meta) {
    const auto deadline = Deadline::in(clock, milliseconds(60'000));
    auto cluster = clusters.must(
        client::Cluster::connect(client_, *net::parse_host_port_list(meta.to_string()), deadline));
    return clusters.must(client::Table::open(std::move(cluster), "t", deadline));
  }
  void open_stepped() {
    stepped_source = open(clusters.source_servers.meta_address());
    stepped_target = open(clusters.target_servers.meta_address());
  }
  // Both at once: `checked`, and `writes` beside it, which looks whether the first is over.
  template <typename Checked, typename Writes>
  void run_both(Checked checked, Writes writes) {
    std::vector<Task<>> both;
    both.push_back(checked());
    both.push_back(writes());
    clusters.must(async::all(std::move(both)));
  }

  testing::SimClock clock;
  std::shared_ptr<client::Table> stepped_source, stepped_target;
  bool over = false;

 private:
  client::Client client_{clusters.context().get_executor(), clock};
};

TEST_F(SteppedRecheckTest, AWriteThatArrivesLateIsNoDifference) {
  make_tables({}, 2, 2);
  set(source, {"h", "late"}, "v");
  set(source, {"h", "never"}, "v");
  open_stepped();
  const auto late = record::encode_key("h", "late"), never = record::encode_key("h", "never");
  auto options = quick();
  options.lag = milliseconds(400);
  Rechecked rechecked;
  // outlives: run_both() runs it to its end
  auto look = [&]() -> Task<> {
    auto ended = co_await recheck(*stepped_source, *stepped_target, {{late}, {never}}, {}, options,
                                  clusters.stop);
    over = true;
    rechecked = CO_TRY(std::move(ended));
    co_return Result<void>();
  };
  // outlives: run_both() runs it to its end
  auto arrive = [&]() -> Task<> {
    clock.advance(milliseconds(200));
    for (int reads = 0; reads < 100; ++reads)  // the first look is over long before the last
      CO_TRY(co_await target->get("h", "other", clusters.deadline()));
    CO_TRY(co_await target->set("h", "late", "v", 0, clusters.deadline()));
    while (!over) {
      clock.advance(milliseconds(50));
      CO_TRY(co_await target->get("h", "other", clusters.deadline()));
    }
    co_return Result<void>();
  };
  run_both(look, arrive);
  EXPECT_EQ(rechecked.agreed, 1);
  ASSERT_EQ(rechecked.different.size(), 1u);
  EXPECT_EQ(rechecked.different[0].raw_key, never);
}

TEST_F(SteppedRecheckTest, ARowThatKeepsChangingIsNotSettledAndNotEqual) {
  make_tables({}, 2, 2);
  set(source, {"h", "s"}, "mine");
  set(target, {"h", "s"}, "0");
  open_stepped();
  auto options = quick();
  options.settle_for = milliseconds(300);
  CompareReport report;
  // outlives: run_both() runs it to its end
  auto look = [&]() -> Task<> {
    auto compared = co_await compare::compare({.source = stepped_source, .target = stepped_target},
                                              {.live = options}, clusters.stop, {});
    over = true;
    report = CO_TRY(std::move(compared));
    co_return Result<void>();
  };
  // outlives: run_both() runs it to its end
  auto write = [&]() -> Task<> {
    for (int i = 1; !over; ++i) {
      CO_TRY(co_await target->set("h", "s", std::to_string(i), 0, clusters.deadline()));
      clock.advance(milliseconds(5));
    }
    co_return Result<void>();
  };
  run_both(look, write);
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
