#include "journal/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "journal/journals_test.h"
#include "testing/sim_clock.h"

namespace pegmove::journal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr int64_t kDay = 1'795'305'600;  // 2026-11-22 00:00:00 UTC

class JournalTest : public ::testing::Test {
 protected:
  JournalTest() { clock_.set_unix_seconds(kDay); }
  Journal open() { return good(Journal::open(folder_ / "journal.db", clock_)); }

  TestFolder folder_;
  pegmove::testing::SimClock clock_;
  Journal journal_ = open();
};

TEST_F(JournalTest, ARunIsReadBackAsItWasBegun) {
  const auto begun = good(journal_.begin(a_copy()));
  const auto run = good(open().get(begun.id));
  EXPECT_EQ(run.id, "copy-20261122-1");
  EXPECT_EQ(run.method, "copy");
  EXPECT_EQ(run.from, "127.0.0.1:34601");
  EXPECT_EQ(run.to, "backup");
  EXPECT_EQ(run.table, "users");
  EXPECT_EQ(run.to_table, "users_copy");
  EXPECT_EQ(run.state, RunState::kPlanned);
  EXPECT_EQ(run.created_unix_ms, kDay * 1000);
  EXPECT_EQ(run.updated_unix_ms, kDay * 1000);
  EXPECT_EQ(run.options, R"({"create":true})");
  EXPECT_EQ(run.reason, "");
  EXPECT_EQ(run.rows, 0);
  EXPECT_EQ(run.bytes, 0);
  EXPECT_EQ(run.result, "");
}

TEST_F(JournalTest, IdsCountWithinADayAndAMethod) {
  NewRun other = a_copy();
  other.method = "hot";
  for (int i = 1; i <= 11; ++i)
    EXPECT_EQ(good(journal_.begin(a_copy())).id, "copy-20261122-" + std::to_string(i));
  EXPECT_EQ(good(journal_.begin(other)).id, "hot-20261122-1");
  clock_.set_unix_seconds(kDay + 86'399);
  EXPECT_EQ(good(journal_.begin(a_copy())).id, "copy-20261122-12");
  clock_.set_unix_seconds(kDay + 86'400);
  EXPECT_EQ(good(journal_.begin(a_copy())).id, "copy-20261123-1");
}

TEST_F(JournalTest, ListsTheNewestFirst) {
  EXPECT_THAT(good(journal_.list()), IsEmpty());
  const auto first = good(journal_.begin(a_copy())).id;
  const auto second = good(journal_.begin(a_copy())).id;
  const auto runs = good(journal_.list());
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].id, second);
  EXPECT_EQ(runs[1].id, first);
}

TEST_F(JournalTest, RefusesARunThatCannotBeKept) {
  for (const char* method : {"", "Copy", "../x", "1copy", "a-b", "abcdefghijklmnopq"}) {
    NewRun run = a_copy();
    run.method = method;
    EXPECT_EQ(bad(journal_.begin(run)).code(), Code::kInvalidArgument) << method;
  }
  NewRun run = a_copy();
  run.options = "{";
  EXPECT_THAT(bad(journal_.begin(run)).to_string(), HasSubstr("JSON"));
  run = a_copy();
  run.table = "\xff";
  EXPECT_EQ(bad(journal_.begin(run)).code(), Code::kInvalidArgument);
  run = a_copy();
  run.to = std::string(Journal::kMostTextBytes + 1, 'x');
  EXPECT_EQ(bad(journal_.begin(run)).code(), Code::kTooLarge);
  EXPECT_THAT(good(journal_.list()), IsEmpty());
}

TEST_F(JournalTest, AnUnknownRunIsNamedEverywhere) {
  const std::string id = "copy-20260101-1";
  const UnitPosition position{.last_key = "k"};
  for (const Error& error :
       {bad(journal_.get(id)), bad(journal_.set_state(id, RunState::kRunning)),
        bad(journal_.save(id, {&position, 1})), bad(journal_.positions(id)),
        bad(journal_.forget_positions(id)), bad(journal_.set(id, "key", "value")),
        bad(journal_.request(id, Request::kPause)), bad(journal_.changes_since(id, 0)),
        bad(journal_.answer_requests(id, 0))}) {
    EXPECT_EQ(error.code(), Code::kNotFound);
    EXPECT_THAT(error.to_string(), HasSubstr(id));
    EXPECT_THAT(error.to_string(), HasSubstr("pegmove list"));
  }
  EXPECT_EQ(bad(journal_.get("../../etc/passwd")).code(), Code::kInvalidArgument);
}

TEST_F(JournalTest, AStateChangesWithItsReasonAndResult) {
  const auto id = good(journal_.begin(a_copy())).id;
  clock_.advance(async::milliseconds(1500));
  const auto run = good(journal_.set_state(id, RunState::kFailed, "disk full", R"({"rows":1})"));
  EXPECT_EQ(run.state, RunState::kFailed);
  EXPECT_EQ(run.reason, "disk full");
  EXPECT_EQ(run.result, R"({"rows":1})");
  EXPECT_EQ(run.created_unix_ms, kDay * 1000);
  EXPECT_EQ(run.updated_unix_ms, kDay * 1000 + 1500);
  good(journal_.set_state(id, RunState::kRunning));
  const auto again = good(open().get(id));
  EXPECT_EQ(again.state, RunState::kRunning);
  EXPECT_EQ(again.reason, "");
  EXPECT_EQ(again.result, R"({"rows":1})");
  EXPECT_EQ(bad(journal_.set_state(id, RunState::kFailed, "", "{")).code(), Code::kInvalidArgument);
}

TEST_F(JournalTest, EveryStateIsReadBack) {
  for (const auto state : {RunState::kRunning, RunState::kPaused, RunState::kDone,
                           RunState::kFailed, RunState::kCancelled, RunState::kInterrupted}) {
    const auto id = good(journal_.begin(a_copy())).id;
    good(journal_.set_state(id, state));
    EXPECT_EQ(good(journal_.get(id)).state, state);
    EXPECT_EQ(good(parse_run_state(to_string(state))), state);
  }
}

TEST_F(JournalTest, AFinalStateIsNotLeftAndNothingIsPlannedAgain) {
  for (const auto state : {RunState::kDone, RunState::kCancelled}) {
    const auto id = good(journal_.begin(a_copy())).id;
    good(journal_.set_state(id, RunState::kRunning));
    EXPECT_EQ(bad(journal_.set_state(id, RunState::kPlanned)).code(), Code::kRefused);
    good(journal_.set_state(id, state));
    const auto error = bad(journal_.set_state(id, RunState::kRunning));
    EXPECT_EQ(error.code(), Code::kRefused);
    EXPECT_THAT(error.to_string(), HasSubstr(id));
    EXPECT_EQ(good(journal_.get(id)).state, state);
  }
}

TEST_F(JournalTest, AReasonIsKeptWhateverItHolds) {
  const auto id = good(journal_.begin(a_copy())).id;
  EXPECT_EQ(good(journal_.set_state(id, RunState::kFailed, "key \xff")).reason, "key \\xFF");
  const auto longer = std::string(Journal::kMostReasonBytes + 1, 'x');
  EXPECT_LE(good(journal_.set_state(id, RunState::kFailed, longer)).reason.size(),
            Journal::kMostReasonBytes + 3);
}

TEST_F(JournalTest, PositionsAreReadBackByLaneAndSummed) {
  const auto id = good(journal_.begin(a_copy())).id;
  const auto other = good(journal_.begin(a_copy())).id;
  const std::string binary("\0\1\xff\0", 4);
  const UnitPosition unit7{.unit = 7,
                           .last_key = binary,
                           .rows = 10,
                           .bytes = 1000,
                           .done = true,
                           .detail = R"({"a":["é"]})"};
  const UnitPosition unit2{.unit = 2, .last_key = "", .rows = 0, .bytes = 0, .done = false};
  UnitPosition unit5{.unit = 5, .last_key = "b", .rows = 3, .bytes = int64_t(1) << 40};
  good(journal_.save(id, std::vector{unit7, unit2, unit5}));
  EXPECT_THAT(good(open().positions(id)), ElementsAre(unit2, unit5, unit7));
  clock_.advance(async::milliseconds(250));
  unit5 = {.unit = 5, .last_key = "c", .rows = 4, .bytes = int64_t(1) << 41};
  good(journal_.save(id, std::vector{unit5}));
  EXPECT_THAT(good(open().positions(id)), ElementsAre(unit2, unit5, unit7));
  const auto run = good(journal_.get(id));
  EXPECT_EQ(run.rows, 14);
  EXPECT_EQ(run.bytes, 1000 + (int64_t(1) << 41));
  EXPECT_EQ(run.updated_unix_ms, kDay * 1000 + 250);
  EXPECT_THAT(good(journal_.positions(other)), IsEmpty());
  EXPECT_EQ(good(journal_.get(other)).rows, 0);
}

TEST_F(JournalTest, ACallSavesAllPositionsOrNone) {
  const auto id = good(journal_.begin(a_copy())).id;
  const UnitPosition fine{.unit = 0, .last_key = "k", .rows = 1, .bytes = 1};
  for (const UnitPosition& wrong :
       {UnitPosition{.unit = -1}, UnitPosition{.unit = 1, .rows = -1},
        UnitPosition{.unit = 1, .bytes = -1}, UnitPosition{.unit = 1, .detail = "{"}})
    EXPECT_EQ(bad(journal_.save(id, std::vector{fine, wrong})).code(), Code::kInvalidArgument);
  const UnitPosition large{.unit = 1, .last_key = std::string(Journal::kMostKeyBytes + 1, 'x')};
  EXPECT_EQ(bad(journal_.save(id, std::vector{fine, large})).code(), Code::kTooLarge);
  const UnitPosition long_detail{
      .unit = 1, .detail = "\"" + std::string(Journal::kMostDetailBytes, 'x') + "\""};
  EXPECT_EQ(bad(journal_.save(id, std::vector{fine, long_detail})).code(), Code::kTooLarge);
  // Refused by SQLite, after the first was written: the sum does not fit.
  const UnitPosition most{.unit = 1, .rows = INT64_MAX};
  EXPECT_FALSE(journal_.save(id, std::vector{fine, most}));
  EXPECT_THAT(good(journal_.positions(id)), IsEmpty());
  good(journal_.save(id, std::vector{fine}));
  good(journal_.save(id, {}));
  EXPECT_THAT(good(journal_.positions(id)), ElementsAre(fine));
}

TEST_F(JournalTest, AKeyOfTheLargestSizeIsKept) {
  const auto id = good(journal_.begin(a_copy())).id;
  const UnitPosition large{.unit = 1, .last_key = std::string(Journal::kMostKeyBytes, 'x')};
  good(journal_.save(id, std::vector{large}));
  EXPECT_THAT(good(journal_.positions(id)), ElementsAre(large));
}

TEST_F(JournalTest, ForgottenPositionsAreGone) {
  const auto id = good(journal_.begin(a_copy())).id;
  good(journal_.save(id, std::vector{UnitPosition{.unit = 1, .rows = 5, .bytes = 6}}));
  good(journal_.forget_positions(id));
  EXPECT_THAT(good(journal_.positions(id)), IsEmpty());
  EXPECT_EQ(good(journal_.get(id)).rows, 0);
  EXPECT_EQ(good(journal_.get(id)).bytes, 0);
}

TEST_F(JournalTest, TheRunnerSeesWhatAnotherSetsAndAsksFor) {
  const auto id = good(journal_.begin(a_copy())).id;
  const auto unconcerned = good(journal_.begin(a_copy())).id;
  Journal other = open();
  const auto before = good(journal_.changes_since(id, 0));
  EXPECT_THAT(before.settings, IsEmpty());
  EXPECT_THAT(before.requests, IsEmpty());
  good(other.set(id, "max-rows-per-second", "1000"));
  good(other.set(id, "lanes", "4"));
  good(other.request(id, Request::kPause));
  const auto seen = good(journal_.changes_since(id, before.version));
  EXPECT_THAT(seen.settings, ElementsAre(Pair("lanes", "4"), Pair("max-rows-per-second", "1000")));
  EXPECT_THAT(seen.requests, ElementsAre(Request::kPause));
  EXPECT_GT(seen.version, before.version);

  const auto nothing = good(journal_.changes_since(id, seen.version));
  EXPECT_EQ(nothing.version, seen.version);
  EXPECT_THAT(nothing.settings, IsEmpty());
  EXPECT_THAT(nothing.requests, IsEmpty());

  good(other.set(id, "lanes", "8"));
  good(other.request(id, Request::kCancel));
  const auto later = good(journal_.changes_since(id, seen.version));
  EXPECT_THAT(later.settings, ElementsAre(Pair("lanes", "8")));
  EXPECT_THAT(later.requests, ElementsAre(Request::kCancel));
  EXPECT_THAT(good(journal_.changes_since(unconcerned, 0)).settings, IsEmpty());
}

TEST_F(JournalTest, AnAnsweredRequestIsToldNoMoreAndALaterOneIs) {
  const auto id = good(journal_.begin(a_copy())).id;
  good(journal_.set(id, "lanes", "4"));
  good(journal_.request(id, Request::kPause));
  const auto seen = good(journal_.changes_since(id, 0));
  good(journal_.request(id, Request::kCancel));
  good(journal_.answer_requests(id, seen.version));
  const auto resumed = good(journal_.changes_since(id, 0));
  EXPECT_THAT(resumed.settings, ElementsAre(Pair("lanes", "4")));
  EXPECT_THAT(resumed.requests, ElementsAre(Request::kCancel));
  // Versions are not given twice, even when the newest is gone.
  good(journal_.answer_requests(id, resumed.version));
  good(journal_.request(id, Request::kPause));
  EXPECT_THAT(good(journal_.changes_since(id, resumed.version)).requests,
              ElementsAre(Request::kPause));
}

TEST_F(JournalTest, RefusesSettingsThatCannotBeKept) {
  const auto id = good(journal_.begin(a_copy())).id;
  for (const std::string& key : {std::string(), std::string("a b"), std::string("a=b"),
                                 std::string(65, 'a'), std::string("a\0b", 3)})
    EXPECT_EQ(bad(journal_.set(id, key, "1")).code(), Code::kInvalidArgument) << key;
  EXPECT_EQ(bad(journal_.set(id, "a", "\xff")).code(), Code::kInvalidArgument);
  EXPECT_EQ(bad(journal_.set(id, "a", std::string(Journal::kMostSettingBytes + 1, 'x'))).code(),
            Code::kTooLarge);
  for (size_t i = 0; i < Journal::kMostSettings; ++i)
    good(journal_.set(id, "key" + std::to_string(i), "1"));
  EXPECT_EQ(bad(journal_.set(id, "one-more", "1")).code(), Code::kTooLarge);
  good(journal_.set(id, "key0", "2"));
  good(journal_.request(id, Request::kCancel));
}

TEST_F(JournalTest, ARunThatIsOverTakesNoRequests) {
  const auto id = good(journal_.begin(a_copy())).id;
  good(journal_.set_state(id, RunState::kDone));
  EXPECT_EQ(bad(journal_.request(id, Request::kPause)).code(), Code::kRefused);
  EXPECT_EQ(bad(journal_.set(id, "lanes", "1")).code(), Code::kRefused);
}

}  // namespace
}  // namespace pegmove::journal
