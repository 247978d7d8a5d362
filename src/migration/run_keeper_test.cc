#include "migration/run_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <thread>

#include "async/run.h"
#include "journal/journals_test.h"
#include "testing/sim_clock.h"

namespace pegmove::migration {
namespace {

using async::milliseconds;
using journal::bad;
using journal::good;
using journal::Journal;
using journal::LanePosition;
using journal::Request;
using journal::RunState;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr milliseconds kSaveInterval{200};

const Result<void> kStopped = fail(Code::kInterrupted, "stopped on request");
const Result<void> kBroken = fail(Code::kUnreachable, "the target is away");

class RunKeeperTest : public ::testing::Test {
 protected:
  // What a failed test left behind must end, too.
  void TearDown() override {
    if (keeper_) static_cast<void>(run(keeper_->end(kStopped)));
  }
  // What another process sees of the run, and wants of it.
  Journal open() { return good(Journal::open(path_, clock_)); }
  journal::Run seen() { return good(journal_->get(id_)); }
  std::vector<LanePosition> positions() { return good(journal_->positions(id_)); }

  template <typename T>
  T run(asio::awaitable<T> routine) {
    return async::run_to_end(context_, std::move(routine));
  }
  Result<std::unique_ptr<RunKeeper>> try_take(const std::string& id) {
    return run(RunKeeper::take(context_.get_executor(), clock_, path_, id, stop_));
  }
  void take() { keeper_ = good(try_take(id_)); }
  void begin(RunKeeper::SettingListener listener = {}) {
    take();
    good(run(keeper_->begin(std::move(listener))));
  }
  // With something made, so that there is something to go on with.
  void begin_work() {
    begin();
    good(run(keeper_->set_result("{}")));
  }
  RunEnd end(const Result<void>& outcome, std::optional<std::string> result = std::nullopt) {
    auto ended = good(run(keeper_->end(outcome, std::move(result))));
    keeper_.reset();
    return ended;
  }
  // Runs what goes on in the background until it has come so far.
  template <typename Condition>
  void until(Condition condition) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > give_up) throw std::runtime_error("it never happens");
      context_.restart();
      if (context_.poll() == 0) std::this_thread::yield();
    }
  }
  // Lets one interval pass, and no more.
  void pass_interval() {
    until([&] { return clock_.sleepers() == 1; });
    clock_.advance(kSaveInterval);
  }
  void pass_intervals_until_stopped() {
    pass_interval();
    until([&] { return stop_.requested(); });
  }

  journal::TestFolder folder_;
  const std::string path_ = folder_ / "journal.db";
  pegmove::testing::SimClock clock_;
  asio::io_context context_;
  async::StopSignal stop_;
  std::optional<Journal> journal_ = open();
  const std::string id_ = good(journal_->begin(journal::a_copy())).id;
  std::unique_ptr<RunKeeper> keeper_;
};

TEST_F(RunKeeperTest, ARunIsTakenByOneAtATime) {
  take();
  auto error = bad(try_take(id_));
  EXPECT_EQ(error.code(), Code::kBusy);
  EXPECT_THAT(error.message(), HasSubstr(id_));
  keeper_.reset();
  EXPECT_TRUE(try_take(id_));
}

TEST_F(RunKeeperTest, TheLockStaysUntilTheKeeperGoes) {
  begin_work();
  good(run(keeper_->end(kStopped)));
  EXPECT_EQ(bad(try_take(id_)).code(), Code::kBusy);
  keeper_.reset();
  EXPECT_TRUE(try_take(id_));
}

TEST_F(RunKeeperTest, AnUnknownRunIsNotTaken) {
  EXPECT_EQ(bad(try_take("copy-20000101-1")).code(), Code::kNotFound);
  EXPECT_EQ(bad(try_take("../journal")).code(), Code::kInvalidArgument);
}

TEST_F(RunKeeperTest, ARunThatIsOverIsNotTaken) {
  for (auto state : {RunState::kDone, RunState::kCancelled}) {
    const auto over = good(journal_->begin(journal::a_copy())).id;
    good(journal_->set_state(over, state));
    auto error = bad(try_take(over));
    EXPECT_EQ(error.code(), Code::kRefused);
    EXPECT_THAT(error.message(), HasSubstr(over + " is over"));
    EXPECT_THAT(error.message(), HasSubstr(std::string(journal::to_string(state))));
    EXPECT_EQ(good(journal::RunLock::holder(*journal_, over)), std::nullopt);
  }
}

TEST_F(RunKeeperTest, ARunThatEndedEarlyIsTakenAndRuns) {
  for (auto state : {RunState::kPaused, RunState::kFailed, RunState::kInterrupted}) {
    good(journal_->set_state(id_, state, "as it was"));
    begin_work();
    EXPECT_EQ(seen().state, RunState::kRunning);
    end(kStopped);
  }
}

TEST_F(RunKeeperTest, NotesAreInTheJournalAfterAnInterval) {
  begin();
  const LanePosition first{.lane = 0, .last_key = "a", .rows = 3, .bytes = 30};
  const LanePosition second{.lane = 7, .last_key = "b", .rows = 4, .bytes = 40, .done = true};
  keeper_->note(first);
  keeper_->note(second);
  pass_interval();
  until([&] { return positions() == std::vector{first, second}; });
  EXPECT_EQ(seen().rows, 7);
  end(kStopped);
}

TEST_F(RunKeeperTest, TheNewestNoteOfALaneCounts) {
  begin();
  for (int64_t rows : {1, 2, 3}) keeper_->note({.lane = 1, .rows = rows});
  pass_interval();
  until([&] { return seen().rows == 3; });
  keeper_->note({.lane = 1, .rows = 4});
  pass_interval();
  until([&] { return seen().rows == 4; });
  end(kStopped);
  EXPECT_THAT(positions(), ElementsAre(LanePosition{.lane = 1, .rows = 4}));
}

TEST_F(RunKeeperTest, ANoteDuringASaveIsWrittenAfterIt) {
  begin();
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  keeper_->note({.lane = 1, .rows = 1});
  pass_interval();
  context_.restart();
  context_.poll();  // the save is under way, and waits
  keeper_->note({.lane = 1, .rows = 2});
  EXPECT_THAT(positions(), IsEmpty());
  ASSERT_EQ(sqlite3_exec(other, "COMMIT", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(other);
  until([&] { return seen().rows == 1; });
  end(kStopped);
  EXPECT_EQ(seen().rows, 2);
}

TEST_F(RunKeeperTest, EndWritesWhatIsNoted) {
  begin_work();
  keeper_->note({.lane = 2, .last_key = "k", .rows = 9});
  end(kStopped);
  EXPECT_THAT(positions(), ElementsAre(LanePosition{.lane = 2, .last_key = "k", .rows = 9}));
  take();
  EXPECT_EQ(keeper_->positions(), positions());
}

TEST_F(RunKeeperTest, ForgottenPositionsAreGone) {
  good(journal_->save(id_, std::vector{LanePosition{.lane = 2, .rows = 9}}));
  begin();
  good(run(keeper_->forget_positions()));
  EXPECT_THAT(keeper_->positions(), IsEmpty());
  EXPECT_THAT(positions(), IsEmpty());
  end(kStopped);
}

TEST_F(RunKeeperTest, APauseStopsTheWorkAndIsAnswered) {
  begin_work();
  good(journal_->request(id_, Request::kPause));
  EXPECT_FALSE(stop_.requested());
  pass_intervals_until_stopped();
  auto ended = end(kStopped);
  EXPECT_EQ(ended.state, RunState::kPaused);
  EXPECT_EQ(ended.reason, "");
  EXPECT_EQ(seen().state, RunState::kPaused);
  EXPECT_EQ(seen().reason, "");
  EXPECT_THAT(good(journal_->changes_since(id_, 0)).requests, IsEmpty());
}

TEST_F(RunKeeperTest, ACancelStopsTheWorkForGood) {
  begin_work();
  good(journal_->request(id_, Request::kCancel));
  pass_intervals_until_stopped();
  EXPECT_EQ(end(kStopped).state, RunState::kCancelled);
  EXPECT_EQ(seen().state, RunState::kCancelled);
  EXPECT_EQ(bad(try_take(id_)).code(), Code::kRefused);
}

TEST_F(RunKeeperTest, ACancelIsMoreThanAPause) {
  for (auto [first, second] : {std::pair(Request::kPause, Request::kCancel),
                               std::pair(Request::kCancel, Request::kPause)}) {
    const auto other = good(journal_->begin(journal::a_copy())).id;
    auto keeper = good(try_take(other));
    good(run(keeper->begin()));
    good(run(keeper->set_result("{}")));
    good(journal_->request(other, first));
    good(journal_->request(other, second));
    EXPECT_EQ(good(run(keeper->end(kStopped))).state, RunState::kCancelled);
  }
}

TEST_F(RunKeeperTest, AnErrorIsAFailureWhateverPauseWasAsked) {
  begin_work();
  good(journal_->request(id_, Request::kPause));
  auto ended = end(kBroken);
  EXPECT_EQ(ended.state, RunState::kFailed);
  EXPECT_EQ(ended.reason, kBroken.error().to_string());
  EXPECT_EQ(seen().state, RunState::kFailed);
  EXPECT_EQ(seen().reason, kBroken.error().to_string());
}

TEST_F(RunKeeperTest, AnErrorAfterACancelIsTheReasonOfACancelledRun) {
  begin_work();
  good(journal_->request(id_, Request::kCancel));
  end(kBroken);
  EXPECT_EQ(seen().state, RunState::kCancelled);
  EXPECT_EQ(seen().reason, kBroken.error().to_string());
}

TEST_F(RunKeeperTest, AnErrorBeforeAnythingWasMadeLeavesNothingToGoOnWith) {
  begin();
  EXPECT_FALSE(keeper_->has_begun_work());
  EXPECT_EQ(end(kBroken).state, RunState::kCancelled);
  EXPECT_EQ(seen().reason, kBroken.error().to_string());
}

TEST_F(RunKeeperTest, SuccessIsDoneWithTheResultEvenWhenAPauseWasAsked) {
  begin_work();
  good(journal_->request(id_, Request::kPause));
  keeper_->set_reason("it waits");
  auto ended = end({}, R"({"rows":9})");
  EXPECT_EQ(ended.state, RunState::kDone);
  EXPECT_EQ(ended.reason, "");
  EXPECT_EQ(seen().state, RunState::kDone);
  EXPECT_EQ(seen().result, R"({"rows":9})");
  EXPECT_EQ(seen().reason, "");
}

TEST_F(RunKeeperTest, AStopThatNobodyAskedForInTheJournalIsAnInterruption) {
  begin_work();
  stop_.request();
  auto ended = end(kStopped);
  EXPECT_EQ(ended.state, RunState::kInterrupted);
  EXPECT_EQ(seen().state, RunState::kInterrupted);
  EXPECT_EQ(seen().result, "{}") << "what was made stays known";
}

TEST_F(RunKeeperTest, ACancelFromBeforeIsObeyed) {
  good(journal_->request(id_, Request::kCancel));
  auto taken = run(RunKeeper::take(context_.get_executor(), clock_, path_, id_, stop_));
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code(), Code::kRefused);
  EXPECT_EQ(seen().state, RunState::kCancelled);
}

TEST_F(RunKeeperTest, APauseFromBeforeDoesNotStopANewProcess) {
  good(journal_->request(id_, Request::kPause));
  begin_work();
  EXPECT_THAT(good(journal_->changes_since(id_, 0)).requests, IsEmpty());
  for (int64_t round : {1, 2, 3}) {
    keeper_->note({.lane = 0, .rows = round});
    pass_interval();
    until([&] { return seen().rows == round && clock_.sleepers() == 1; });
  }
  EXPECT_FALSE(stop_.requested());
  EXPECT_EQ(end(kStopped).state, RunState::kInterrupted);
}

TEST_F(RunKeeperTest, SettingsReachTheListenerBeforeAndDuringTheWork) {
  good(journal_->set(id_, "pace", "1"));
  good(journal_->set(id_, "bound", "2"));
  std::vector<std::pair<std::string, std::string>> heard;
  begin([&](const std::string& key, const std::string& value) { heard.emplace_back(key, value); });
  EXPECT_THAT(heard, ElementsAre(Pair("bound", "2"), Pair("pace", "1")));
  heard.clear();
  good(journal_->set(id_, "pace", "3"));
  pass_interval();
  until([&] { return !heard.empty(); });
  pass_interval();
  until([&] { return clock_.sleepers() == 1; });
  EXPECT_THAT(heard, ElementsAre(Pair("pace", "3"))) << "each change once";
  end(kStopped);
}

TEST_F(RunKeeperTest, OthersSeeWhyARunWaits) {
  begin();
  for (const char* reason : {"target: no primary", "source: busy", ""}) {
    keeper_->set_reason(reason);
    pass_interval();
    until([&] { return seen().reason == reason; });
    EXPECT_EQ(seen().state, RunState::kRunning);
  }
  end(kStopped);
}

TEST_F(RunKeeperTest, AReasonThatComesBackWhileAnotherIsWrittenIsWritten) {
  begin();
  keeper_->set_reason("a");
  pass_interval();
  until([&] { return seen().reason == "a" && clock_.sleepers() == 1; });
  keeper_->set_reason("b");
  clock_.advance(kSaveInterval);
  context_.restart();
  context_.poll();  // "b" is being written
  keeper_->set_reason("a");
  pass_interval();
  until([&] { return seen().reason == "a" && clock_.sleepers() == 1; });
  pass_interval();
  until([&] { return clock_.sleepers() == 1; });
  EXPECT_EQ(seen().reason, "a");
  end(kStopped);
}

TEST_F(RunKeeperTest, AResultIsWrittenAtOnceWithWhatIsNoted) {
  begin();
  EXPECT_FALSE(keeper_->has_begun_work());
  keeper_->note({.lane = 3, .last_key = "k", .rows = 5});
  good(run(keeper_->set_result(R"({"made":1})")));
  EXPECT_TRUE(keeper_->has_begun_work());
  EXPECT_EQ(seen().result, R"({"made":1})");
  EXPECT_EQ(seen().rows, 5);
  end(kStopped);
}

TEST_F(RunKeeperTest, AJournalThatIsDamagedEndsTheWork) {
  begin_work();
  journal::tamper(path_, "UPDATE runs SET options = '{'");
  pass_intervals_until_stopped();
  auto error = bad(run(keeper_->end(kStopped)));
  EXPECT_EQ(error.code(), Code::kCorrupt) << error.to_string();
  EXPECT_THAT(error.to_string(), HasSubstr(path_));
}

TEST_F(RunKeeperTest, AJournalThatCannotBeWrittenEndsTheWork) {
  begin_work();
  journal::tamper(path_, "DROP TABLE lanes");
  keeper_->note({.lane = 0, .rows = 1});
  pass_intervals_until_stopped();
  auto error = bad(run(keeper_->end({})));
  EXPECT_THAT(error.to_string(), HasSubstr("saving positions of run " + id_));
  EXPECT_EQ(seen().state, RunState::kRunning) << "it is not over: what it did is not known";
}

TEST_F(RunKeeperTest, ANoteThatCannotBeKeptEndsTheWork) {
  begin_work();
  keeper_->note({.lane = 0, .rows = 1, .detail = "{"});
  pass_intervals_until_stopped();
  EXPECT_EQ(bad(run(keeper_->end(kStopped))).code(), Code::kInvalidArgument);
}

// Named so, it runs before other tests have threads.
class KilledKeeperDeathTest : public RunKeeperTest {
 protected:
  [[noreturn]] void work_and_be_killed() {
    journal_ = open();
    begin_work();
    keeper_->note({.lane = 4, .last_key = "so far", .rows = 44, .bytes = 444});
    pass_interval();
    until([&] { return seen().rows == 44; });
    std::raise(SIGKILL);
    std::abort();
  }
};

TEST_F(KilledKeeperDeathTest, WhatWasSavedSurvives) {
  journal_.reset();  // an open file of SQLite does not go well with a fork
  EXPECT_EXIT(work_and_be_killed(), ::testing::KilledBySignal(SIGKILL), "");
  journal_ = open();
  EXPECT_EQ(seen().state, RunState::kRunning);
  begin();
  EXPECT_TRUE(keeper_->has_begun_work());
  EXPECT_THAT(keeper_->positions(),
              ElementsAre(LanePosition{.lane = 4, .last_key = "so far", .rows = 44, .bytes = 444}));
  EXPECT_EQ(end(kStopped).state, RunState::kInterrupted);
}

}  // namespace
}  // namespace pegmove::migration
