// The cutover in a simulated pair of clusters (sim_run_test.h), with many seeds. A failing seed is
// named; PEGMOVE_CUTOVER_SEED=N runs it alone, PEGMOVE_CUTOVER_SEEDS=N runs so many of each kind.
#include <gtest/gtest.h>

#include <cstdlib>

#include "migration/hot/sim_run_test.h"

namespace pegmove::migration::hot {
namespace {

// Sanitizers make a seed twenty times as slow, and look for other things than the rules.
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr int kFewer = 30;
#else
constexpr int kFewer = 1;
#endif

uint64_t number_from(const char* variable, uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

struct Total {
  int switched = 0, given_back = 0, failed = 0;
  std::map<std::string, int> points{};
};

void add(Total& total, const SimOutcome& outcome, const std::string& where) {
  total.switched += outcome.switched;
  total.given_back += outcome.given_back;
  for (const auto& [point, times] : outcome.points) total.points[point] += times;
  for (const auto& wrong : outcome.wrong) ADD_FAILURE() << where << ": " << wrong;
  total.failed += !outcome.wrong.empty();
}

// Every seed must be right.
Total run_seeds(SimSettings settings, uint64_t count) {
  Total total;
  const auto only = number_from("PEGMOVE_CUTOVER_SEED", 0);
  const auto last = only ? only : number_from("PEGMOVE_CUTOVER_SEEDS", count / kFewer);
  for (settings.seed = only ? only : 1; settings.seed <= last && total.failed < 3; ++settings.seed)
    add(total, SimRun(settings).run(), fmt::format("seed {}", settings.seed));
  return total;
}

// Some seed must be wrong. `first`: where one was found, so that it takes no time; many others are
// tried after a change of the simulation.
void expect_failing_seed(Removed removed, SimSettings settings, uint64_t first) {
  constexpr uint64_t kMostTried = 3'000;
  if (kFewer > 1) {
    std::printf("without rule %d: only without sanitizers\n", int(removed));
    return;
  }
  settings.removed = removed;
  for (settings.seed = first; settings.seed < first + kMostTried; ++settings.seed) {
    const auto outcome = SimRun(settings).run();
    if (outcome.wrong.empty()) continue;
    std::printf("without rule %d: seed %d: %s\n", int(removed), int(settings.seed),
                outcome.wrong[0].c_str());
    return;
  }
  ADD_FAILURE() << "no seed of " << kMostTried << " fails without rule " << int(removed);
}

TEST(CutoverSim, KeepsEveryAcknowledgedWriteWhateverFails) {
  const auto total = run_seeds({}, 600);
  EXPECT_GT(total.switched, total.failed ? 0 : 100 / kFewer);
  EXPECT_GT(total.given_back, total.failed ? 0 : 100 / kFewer);
}

TEST(CutoverSim, SwitchesWhenNothingFails) {
  const auto total =
      run_seeds({.with_faults = false, .with_fates = false, .with_compare = true, .hangs = 0}, 100);
  EXPECT_EQ(total.given_back, 0);
}

TEST(CutoverSim, GivesBackBeforeTheHoldIsOver) {
  const auto total = run_seeds({.with_faults = false, .hangs = 0.02}, 150);
  EXPECT_GT(total.given_back, total.failed ? 0 : 30 / kFewer);
}

TEST(CutoverSim, KeepsWritesWhereEnvsActAtOnce) {
  const auto total = run_seeds({.is_embedded = true}, 250);
  EXPECT_GT(total.switched, total.failed ? 0 : 25 / kFewer);
}

TEST(CutoverSim, KeepsWritesUnderAFenceThatLeavesReadsOpen) {
  const auto total = run_seeds({.fence = FenceKind::kWrites}, 250);
  EXPECT_GT(total.switched, total.failed ? 0 : 20 / kFewer);
}

TEST(CutoverSim, KeepsWritesThroughARelayThatIsSealed) {
  const auto total = run_seeds({.with_relay = true}, 250);
  EXPECT_GT(total.switched, total.failed ? 0 : 25 / kFewer);
}

TEST(CutoverSim, KeepsWritesOverARollback) {
  const auto total = run_seeds({.with_rollback = true}, 200);
  EXPECT_GT(total.switched, total.failed ? 0 : 25 / kFewer);
}

// Of two writes of a row the later one is kept, by the clocks of two clusters. Where they differ by
// minutes most cutovers are given back.
TEST(CutoverSim, KeepsWritesOverARollbackThroughRelaysWhereClocksDiffer) {
  const SimSettings little{.with_rollback = true, .with_relay = true, .clocks_differ = 30'000};
  EXPECT_GT(run_seeds(little, 100).switched, 10 / kFewer);
  auto much = little;
  much.clocks_differ = 1'000'000;
  EXPECT_GT(run_seeds(much, 100).given_back, 25 / kFewer);
}

// A process that ends, or is stopped for longer and shorter than the hold, at each of them.
TEST(CutoverSim, KeepsWritesWhenPegmoveEndsAtAnyFailpoint) {
  Total total;
  for (const auto point : kFailpoints)
    for (const int64_t stops : {0, 20'000, 300'000})
      for (uint64_t seed = 1; seed <= 6; ++seed) {
        if (kFewer > 1 && (seed != 4 || stops > 0)) continue;
        SimSettings settings{.seed = seed,
                             .fence = seed % 3 == 2 ? FenceKind::kWrites : FenceKind::kAll,
                             .with_faults = seed % 2 == 0,
                             .with_fates = false,
                             .with_rollback = seed % 3 == 0,
                             .with_relay = seed % 3 == 1,
                             .with_compare = true,
                             .hangs = seed == 5 ? 0.01 : 0};
        const SimProcess::Fate fate{.at_point = std::string(point), .stops_for = stops};
        (point.starts_with("cutover.") || seed > 3 ? settings.fate : settings.guards_fate) = fate;
        if (!settings.fate) settings.fate = SimProcess::Fate{.at_point = "cutover.drained"};
        add(total, SimRun(settings).run(),
            fmt::format("{} stopped for {} ms (0: killed), seed {}", point, stops, seed));
        if (total.failed >= 3) return;
      }
  if (kFewer > 1) return;
  for (const auto point : kFailpoints)
    EXPECT_GT(total.points[std::string(point)], 0) << point << " was not reached";
}

// Each rule is needed: without it some seed fails.
TEST(CutoverSim, LosesWritesWithoutTheProofsOfTheFence) {
  // Clients that write seldom: a side that accepts their writes looks drained.
  const SimSettings troubled{.most_troubles = 30, .missed_rounds = 0.6, .pauses = 20};
  // Servers that miss a round, and a failover after the switch.
  const SimSettings late{.most_troubles = 8, .troubles_from = 30'000, .missed_rounds = 0.6};
  auto writes = late;
  writes.fence = FenceKind::kWrites;
  writes.troubles_from = 10'000;
  expect_failing_seed(Removed::kFenceProof, {.missed_rounds = 0.6, .pauses = 20}, 1);
  auto later = late;
  later.most_troubles = 40;
  later.troubles_from = 36'000;
  later.missed_rounds = 0.8;
  later.with_fates = false;
  expect_failing_seed(Removed::kSecondariesAreProven, later, 1984);
  expect_failing_seed(Removed::kServedBefore, {.most_troubles = 12, .missed_rounds = 0.6}, 292);
  expect_failing_seed(Removed::kViewsAreEqual, troubled, 44);
  expect_failing_seed(Removed::kFenceAge, writes, 713);
}

TEST(CutoverSim, LosesWritesWithoutTheProofsOfTheDrain) {
  const SimSettings troubled{.most_troubles = 9};
  expect_failing_seed(Removed::kTwoReadings, {.is_embedded = true, .waits = 0.2}, 238);
  expect_failing_seed(Removed::kMaxPrepared, {.is_embedded = true, .most_troubles = 9}, 207);
  expect_failing_seed(Removed::kPersisted, troubled, 1042);
  expect_failing_seed(Removed::kSealed, {.with_relay = true, .most_troubles = 9}, 1042);
  expect_failing_seed(Removed::kEveryPartition, troubled, 337);
  expect_failing_seed(Removed::kServersOwnView, troubled, 762);
  expect_failing_seed(Removed::kNothingBehind, {.with_rollback = true}, 38);
}

TEST(CutoverSim, LosesWritesWhereTheTargetsClocksAreBehind) {
  expect_failing_seed(Removed::kClocks,
                      {.with_faults = false,
                       .with_fates = false,
                       .with_rollback = true,
                       .with_relay = true,
                       .clocks_differ = 1'000'000},
                      1);
}

TEST(CutoverSim, LosesWritesWithoutTheRulesOfTheSwitch) {
  const SimSettings stopped{
      .fate = SimProcess::Fate{.at_point = "cutover.checked", .stops_for = 300'000}};
  const SimSettings killed{.fate = SimProcess::Fate{.at_point = "cutover.switched"}};
  expect_failing_seed(Removed::kExactVersion, stopped, 1);
  expect_failing_seed(Removed::kVersionBeforeOpening, stopped, 1);
  expect_failing_seed(Removed::kTargetNamed, killed, 1);
  expect_failing_seed(Removed::kDeniedWithoutNodes, killed, 62);
  expect_failing_seed(Removed::kUnknownIsRead, {}, 32);
}

TEST(CutoverSim, HoldsTooLongWithoutAnEarlyBeginOrAGuard) {
  expect_failing_seed(Removed::kInTime, {.with_faults = false, .hangs = 0.02}, 1);
  expect_failing_seed(Removed::kGuard, {}, 11);
}

TEST(CutoverSim, LosesWritesThatWereNotMadeReady) {
  expect_failing_seed(Removed::kAllShip, {}, 41);
  expect_failing_seed(Removed::kOneByOne, {.most_troubles = 9}, 97);
}

// Which is why it must be asked for (--accept-lost-writes).
TEST(CutoverSim, LosesWritesWhenTheRouteIsChangedFirst) {
  expect_failing_seed(Removed::kNothing,
                      {.order = Order::kRoutesFirst, .with_faults = false, .with_fates = false},
                      22);
}

}  // namespace
}  // namespace pegmove::migration::hot
