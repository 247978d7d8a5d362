#include "relay/lane.h"

#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>

#include "async/run.h"
#include "relay/fake_target_test.h"
#include "testing/sim_clock.h"

namespace pegmove::relay {
namespace {

using async::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using wire::ErrorCode;

// Keys of one source partition (1 of 4) that belong to two of the target (1 and 5 of 8, and of 16).
const std::string kA = key_in(1, 16), kB = key_in(5, 16), kC = key_in(1, 16, 1);

class LaneTest : public ::testing::Test {
 protected:
  ~LaneTest() override {
    target.release();
    lane.end();
    async::run_to_end(context, join());
  }
  Routine<bool> join() {
    co_await lane.join();  // no result
    co_return true;
  }
  void settle() {
    context.restart();
    context.poll();
  }
  void advance(milliseconds by) {
    clock.advance(by);
    settle();
  }
  void advance_seconds(int count) {
    for (int i = 0; i < count; ++i) advance(milliseconds(1'000));
  }
  Task<> confirm() {
    ++confirmations;
    co_return confirmed;
  }
  // The number of the request among `answers`.
  size_t take(const std::vector<Write>& writes) {
    const auto number = answers.size();
    answers.emplace_back();
    lane.take(request_of(writes), [this, number](ErrorCode code) {
      EXPECT_FALSE(answers[number]) << "answered twice";
      answers[number] = code;
    });
    settle();
    return number;
  }

  asio::io_context context;
  pegmove::testing::SimClock clock;
  FakeTarget target;
  metrics::Entity entity{"relay", "relay@t", {}};
  RelayMetrics metrics{entity};
  bool is_sealed = false;
  Result<int64_t> epoch = 7;
  Result<void> confirmed{};  // what ZooKeeper says of the session
  int confirmations = 0;
  Forwarding forwarding{.executor = context.get_executor(),
                        .clock = clock,
                        .target = target,
                        .metrics = metrics,
                        .is_sealed = [this] { return is_sealed; },
                        .confirm = [this] { return confirm(); }};
  Lane lane{forwarding, [this] { return epoch; }, Logger("test")};
  std::vector<std::optional<ErrorCode>> answers;
};

TEST_F(LaneTest, SplitsByTheTargetsPartitionsAndKeepsTheOrderOfEach) {
  take({put(kA, "1"), put(kB, "2"), remove(kA), put(kC, "3", 2), put(kA, "4", 3)});
  EXPECT_THAT(answers, ElementsAre(ErrorCode::kOk));
  EXPECT_THAT(target.written,
              UnorderedElementsAre("1: put " + kA + "=1", "1: remove " + kA, "1: put " + kC + "=3",
                                   "1: put " + kA + "=4", "5: put " + kB + "=2"));
  EXPECT_EQ(target.written.back(), "5: put " + kB + "=2");
  EXPECT_EQ(target.sends.size(), 2U);
  EXPECT_EQ(metrics.entries.value(), 5);
}

TEST_F(LaneTest, IsAnsweredWhenTheTargetHasAllOfIt) {
  target.holds = true;
  take({put(kA, "1"), put(kB, "2")});
  EXPECT_FALSE(answers[0]);
  EXPECT_TRUE(lane.is_in_flight());
  target.release();
  settle();
  EXPECT_EQ(answers[0], ErrorCode::kOk);
  EXPECT_FALSE(lane.is_in_flight());
}

TEST_F(LaneTest, ARequestThatChangesNothingIsDone) {
  take({multi_put(kA, {})});
  EXPECT_EQ(answers[0], ErrorCode::kOk);
  EXPECT_THAT(target.sends, IsEmpty());
}

TEST_F(LaneTest, RepeatsOnlyWhatIsLeft) {
  bool refuses = true;
  target.outcome = [&](const Group& group) {
    return group.index == 5 && refuses ? refused() : Sent{.done = group.entries.size()};
  };
  take({put(kA, "1"), put(kB, "2")});
  EXPECT_FALSE(answers[0]);
  EXPECT_THAT(lane.status().waits_for, HasSubstr("ERR_INVALID_STATE"));
  refuses = false;
  advance(milliseconds(10));
  EXPECT_EQ(answers[0], ErrorCode::kOk);
  EXPECT_THAT(target.sends, UnorderedElementsAre(1, 5, 5));
  EXPECT_EQ(lane.status().waits_for, "");
}

TEST_F(LaneTest, APartOfAGroupThatIsDoneIsNotRepeated) {
  int attempts = 0;
  target.outcome = [&](const Group& group) {
    return ++attempts == 1 ? Sent{.done = 1, .error = Error(Code::kBusy, "x")}
                           : Sent{.done = group.entries.size()};
  };
  take({put(kA, "1"), put(kC, "2")});
  advance(milliseconds(10));
  EXPECT_THAT(target.written, ElementsAre("1: put " + kA + "=1", "1: put " + kC + "=2"));
}

TEST_F(LaneTest, ASourceThatWaitsIsPutOffAndItsRepetitionJoins) {
  bool refuses = true;
  target.outcome = [&](const Group& group) {
    return refuses ? refused() : Sent{.done = group.entries.size()};
  };
  take({put(kA, "1")});
  while (clock.now() < async::Instant{} + forwarding.answer_time) advance(milliseconds(100));
  advance(milliseconds(1'000));
  EXPECT_EQ(answers[0], ErrorCode::kBusy);
  EXPECT_TRUE(lane.is_in_flight());
  take({put(kA, "1")});
  EXPECT_FALSE(answers[1]);
  refuses = false;
  advance(milliseconds(1'000));
  EXPECT_EQ(answers[1], ErrorCode::kOk);
  EXPECT_EQ(target.written.size(), 1U);
}

TEST_F(LaneTest, WhatWasDoneUnheardIsAnsweredWithoutASecondForward) {
  target.holds = true;
  take({put(kA, "1")});
  take({put(kA, "1")});
  EXPECT_EQ(answers[0], ErrorCode::kBusy);  // only the last one is waited for
  target.outcome = [&](const Group& group) {
    if (target.sends.size() == 1) clock.advance(forwarding.answer_time);
    return target.sends.size() < 3 ? refused() : Sent{.done = group.entries.size()};
  };
  target.release();
  settle();
  EXPECT_EQ(answers[1], ErrorCode::kBusy);
  advance_seconds(3);
  EXPECT_FALSE(lane.is_in_flight());
  take({put(kA, "1")});
  EXPECT_EQ(answers[2], ErrorCode::kOk);
  EXPECT_EQ(target.written.size(), 1U);
  take({put(kA, "2", 2)});
  take({put(kA, "1")});  // not remembered for ever
  EXPECT_EQ(target.written.size(), 3U);
}

TEST_F(LaneTest, OneRequestIsUnderWayAtATime) {
  target.holds = true;
  take({put(kA, "1")});
  take({put(kB, "2")});
  EXPECT_EQ(answers[1], ErrorCode::kBusy);
  EXPECT_THAT(target.sends, ElementsAre(1));
  target.release();
  settle();
  take({put(kB, "2")});
  EXPECT_EQ(answers[2], ErrorCode::kOk);
}

TEST_F(LaneTest, WhatWasRefusedMakesWayForOtherBytes) {
  target.outcome = [](const Group& group) {
    return group.index == 1 ? refused() : Sent{.done = group.entries.size()};
  };
  take({put(kA, "1")});
  take({put(kB, "2")});  // the source has begun elsewhere
  EXPECT_EQ(answers[0], ErrorCode::kBusy);
  advance(milliseconds(10));
  EXPECT_EQ(answers[1], ErrorCode::kOk);
  EXPECT_THAT(target.written, ElementsAre("5: put " + kB + "=2"));
}

TEST_F(LaneTest, AfterAnUnknownOutcomeNothingElseIsSentUntilItIsResolved) {
  bool answers_come = false;
  target.outcome = [&](const Group& group) {
    return answers_come ? Sent{.done = group.entries.size()} : unknown_outcome();
  };
  take({remove(kA)});
  EXPECT_EQ(lane.status().keys_in_doubt, 1U);
  take({put(kA, "2", 2)});
  EXPECT_EQ(answers[1], ErrorCode::kBusy);
  advance(milliseconds(5'000));
  take({put(kB, "3", 3)});
  EXPECT_EQ(answers[2], ErrorCode::kBusy);
  EXPECT_THAT(target.written, IsEmpty());
  answers_come = true;
  advance(milliseconds(1'000));
  EXPECT_THAT(target.written, ElementsAre("1: remove " + kA));
  take({put(kA, "2", 2)});
  EXPECT_EQ(answers[3], ErrorCode::kOk);
  EXPECT_THAT(target.written, ElementsAre("1: remove " + kA, "1: put " + kA + "=2"));
}

// A refusal does not say what became of the attempt before it.
TEST_F(LaneTest, ALaterRefusalResolvesNothing) {
  std::vector<Sent> outcomes = {unknown_outcome(), refused(), refused()};
  target.outcome = [&](const Group& group) {
    if (outcomes.empty()) return Sent{.done = group.entries.size()};
    auto first = outcomes.front();
    outcomes.erase(outcomes.begin());
    return first;
  };
  take({remove(kA)});
  advance(milliseconds(1'000));
  EXPECT_EQ(outcomes.size(), 1U);
  EXPECT_EQ(lane.status().keys_in_doubt, 1U);
  take({put(kA, "2", 2)});
  EXPECT_EQ(answers[1], ErrorCode::kBusy);
}

TEST_F(LaneTest, TheRepetitionOfAnUnknownOutcomeWaits) {
  target.outcome = [&](const Group& group) {
    return target.sends.size() == 1 ? unknown_outcome() : Sent{.done = group.entries.size()};
  };
  take({put(kA, "1")});
  advance(milliseconds(999));
  EXPECT_EQ(target.sends.size(), 1U);
  advance(milliseconds(1));
  EXPECT_EQ(answers[0], ErrorCode::kOk);
}

TEST_F(LaneTest, WithoutOwnershipNothingIsTaken) {
  epoch = fail(Code::kRefused, "another one has it");
  take({put(kA, "1")});
  epoch = fail(Code::kBusy, "not sure of the session");
  take({put(kA, "1")});
  EXPECT_THAT(answers, ElementsAre(ErrorCode::kInvalidState, ErrorCode::kBusy));
  EXPECT_THAT(target.sends, IsEmpty());
}

TEST_F(LaneTest, AnOwnerThatIsNotSureSendsNothingAndContinuesUnderItsEpoch) {
  target.outcome = [&](const Group& group) {
    return target.sends.size() == 1 ? refused() : Sent{.done = group.entries.size()};
  };
  take({put(kA, "1")});
  epoch = fail(Code::kBusy, "not sure of the session");
  advance_seconds(3);
  EXPECT_EQ(target.sends.size(), 1U);
  epoch = 7;
  advance(milliseconds(1'000));
  EXPECT_EQ(answers[0], ErrorCode::kOk);
}

TEST_F(LaneTest, UnderAnotherEpochWhatIsLeftIsTheSourcesToSend) {
  target.outcome = [](const Group&) { return unknown_outcome(); };
  take({remove(kA)});
  epoch = 9;  // somebody else was the owner meanwhile
  advance(milliseconds(1'000));
  EXPECT_EQ(answers[0], ErrorCode::kInvalidState);
  EXPECT_FALSE(lane.is_in_flight());
  EXPECT_EQ(target.sends.size(), 1U);
}

TEST_F(LaneTest, ALostPartitionIsLetGo) {
  target.outcome = [](const Group&) { return refused(); };
  take({put(kA, "1")});
  epoch = fail(Code::kRefused, "another one has it");
  advance(milliseconds(1'000));
  EXPECT_EQ(answers[0], ErrorCode::kInvalidState);
  EXPECT_EQ(target.sends.size(), 1U);
}

TEST_F(LaneTest, UnderTheSealNothingNewIsTakenAndWhatIsUnderWayEnds) {
  target.holds = true;
  take({put(kA, "1")});
  is_sealed = true;
  take({put(kB, "2", 2)});
  EXPECT_EQ(answers[1], ErrorCode::kBusy);
  target.release();
  settle();
  EXPECT_EQ(answers[0], ErrorCode::kOk);
  EXPECT_FALSE(lane.is_in_flight());
  take({put(kB, "2", 2)});
  EXPECT_EQ(answers[2], ErrorCode::kBusy);
  EXPECT_THAT(target.written, ElementsAre("1: put " + kA + "=1"));
}

TEST_F(LaneTest, UnderTheSealWhatWasOnlyRefusedIsLetGoAndDoubtsAreNot) {
  target.outcome = [](const Group&) { return refused(); };
  take({put(kA, "1")});
  is_sealed = true;
  advance(milliseconds(10));
  EXPECT_EQ(answers[0], ErrorCode::kBusy);
  EXPECT_FALSE(lane.is_in_flight());
  is_sealed = false;
  target.outcome = [](const Group&) { return unknown_outcome(); };
  take({put(kA, "1")});
  is_sealed = true;
  advance_seconds(10);
  EXPECT_TRUE(lane.is_in_flight());
}

TEST_F(LaneTest, UnderTheSealDoubtsAreResolvedWithoutTheSource) {
  target.outcome = [](const Group&) { return unknown_outcome(); };
  take({remove(kA)});
  advance_seconds(20);
  target.outcome = [](const Group& group) { return Sent{.done = group.entries.size()}; };
  advance_seconds(3);
  EXPECT_THAT(target.written, IsEmpty());
  is_sealed = true;
  advance_seconds(1);
  EXPECT_THAT(target.written, ElementsAre("1: remove " + kA));
  EXPECT_FALSE(lane.is_in_flight());
}

TEST_F(LaneTest, WhatTheSourceNoLongerAsksForIsLetGo) {
  target.outcome = [](const Group&) { return refused(); };
  take({remove(kA)});
  advance_seconds(12);
  EXPECT_EQ(answers[0], ErrorCode::kBusy);
  EXPECT_FALSE(lane.is_in_flight());
  target.outcome = [](const Group& group) { return Sent{.done = group.entries.size()}; };
  advance_seconds(3);
  EXPECT_THAT(target.written, IsEmpty());
  take({remove(kA)});
  EXPECT_EQ(answers[1], ErrorCode::kOk);
}

TEST_F(LaneTest, RequestsThatArePutOffCountAsAsking) {
  target.outcome = [](const Group&) { return unknown_outcome(); };
  take({remove(kA)});
  for (int i = 0; i < 15; ++i) {
    take({put(kB, "1", 2)});
    EXPECT_EQ(answers.back(), ErrorCode::kBusy);
    advance_seconds(1);
  }
  target.outcome = [](const Group& group) { return Sent{.done = group.entries.size()}; };
  advance_seconds(1);
  EXPECT_THAT(target.written, ElementsAre("1: remove " + kA));
}

TEST_F(LaneTest, WhatIsInDoubtWaitsUntilTheSourceAsksForSomething) {
  target.outcome = [](const Group& group) {
    return group.index == 1 ? unknown_outcome() : refused();
  };
  take({remove(kA), put(kB, "1")});
  advance_seconds(12);
  const auto sends = target.sends.size();
  target.outcome = [](const Group& group) { return Sent{.done = group.entries.size()}; };
  advance_seconds(3);
  EXPECT_EQ(target.sends.size(), sends);
  EXPECT_EQ(lane.status().keys_in_doubt, 1U);
  EXPECT_EQ(lane.status().entries_left, 1U);
  EXPECT_THAT(lane.status().waits_for, HasSubstr("the source asks for nothing"));
  // What was let go of the request is not answered as done.
  take({remove(kA), put(kB, "1")});
  EXPECT_EQ(answers[1], ErrorCode::kBusy);
  advance_seconds(1);
  EXPECT_THAT(target.written, ElementsAre("1: remove " + kA));
  take({remove(kA), put(kB, "1")});
  EXPECT_EQ(answers[2], ErrorCode::kOk);
  EXPECT_EQ(target.written.back(), "5: put " + kB + "=1");
}

TEST_F(LaneTest, TheSourceIsAnsweredInTimeWhileAnAttemptLasts) {
  target.holds = true;
  take({put(kA, "1")});
  advance(forwarding.answer_time - milliseconds(1));
  EXPECT_FALSE(answers[0]);
  advance(milliseconds(1));
  EXPECT_EQ(answers[0], ErrorCode::kBusy);
  EXPECT_TRUE(lane.is_in_flight());
  advance_seconds(1);
  take({put(kA, "1")});
  advance(forwarding.answer_time - milliseconds(1));
  EXPECT_FALSE(answers[1]);
  target.release();
  settle();
  EXPECT_EQ(answers[1], ErrorCode::kOk);
  EXPECT_EQ(target.sends.size(), 1U);
}

// A machine that was stopped before it does not know for how long.
TEST_F(LaneTest, ARepeatedAttemptAsksZooKeeperFirst) {
  target.outcome = [&](const Group& group) {
    return target.sends.size() == 1 ? refused() : Sent{.done = group.entries.size()};
  };
  confirmed = fail(Code::kUnreachable, "ZooKeeper does not answer");
  take({remove(kA)});
  EXPECT_EQ(confirmations, 0);
  EXPECT_EQ(target.sends.size(), 1U);
  advance_seconds(1);
  EXPECT_GT(confirmations, 0);
  EXPECT_EQ(target.sends.size(), 1U);
  EXPECT_THAT(lane.status().waits_for, HasSubstr("ZooKeeper"));
  confirmed = {};
  advance_seconds(1);
  EXPECT_EQ(answers[0], ErrorCode::kOk);
}

TEST_F(LaneTest, AnotherPartitionCountOfTheTargetSplitsWhatIsLeftAgain) {
  target.outcome = [&](const Group& group) {
    if (target.count == 8) {
      target.count = 16;
      return refused();
    }
    return Sent{.done = group.entries.size()};
  };
  take({put(kA, "1")});
  advance(milliseconds(10));
  EXPECT_EQ(answers[0], ErrorCode::kOk);
  const auto index = record::partition_index(record::key_hash(kA, ""), 16);
  EXPECT_THAT(target.written, ElementsAre(std::to_string(index) + ": put " + kA + "=1"));
}

TEST_F(LaneTest, AtTheEndWhatIsOpenIsPutOff) {
  target.holds = true;
  take({put(kA, "1")});
  lane.end();
  EXPECT_EQ(answers[0], ErrorCode::kBusy);
  take({put(kA, "1")});
  EXPECT_EQ(answers[1], ErrorCode::kBusy);
  target.outcome = [](const Group&) { return refused(); };
  target.release();
  async::run_to_end(context, join());
  EXPECT_EQ(target.sends.size(), 1U);
}

}  // namespace
}  // namespace pegmove::relay
