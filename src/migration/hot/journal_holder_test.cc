#include "migration/hot/journal_holder.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "async/run.h"
#include "journal/journals_test.h"
#include "journal/run_lock.h"
#include "testing/sim_clock.h"

namespace pegmove::migration::hot {
namespace {

using journal::good;
using journal::StepState;

class JournalHolderTest : public ::testing::Test {
 protected:
  HolderState state() {
    asio::io_context context;
    return good(async::run_to_end(context, holder_.state()));
  }
  void save(StepState state, const std::string& before = R"({"version":3})") {
    good(journal_.save_step(id_, {.name = "cutover", .state = state, .before = before}));
  }

  journal::TestFolder folder_;
  pegmove::testing::SimClock clock_;
  const std::string path_ = folder_ / "journal.db";
  journal::Journal journal_ = good(journal::Journal::open(path_, clock_));
  const std::string id_ = good(journal_.begin(journal::a_copy())).id;
  JournalHolder holder_ = good(JournalHolder::open(
      path_, clock_, id_,
      {.name = "cutover", .state = StepState::kBegun, .before = R"({"version":3})"}));
};

TEST_F(JournalHolderTest, IsGoneWhenNobodyHasTheRun) {
  save(StepState::kBegun);
  EXPECT_EQ(state(), HolderState::kGone);
  {
    const auto lock = good(journal::RunLock::take(journal_, id_));
    EXPECT_EQ(state(), HolderState::kInTime);
  }
  EXPECT_EQ(state(), HolderState::kGone);
}

TEST_F(JournalHolderTest, IsLateWhenTheLeaseHasRunOut) {
  save(StepState::kBegun);
  const auto lock = good(journal::RunLock::take(journal_, id_));
  const auto until_ms = clock_.unix_us() / 1000 + 1000;
  good(journal_.lease(id_, {.step = "cutover", .until_unix_ms = until_ms}));
  EXPECT_EQ(state(), HolderState::kInTime);
  clock_.advance(async::milliseconds(1001));
  EXPECT_EQ(state(), HolderState::kLate);
  good(journal_.lease(id_, {.step = "cutover"}));
  EXPECT_EQ(state(), HolderState::kInTime);
}

TEST_F(JournalHolderTest, HasEndedWhenTheStepHas) {
  EXPECT_EQ(state(), HolderState::kEnded) << "no such step";
  save(StepState::kDone);
  EXPECT_EQ(state(), HolderState::kEnded);
  save(StepState::kUndone);
  EXPECT_EQ(state(), HolderState::kEnded);
}

TEST_F(JournalHolderTest, ACancelThatIsKilledIsGuarded) {
  save(StepState::kUndoing);
  EXPECT_EQ(state(), HolderState::kGone);
}

TEST_F(JournalHolderTest, IsLateAlsoWhenTheJournalCannotBeReadAnyMore) {
  save(StepState::kBegun);
  const auto lock = good(journal::RunLock::take(journal_, id_));
  good(journal_.lease(id_, {.step = "cutover", .until_unix_ms = clock_.unix_us() / 1000 + 1000}));
  EXPECT_EQ(state(), HolderState::kInTime);
  const auto lock_path = path_ + "." + id_ + ".lock";  // a folder there cannot be read
  ASSERT_TRUE(std::filesystem::remove(lock_path));
  ASSERT_TRUE(std::filesystem::create_directory(lock_path));
  asio::io_context context;
  EXPECT_FALSE(async::run_to_end(context, holder_.state()));
  clock_.advance(async::milliseconds(1001));
  EXPECT_EQ(state(), HolderState::kLate);
}

TEST_F(JournalHolderTest, AnotherAttemptIsNotGuarded) {
  save(StepState::kBegun, R"({"version":4})");
  EXPECT_EQ(state(), HolderState::kEnded);
}

}  // namespace
}  // namespace pegmove::migration::hot
