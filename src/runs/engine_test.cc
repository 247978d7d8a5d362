#include "runs/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "async/run.h"
#include "journal/journals_test.h"
#include "runs/fake_work_test.h"
#include "runs/steering.h"
#include "testing/quick_clock.h"
#include "testing/sim_clock.h"

namespace pegmove::runs {
namespace {

using journal::bad;
using journal::good;
using journal::Journal;
using journal::Request;
using journal::RunState;
using journal::StepState;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::vector<std::string> kForward = {
    "make.begun", "make.acted", "make.done", "set.begun",    "set.acted",    "set.done",
    "copy.begun", "copy.acted", "copy.done", "switch.begun", "switch.acted", "ended"};
const std::vector<std::string> kBackward = {"cancelling",  "set.undoing",  "set.undo-acted",
                                            "set.undone",  "make.undoing", "make.undo-acted",
                                            "make.undone", "cancelled"};

class EngineTest : public ::testing::Test {
 protected:
  EngineTest() { world().write("setting", "old"); }

  FakeWork world() const { return FakeWork(folder_ / ""); }
  journal::Run seen() { return good(good(Journal::open(path_, clock_)).get(id_)); }
  void request(Request request) { good(good(Journal::open(path_, clock_)).request(id_, request)); }
  SessionPlace place() {
    return {.executor = context_.get_executor(),
            .clock = clock_,
            .stop = stop_,
            .journal_path = path_,
            .run = id_};
  }
  template <typename T>
  Result<T> hold(std::function<Task<T>(RunSession&)> work) {
    return async::run_to_end(context_, RunSession::hold<T>(place(), std::move(work)));
  }
  // Another process resumes the run, and dies at the failpoint, if one is given.
  Result<Ending> carry_out(FakeWork& work, const std::string& die_at = "") {
    stop_.withdraw();
    passed_.clear();
    events_.at = [this, die_at](std::string_view point) {
      passed_.emplace_back(point);
      if (point == die_at) std::raise(SIGKILL);
    };
    events_.say = [this](const std::string& text) { said_.push_back(text); };
    return hold<Ending>(
        [&](RunSession& session) { return runs::carry_out(session, work, events_, false); });
  }
  Result<Ending> carry_out() {
    auto work = world();
    return carry_out(work);
  }
  Result<journal::Run> cancel() {
    return async::run_to_end(
        context_, runs::cancel(place(), registry_, events_, Deadline::in(clock_, kSoon)));
  }

  static constexpr async::milliseconds kSoon{1000};
  journal::TestFolder folder_;
  const std::string path_ = folder_ / "journal.db";
  testing::SimClock time_;
  testing::QuickClock clock_{time_};
  asio::io_context context_;
  async::StopSignal stop_;
  const std::string id_ = good(good(Journal::open(path_, clock_)).begin(journal::a_copy())).id;
  Events events_;
  std::vector<std::string> passed_, said_;
  Registry registry_{{{.name = "copy", .make = [this](const journal::Run&) {
                         return Result<std::unique_ptr<Work>>(
                             std::make_unique<FakeWork>(folder_ / ""));
                       }}}};
};

TEST_F(EngineTest, CarriesTheStepsOutInOrder) {
  const auto ending = good(carry_out());
  EXPECT_EQ(ending.state, RunState::kDone);
  EXPECT_EQ(ending.report->text, "Done.\n");
  EXPECT_EQ(passed_, kForward);
  EXPECT_EQ(seen().state, RunState::kDone);
  EXPECT_EQ(seen().result, R"({"rows":1})");
  EXPECT_TRUE(world().has("switched"));
  const auto steps = good(good(Journal::open(path_, clock_)).steps(id_));
  ASSERT_EQ(steps.size(), 4u);
  EXPECT_EQ(steps[0].product, R"({"table":1})");
  EXPECT_EQ(steps[1].before, R"({"setting":"old"})");
  for (const auto& step : steps) EXPECT_EQ(step.state, StepState::kDone);
}

TEST_F(EngineTest, AStepThatFailsIsRepeatedAndThoseBeforeItAreNot) {
  auto work = world();
  work.copy_fails = Error(Code::kUnreachable, "the target is away");
  const auto ending = good(carry_out(work));
  EXPECT_EQ(ending.state, RunState::kFailed);
  EXPECT_THAT(seen().reason, HasSubstr("the target is away"));
  auto again = world();
  EXPECT_EQ(good(carry_out(again)).state, RunState::kDone);
  EXPECT_EQ(again.makes, 0);
  EXPECT_EQ(again.table, 1) << "what the first process made";
}

TEST_F(EngineTest, AnErrorBeforeAnythingWasMadeCanBeResumed) {
  world().write("table", "another's");
  EXPECT_EQ(good(carry_out()).state, RunState::kFailed);
  std::filesystem::remove(folder_ / "table");
  EXPECT_EQ(good(carry_out()).state, RunState::kDone);
}

TEST_F(EngineTest, ARunThatCannotBeResumedNowStaysAsItIs) {
  good(good(Journal::open(path_, clock_)).set_state(id_, RunState::kPaused));
  auto work = world();
  work.refusal = Error(Code::kRefused, "the target has rows");
  EXPECT_EQ(good(carry_out(work)).refused->message(), "the target has rows");
  work.is_away = true;
  EXPECT_EQ(good(carry_out(work)).refused->code(), Code::kUnreachable);
  EXPECT_EQ(seen().state, RunState::kPaused);
  EXPECT_THAT(passed_, IsEmpty());
}

TEST_F(EngineTest, AStopPausesOrInterrupts) {
  auto work = world();
  work.at_copy = [this] { stop_.request(); };
  EXPECT_EQ(good(carry_out(work)).state, RunState::kInterrupted);
  work.at_copy = [this] {
    request(Request::kPause);
    stop_.request();
  };
  EXPECT_EQ(good(carry_out(work)).state, RunState::kPaused);
  EXPECT_EQ(seen().reason, "");
  EXPECT_EQ(good(carry_out()).state, RunState::kDone);
}

TEST_F(EngineTest, WorkThatIsDoneAndFoundWrongIsAFailureThatKeepsItsReport) {
  auto work = world();
  work.not_done = Error(Code::kRefused, "some rows differ");
  const auto ending = good(carry_out(work));
  EXPECT_EQ(ending.state, RunState::kFailed);
  EXPECT_TRUE(ending.report);
  EXPECT_EQ(seen().reason, "some rows differ");
}

TEST_F(EngineTest, ACancelUndoesTheStepsInReverseAndKeepsWhatItDid) {
  auto work = world();
  work.at_copy = [this] {
    request(Request::kCancel);
    stop_.request();
  };
  const auto ending = good(carry_out(work));
  EXPECT_EQ(ending.state, RunState::kCancelled);
  EXPECT_EQ(seen().state, RunState::kCancelled);
  EXPECT_FALSE(world().has("table"));
  EXPECT_EQ(world().read("setting"), "old");
  const auto undone = undone_of(seen());
  ASSERT_EQ(undone.size(), 2u);
  EXPECT_EQ(undone[0].says, "the setting is as it was");
  EXPECT_EQ(undone[1].says, "the table is dropped");
  EXPECT_EQ(std::vector(passed_.end() - 8, passed_.end()), kBackward);
}

TEST_F(EngineTest, ACancelOfARunThatNobodyWorksOnUndoesItHere) {
  auto work = world();
  work.copy_fails = Error(Code::kUnreachable, "the target is away");
  good(carry_out(work));
  EXPECT_EQ(good(cancel()).state, RunState::kCancelled);
  EXPECT_FALSE(world().has("table"));
  EXPECT_EQ(world().read("setting"), "old");
}

TEST_F(EngineTest, ACancelOfARunThatHasBegunNothingAsksNobody) {
  auto work = world();
  work.is_away = true;
  request(Request::kCancel);
  EXPECT_EQ(good(carry_out(work)).state, RunState::kCancelled);
}

TEST_F(EngineTest, AnUndoThatIsNotKnownToHaveHappenedIsNotLost) {
  auto work = world();
  work.copy_fails = Error(Code::kUnreachable, "the target is away");
  good(carry_out(work));
  request(Request::kCancel);
  auto away = world();
  away.is_away = true;
  auto ending = good(carry_out(away));
  EXPECT_EQ(ending.state, RunState::kCancelling);
  EXPECT_THAT(seen().reason, HasSubstr("the cluster is away"));
  auto deaf = world();
  deaf.is_known_at_undo = false;
  ending = good(carry_out(deaf));
  EXPECT_EQ(ending.state, RunState::kCancelling);
  EXPECT_THAT(seen().reason, HasSubstr("undoing step make: no answer"));
  EXPECT_EQ(seen().state, RunState::kCancelling);
  EXPECT_EQ(good(cancel()).state, RunState::kCancelled);
  EXPECT_FALSE(world().has("table"));
  EXPECT_EQ(undone_of(seen()).size(), 2u) << "what the earlier process undid is also reported";
}

TEST_F(EngineTest, ACancelThatIsTooLateLetsTheRunEnd) {
  auto work = world();
  work.write("switched", "by a process that was killed before it noted so");
  work.at_copy = [this] {
    request(Request::kCancel);
    stop_.request();
  };
  auto first = good(carry_out(work));
  EXPECT_EQ(first.state, RunState::kCancelled) << "the switch was not begun by this run";

  const auto other = good(good(Journal::open(path_, clock_)).begin(journal::a_copy())).id;
  good(good(Journal::open(path_, clock_))
           .save_step(other, {.name = "make", .state = StepState::kDone}));
  good(good(Journal::open(path_, clock_)).save_step(other, {.name = "switch"}));
  good(good(Journal::open(path_, clock_)).request(other, Request::kCancel));
  stop_.withdraw();
  auto late = world();
  auto where = place();
  where.run = other;
  auto ending =
      good(async::run_to_end(context_, RunSession::hold<Ending>(where, [&](RunSession& session) {
                               return runs::carry_out(session, late, events_, false);
                             })));
  EXPECT_TRUE(ending.was_too_late);
  EXPECT_EQ(ending.state, RunState::kDone);
  EXPECT_EQ(good(good(Journal::open(path_, clock_)).get(other)).state, RunState::kDone);
}

TEST_F(EngineTest, AbandoningListsWhatIsLeft) {
  auto work = world();
  work.copy_fails = Error(Code::kUnreachable, "the target is away");
  good(carry_out(work));
  const auto run = good(async::run_to_end(context_, abandon(place(), registry_)));
  EXPECT_EQ(run.state, RunState::kCancelled);
  const auto left = undone_of(run);
  ASSERT_EQ(left.size(), 2u);
  EXPECT_EQ(left[0].end, UndoEnd::kCannot);
  EXPECT_THAT(left[0].says, HasSubstr(R"(before it: {"setting":"old"})"));
  EXPECT_THAT(left[1].says, HasSubstr("make the table"));
  EXPECT_TRUE(world().has("table"));
}

TEST_F(EngineTest, AStepThatLeadsBackIsDoneAgainWithThoseBeforeIt) {
  auto work = world();
  int copies = 0;
  work.at_copy_in = [&](RunSession& session) {
    if (++copies == 1) session.repeat_from("set", "the setting was lost");
  };
  EXPECT_EQ(good(carry_out(work)).state, RunState::kDone);
  EXPECT_EQ(work.makes, 1);
  EXPECT_EQ(copies, 2);
  EXPECT_EQ(passed_,
            (std::vector<std::string>{
                "make.begun", "make.acted", "make.done", "set.begun", "set.acted", "set.done",
                "copy.begun", "copy.acted", "set.repeats", "set.begun", "set.acted", "set.done",
                "copy.begun", "copy.acted", "copy.done", "switch.begun", "switch.acted", "ended"}));
}

TEST_F(EngineTest, AStepThatWasRepeatedInVainCanBeCancelled) {
  auto work = world();
  work.at_copy_in = [&](RunSession& session) {
    if (session.find_step("copy")->outcome.empty())
      session.repeat_from("set", "again");
    else
      work.copy_fails = Error(Code::kUnreachable, "the target is away");
  };
  EXPECT_EQ(good(carry_out(work)).state, RunState::kFailed);
  EXPECT_EQ(good(cancel()).state, RunState::kCancelled);
  EXPECT_EQ(world().read("setting"), "old");
}

TEST_F(EngineTest, ARequestForAStepReachesIt) {
  auto work = world();
  std::optional<Request> taken;
  work.at_copy_in = [&](RunSession& session) { taken = session.take_request(); };
  request(Request::kCutover);
  const auto asked = async::run_to_end(
      context_,
      ask(
          place(), Request::kRollback, [](const auto&) { return false; },
          [&](RunSession& session) { return runs::carry_out(session, work, events_, false); },
          Deadline::in(clock_, kSoon)));
  ASSERT_TRUE(asked) << asked.error().to_string();
  EXPECT_EQ(taken, Request::kRollback) << "not the older one";
  ASSERT_TRUE(asked->ending);
  EXPECT_EQ(asked->run.state, RunState::kDone);
}

TEST_F(EngineTest, ARequestFromBeforeIsNotTakenUpByAResume) {
  request(Request::kCutover);
  auto work = world();
  std::optional<Request> taken;
  work.at_copy_in = [&](RunSession& session) { taken = session.take_request(); };
  EXPECT_EQ(good(carry_out(work)).state, RunState::kDone);
  EXPECT_EQ(taken, std::nullopt);
}

TEST_F(EngineTest, WhoAsksWaitsForTheProcessThatWorksOnTheRun) {
  const auto asked = hold<Asked>([&](RunSession&) {
    return ask(
        place(), Request::kComplete, [](const auto& steps) { return steps.empty(); },
        [](RunSession&) -> Task<Ending> { co_return Ending{}; }, Deadline::in(clock_, kSoon));
  });
  ASSERT_TRUE(asked) << asked.error().to_string();
  EXPECT_FALSE(asked->ending);
  const auto late = hold<Asked>([&](RunSession&) {
    return ask(
        place(), Request::kComplete, [](const auto&) { return false; },
        [](RunSession&) -> Task<Ending> { co_return Ending{}; },
        Deadline::in(clock_, async::milliseconds(0)));
  });
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), Code::kTimeout);
}

TEST_F(EngineTest, SettingsReachTheWork) {
  good(good(Journal::open(path_, clock_)).set(id_, "pace", "1"));
  auto work = world();
  good(carry_out(work));
  EXPECT_THAT(work.applied, ElementsAre(std::pair<std::string, std::string>("pace", "1")));
}

TEST_F(EngineTest, ThePlanShowsTheSteps) {
  auto work = world();
  EXPECT_EQ(procedure_text(work.steps()),
            "1. make the table\n2. change the setting\n3. copy the rows\n4. switch\n");
  EXPECT_THAT(procedure_json(work.steps()), HasSubstr(R"("kind": "pivot")"));
}

// Named so, it runs before other tests have threads.
class KilledRunDeathTest : public EngineTest {
 protected:
  [[noreturn]] void be_killed_at(const std::string& point, bool cancels) {
    auto work = world();
    if (cancels) work.copy_fails = Error(Code::kUnreachable, "the target is away");
    if (cancels) good(carry_out(work));
    if (cancels) request(Request::kCancel);
    good(carry_out(work, point));
    std::abort();  // the point was not passed
  }
};

TEST_F(KilledRunDeathTest, AtEveryPointOfTheWayForward) {
  for (const auto& point : kForward) {
    if (point == "ended") continue;  // nothing is left to be done
    EXPECT_EXIT(be_killed_at(point, false), ::testing::KilledBySignal(SIGKILL), "") << point;
    EXPECT_EQ(seen().state, RunState::kRunning) << point;
    EXPECT_EQ(good(carry_out()).state, RunState::kDone) << point;
    EXPECT_TRUE(world().has("switched")) << point;
    EXPECT_EQ(world().read("rows"), "all") << point;
    std::filesystem::remove_all(folder_ / "journal.db");
    for (const char* name : {"table", "rows", "switched", "journal.db-wal", "journal.db-shm"})
      std::filesystem::remove(folder_ / name);
    world().write("setting", "old");
    good(good(Journal::open(path_, clock_)).begin(journal::a_copy()));
  }
}

TEST_F(KilledRunDeathTest, AtEveryPointOfTheWayBack) {
  for (const auto& point : kBackward) {
    if (point == "cancelled") continue;  // nothing is left to be done
    EXPECT_EXIT(be_killed_at(point, true), ::testing::KilledBySignal(SIGKILL), "") << point;
    EXPECT_EQ(seen().state, RunState::kCancelling) << point;
    EXPECT_EQ(good(carry_out()).state, RunState::kCancelled) << point;
    EXPECT_FALSE(world().has("table")) << point;
    EXPECT_EQ(world().read("setting"), "old") << point;
    for (const char* name : {"journal.db", "journal.db-wal", "journal.db-shm"})
      std::filesystem::remove(folder_ / name);
    good(good(Journal::open(path_, clock_)).begin(journal::a_copy()));
  }
}

}  // namespace
}  // namespace pegmove::runs
