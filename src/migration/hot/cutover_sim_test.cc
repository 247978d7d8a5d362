// The cutover in a simulated pair of clusters (sim_run_test.h), with many seeds. A failing seed is
// named; PEGMOVE_CUTOVER_SEED=N runs it alone, PEGMOVE_CUTOVER_SEEDS=N runs so many of each kind.
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "migration/hot/sim_run_test.h"

namespace pegmove::migration::hot {
namespace {

uint64_t number_from(const char* variable, uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

struct Total {
  int switched = 0, given_back = 0, failed = 0;
  int64_t longest_hold = 0;
  std::map<std::string, int> points{};
};

// Each seed, and what is wrong with it.
Total run_seeds(SimSettings settings, uint64_t count) {
  Total total;
  const auto only = number_from("PEGMOVE_CUTOVER_SEED", 0);
  count = number_from("PEGMOVE_CUTOVER_SEEDS", count);
  for (uint64_t seed = only ? only : 1; seed <= (only ? only : count); ++seed) {
    settings.seed = seed;
    const auto outcome = SimRun(settings).run();
    total.switched += outcome.switched;
    total.given_back += outcome.given_back;
    total.longest_hold = std::max(total.longest_hold, outcome.longest_hold);
    for (const auto& [point, times] : outcome.points) total.points[point] += times;
    for (const auto& wrong : outcome.wrong) ADD_FAILURE() << "seed " << seed << ": " << wrong;
    if (!outcome.wrong.empty() && ++total.failed >= 3) break;
  }
  return total;
}

// The first failing seed, or nothing.
std::optional<uint64_t> failing_seed(SimSettings settings, uint64_t most) {
  for (settings.seed = 1; settings.seed <= most; ++settings.seed)
    if (!SimRun(settings).run().wrong.empty()) return settings.seed;
  return std::nullopt;
}

TEST(CutoverSim, KeepsEveryAcknowledgedWriteWhateverFails) {
  const auto total = run_seeds({}, 1'500);
  EXPECT_GT(total.switched, 300);
  EXPECT_GT(total.given_back, 300);
}

TEST(CutoverSim, SwitchesWhenNothingFails) {
  const auto total = run_seeds({.with_faults = false, .with_fates = false, .hangs = 0}, 200);
  EXPECT_EQ(total.given_back, 0);
}

}  // namespace
}  // namespace pegmove::migration::hot
