#include "runs/run_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <thread>

#include "async/event.h"
#include "async/run.h"
#include "journal/journals_test.h"
#include "testing/sim_clock.h"

namespace pegmove::runs {
namespace {

using async::milliseconds;
using journal::bad;
using journal::good;
using journal::Journal;
using journal::Request;
using journal::RunState;
using journal::UnitPosition;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr milliseconds kSaveInterval{200};

class RunSessionTest : public ::testing::Test {
 protected:
  // What a failed test left behind must end, too.
  void TearDown() override { close(); }
  // The view of another process on the run, and its requests.
  Journal open() { return good(Journal::open(path_, clock_)); }
  journal::Run seen() { return good(journal_->get(id_)); }
  std::vector<UnitPosition> positions() { return good(journal_->positions(id_, kStep)); }

  template <typename T>
  T run(asio::awaitable<T> routine) {
    return async::run_to_end(context_, std::move(routine));
  }
  SessionPlace place(const std::string& id) {
    return {.executor = context_.get_executor(),
            .clock = clock_,
            .stop = stop_,
            .journal_path = path_,
            .run = id};
  }
  // Holds the run for a moment.
  Result<bool> try_hold(const std::string& id) {
    return run(
        RunSession::hold<bool>(place(id), [](RunSession&) -> Task<bool> { co_return true; }));
  }
  // Holds it until close(): session_ is it.
  void take() {
    is_closing_ = false;
    held_.reset();
    asio::co_spawn(
        context_,
        RunSession::hold<bool>(place(id_), [this](RunSession& session) { return keep(session); }),
        [this](std::exception_ptr, Result<bool> held) { held_ = std::move(held); });
    until([&] { return session_ || held_; });
    if (!session_) throw std::runtime_error(held_->error().to_string());
  }
  Task<bool> keep(RunSession& session) {
    session_ = &session;
    while (!is_closing_) co_await closing_.wait();  // no result
    session_ = nullptr;
    co_return true;
  }
  void close() {
    if (!session_) return;
    is_closing_ = true;
    closing_.notify();
    until([&] { return held_.has_value(); });
  }
  void begin(RunSession::SettingListener listener = {}) {
    take();
    good(run(session_->begin(std::move(listener))));
  }
  void begin_step() {
    begin();
    good(run(session_->save_step({.name = kStep})));
  }
  void end(RunState state, const std::string& reason = "",
           std::optional<std::string> result = std::nullopt) {
    good(run(session_->rest()));
    good(run(session_->leave(state, reason, std::move(result))));
    close();
  }
  // Runs the background work until the condition is true.
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

  static constexpr const char* kStep = "copy-rows";
  journal::TestFolder folder_;
  const std::string path_ = folder_ / "journal.db";
  pegmove::testing::SimClock clock_;
  asio::io_context context_;
  async::StopSignal stop_;
  std::optional<Journal> journal_ = open();
  const std::string id_ = good(journal_->begin(journal::a_copy())).id;
  async::Event closing_;
  bool is_closing_ = false;
  std::optional<Result<bool>> held_;
  RunSession* session_ = nullptr;
};

TEST_F(RunSessionTest, ARunIsHeldByOneAtATime) {
  take();
  auto error = bad(try_hold(id_));
  EXPECT_EQ(error.code(), Code::kBusy);
  EXPECT_THAT(error.message(), HasSubstr(id_));
  close();
  EXPECT_TRUE(try_hold(id_));
}

TEST_F(RunSessionTest, AnUnknownRunIsNotHeld) {
  EXPECT_EQ(bad(try_hold("copy-20000101-1")).code(), Code::kNotFound);
  EXPECT_EQ(bad(try_hold("../journal")).code(), Code::kInvalidArgument);
}

TEST_F(RunSessionTest, ARunThatIsOverIsNotHeld) {
  for (auto state : {RunState::kDone, RunState::kCancelled}) {
    const auto over = good(journal_->begin(journal::a_copy())).id;
    good(journal_->set_state(over, state));
    auto error = bad(try_hold(over));
    EXPECT_EQ(error.code(), Code::kRefused);
    EXPECT_THAT(error.message(), HasSubstr(over + " has ended"));
    EXPECT_THAT(error.message(), HasSubstr(std::string(journal::to_string(state))));
    EXPECT_EQ(good(journal::RunLock::holder(*journal_, over)), std::nullopt);
  }
}

TEST_F(RunSessionTest, ARunThatEndedEarlyRunsAgain) {
  for (auto state : {RunState::kPaused, RunState::kFailed, RunState::kInterrupted}) {
    good(journal_->set_state(id_, state, "as it was"));
    begin_step();
    EXPECT_EQ(seen().state, RunState::kRunning);
    EXPECT_EQ(seen().reason, "");
    end(RunState::kInterrupted);
  }
}

// The work returned early, between begin() and rest(): nothing aborts, the lock is free, and what
// was journaled stays.
TEST_F(RunSessionTest, WorkThatFailsAnywhereLeavesASessionThatIsClosed) {
  const auto work = [](RunSession& session) -> Task<bool> {
    CO_TRY(co_await session.begin());
    CO_TRY(co_await session.save_step({.name = "make-target"}));
    co_return fail(Code::kIo, "the journal's disk is full");
  };
  EXPECT_EQ(bad(run(RunSession::hold<bool>(place(id_), work))).code(), Code::kIo);
  EXPECT_EQ(clock_.sleepers(), 0u);
  EXPECT_EQ(seen().state, RunState::kRunning) << "killed, as seen by other processes";
  EXPECT_EQ(good(journal_->steps(id_)).size(), 1u);
  EXPECT_TRUE(try_hold(id_));
}

TEST_F(RunSessionTest, NotesAreInTheJournalAfterAnInterval) {
  begin_step();
  const UnitPosition first{.unit = 0, .last_key = "a", .rows = 3, .bytes = 30, .step = kStep};
  const UnitPosition second{
      .unit = 7, .last_key = "b", .rows = 4, .bytes = 40, .done = true, .step = kStep};
  session_->note(first);
  session_->note(second);
  pass_interval();
  until([&] { return positions() == std::vector{first, second}; });
  EXPECT_EQ(seen().rows, 7);
  end(RunState::kInterrupted);
}

TEST_F(RunSessionTest, TheNewestNoteOfAUnitCounts) {
  begin_step();
  for (int64_t rows : {1, 2, 3}) session_->note({.unit = 1, .rows = rows});
  pass_interval();
  until([&] { return seen().rows == 3; });
  session_->note({.unit = 1, .rows = 4});
  pass_interval();
  until([&] { return seen().rows == 4; });
  end(RunState::kInterrupted);
  EXPECT_THAT(positions(), ElementsAre(UnitPosition{.unit = 1, .rows = 4, .step = kStep}));
}

TEST_F(RunSessionTest, ANoteDuringASaveIsWrittenAfterIt) {
  begin_step();
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  session_->note({.unit = 1, .rows = 1});
  pass_interval();
  context_.restart();
  context_.poll();  // the save is under way, and waits
  session_->note({.unit = 1, .rows = 2});
  EXPECT_THAT(positions(), IsEmpty());
  ASSERT_EQ(sqlite3_exec(other, "COMMIT", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(other);
  until([&] { return seen().rows == 1; });
  end(RunState::kInterrupted);
  EXPECT_EQ(seen().rows, 2);
}

TEST_F(RunSessionTest, PositionsBelongToAStep) {
  begin_step();
  session_->note({.unit = 2, .last_key = "k", .rows = 9});
  good(run(session_->save_step({.name = kStep, .state = journal::StepState::kDone})));
  good(run(session_->save_step({.name = "verify"})));
  EXPECT_THAT(session_->positions(), IsEmpty());
  session_->note({.unit = 2, .last_key = "z", .rows = 1});
  end(RunState::kInterrupted);
  const UnitPosition first{.unit = 2, .last_key = "k", .rows = 9, .step = kStep};
  const UnitPosition second{.unit = 2, .last_key = "z", .rows = 1, .step = "verify"};
  EXPECT_THAT(positions(), ElementsAre(first));
  EXPECT_EQ(seen().rows, 1) << "of the step under way";
  begin_step();
  EXPECT_THAT(session_->positions(), ElementsAre(first));
  EXPECT_THAT(good(run(session_->positions_of("verify"))), ElementsAre(second));
  end(RunState::kInterrupted);
}

TEST_F(RunSessionTest, ForgottenPositionsAreGone) {
  good(journal_->save(id_, std::vector{UnitPosition{.unit = 2, .rows = 9, .step = kStep}}));
  begin_step();
  good(run(session_->forget_positions()));
  EXPECT_THAT(session_->positions(), IsEmpty());
  EXPECT_THAT(positions(), IsEmpty());
  end(RunState::kInterrupted);
}

TEST_F(RunSessionTest, RequestsStopTheWorkAndACancelIsMoreThanAPause) {
  for (auto [first, second, is_cancel] : {std::tuple(Request::kPause, Request::kPause, false),
                                          std::tuple(Request::kPause, Request::kCancel, true),
                                          std::tuple(Request::kCancel, Request::kPause, true)}) {
    begin_step();
    good(journal_->request(id_, first));
    good(journal_->request(id_, second));
    EXPECT_FALSE(stop_.requested());
    pass_intervals_until_stopped();
    EXPECT_EQ(session_->is_cancel_requested(), is_cancel);
    end(RunState::kPaused);
    EXPECT_THAT(good(journal_->changes_since(id_, 0)).requests, IsEmpty());
    stop_.withdraw();
  }
}

TEST_F(RunSessionTest, ACancelFromBeforeIsKnownAndStaysUntilItIsDone) {
  good(journal_->request(id_, Request::kCancel));
  take();
  EXPECT_TRUE(session_->is_cancel_requested());
  good(run(session_->begin_undo()));
  EXPECT_EQ(seen().state, RunState::kCancelling);
  good(run(session_->leave(RunState::kCancelling, "the cluster is away")));
  close();
  EXPECT_EQ(seen().reason, "the cluster is away");
  take();
  EXPECT_TRUE(session_->is_cancel_requested());
  close();
}

TEST_F(RunSessionTest, APauseFromBeforeDoesNotStopANewProcess) {
  good(journal_->request(id_, Request::kPause));
  begin_step();
  EXPECT_THAT(good(journal_->changes_since(id_, 0)).requests, IsEmpty());
  for (int64_t round : {1, 2, 3}) {
    session_->note({.unit = 0, .rows = round});
    pass_interval();
    until([&] { return seen().rows == round && clock_.sleepers() == 1; });
  }
  EXPECT_FALSE(stop_.requested());
  end(RunState::kInterrupted);
}

TEST_F(RunSessionTest, AStepThatTakesTooLongIsStopped) {
  begin_step();
  session_->limit_step(milliseconds(300));
  pass_interval();
  until([&] { return clock_.sleepers() == 1; });
  EXPECT_FALSE(session_->timed_out());
  pass_intervals_until_stopped();
  EXPECT_TRUE(session_->timed_out());
  end(RunState::kFailed);
}

TEST_F(RunSessionTest, LeasesAreExtendedWhileTheProcessIsThereAndEndWithIt) {
  begin_step();
  good(run(session_->grant_lease("fence", milliseconds(1000))));
  const auto until_ms = [&] { return good(journal_->leases(id_)).at(0).until_unix_ms; };
  const auto first = until_ms();
  EXPECT_EQ(first, clock_.unix_us() / 1000 + 1000);
  for (int i = 0; i < 3; ++i) {
    pass_interval();
    until([&] { return clock_.sleepers() == 1; });
  }
  EXPECT_GT(until_ms(), first);
  good(run(session_->end_leases()));
  EXPECT_THAT(good(journal_->leases(id_)), IsEmpty());
  end(RunState::kInterrupted);
}

TEST_F(RunSessionTest, ALeaseForACertainTimeIsNotExtended) {
  begin_step();
  good(run(session_->grant_lease("cutover", milliseconds(1000), RunSession::Extend::kNo)));
  const auto until_ms = [&] { return good(journal_->leases(id_)).at(0).until_unix_ms; };
  const auto first = until_ms();
  EXPECT_EQ(first, clock_.unix_us() / 1000 + 1000);
  for (int i = 0; i < 3; ++i) {
    pass_interval();
    until([&] { return clock_.sleepers() == 1; });
  }
  EXPECT_EQ(until_ms(), first);
  good(run(session_->end_leases()));
  EXPECT_THAT(good(journal_->leases(id_)), IsEmpty());
  end(RunState::kInterrupted);
}

TEST_F(RunSessionTest, SettingsReachTheListenerBeforeAndDuringTheWork) {
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
  end(RunState::kInterrupted);
}

TEST_F(RunSessionTest, OthersSeeWhyARunWaits) {
  begin();
  for (const char* reason : {"target: no primary", "source: busy", ""}) {
    session_->set_reason(reason);
    pass_interval();
    until([&] { return seen().reason == reason; });
    EXPECT_EQ(seen().state, RunState::kRunning);
  }
  end(RunState::kInterrupted);
}

TEST_F(RunSessionTest, AReasonThatComesBackWhileAnotherIsWrittenIsWritten) {
  begin();
  session_->set_reason("a");
  pass_interval();
  until([&] { return seen().reason == "a" && clock_.sleepers() == 1; });
  session_->set_reason("b");
  clock_.advance(kSaveInterval);
  context_.restart();
  context_.poll();  // "b" is being written
  session_->set_reason("a");
  pass_interval();
  until([&] { return seen().reason == "a" && clock_.sleepers() == 1; });
  pass_interval();
  until([&] { return clock_.sleepers() == 1; });
  EXPECT_EQ(seen().reason, "a");
  end(RunState::kInterrupted);
}

TEST_F(RunSessionTest, ProgressIsInTheJournalWithItsStep) {
  begin_step();
  session_->set_progress({.line = "copying", .unit = "rows", .done = 5, .total = 9});
  pass_interval();
  until([&] { return good(journal_->progress(id_)).done == 5; });
  EXPECT_EQ(good(journal_->progress(id_)).step, kStep);
  end(RunState::kInterrupted);
}

TEST_F(RunSessionTest, TheEndIsWrittenWithItsResult) {
  begin_step();
  session_->set_reason("it waits");
  end(RunState::kDone, "", R"({"rows":9})");
  EXPECT_EQ(seen().state, RunState::kDone);
  EXPECT_EQ(seen().result, R"({"rows":9})");
  EXPECT_EQ(seen().reason, "");
}

TEST_F(RunSessionTest, AJournalThatIsDamagedEndsTheWork) {
  begin_step();
  journal::tamper(path_, "UPDATE runs SET options = '{'");
  pass_intervals_until_stopped();
  auto error = bad(run(session_->rest()));
  EXPECT_EQ(error.code(), Code::kCorrupt) << error.to_string();
  EXPECT_THAT(error.to_string(), HasSubstr(path_));
}

TEST_F(RunSessionTest, AJournalThatCannotBeWrittenEndsTheWork) {
  begin_step();
  journal::tamper(path_, "DROP TABLE units");
  session_->note({.unit = 0, .rows = 1});
  pass_intervals_until_stopped();
  auto error = bad(run(session_->rest()));
  EXPECT_THAT(error.to_string(), HasSubstr("saving positions of run " + id_));
  EXPECT_EQ(seen().state, RunState::kRunning) << "it is not over: what it did is not known";
}

TEST_F(RunSessionTest, ANoteThatCannotBeKeptEndsTheWork) {
  begin_step();
  session_->note({.unit = 0, .rows = 1, .detail = "{"});
  pass_intervals_until_stopped();
  EXPECT_EQ(bad(run(session_->rest())).code(), Code::kInvalidArgument);
}

// Named so, it runs before other tests have threads.
class KilledSessionDeathTest : public RunSessionTest {
 protected:
  [[noreturn]] void work_and_be_killed() {
    journal_ = open();
    begin_step();
    session_->note({.unit = 4, .last_key = "so far", .rows = 44, .bytes = 444});
    pass_interval();
    until([&] { return seen().rows == 44; });
    std::raise(SIGKILL);
    std::abort();
  }
};

TEST_F(KilledSessionDeathTest, WhatWasSavedSurvives) {
  journal_.reset();  // an open file of SQLite does not go well with a fork
  EXPECT_EXIT(work_and_be_killed(), ::testing::KilledBySignal(SIGKILL), "");
  journal_ = open();
  EXPECT_EQ(seen().state, RunState::kRunning);
  begin();
  ASSERT_EQ(session_->steps().size(), 1u);
  good(run(session_->save_step(session_->steps()[0])));
  EXPECT_THAT(session_->positions(),
              ElementsAre(UnitPosition{
                  .unit = 4, .last_key = "so far", .rows = 44, .bytes = 444, .step = kStep}));
  end(RunState::kInterrupted);
}

}  // namespace
}  // namespace pegmove::runs
