// Steps, units, progress and leases of a run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "journal/journals_test.h"
#include "testing/sim_clock.h"

namespace pegmove::journal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class JournalStepsTest : public ::testing::Test {
 protected:
  Journal open() { return good(Journal::open(path_, clock_)); }

  TestFolder folder_;
  const std::string path_ = folder_ / "journal.db";
  pegmove::testing::SimClock clock_;
  Journal journal_ = open();
  const std::string id_ = good(journal_.begin(a_copy())).id;
};

TEST_F(JournalStepsTest, StepsComeBackInTheOrderInWhichTheyBegan) {
  const StepRecord make{.name = "make-target", .before = "{}"};
  const StepRecord copy{.name = "copy-rows"};
  good(journal_.save_step(id_, make));
  good(journal_.save_step(id_, copy));
  const StepRecord made{.name = "make-target",
                        .state = StepState::kUndone,
                        .before = "{}",
                        .product = R"({"app_id":7})",
                        .outcome = "it stays"};
  good(journal_.save_step(id_, made));
  EXPECT_THAT(good(open().steps(id_)), ElementsAre(made, copy));
}

TEST_F(JournalStepsTest, WhatIsNoStepIsRefused) {
  for (const char* name : {"", "Make", "a b", "../x", "a-name-that-is-longer-than-32-letters"})
    EXPECT_EQ(bad(journal_.save_step(id_, {.name = name})).code(), Code::kInvalidArgument) << name;
  EXPECT_EQ(bad(journal_.save_step(id_, {.name = "a", .before = "{"})).code(),
            Code::kInvalidArgument);
  const std::string large = "\"" + std::string(Journal::kMostStepBytes, 'x') + "\"";
  EXPECT_EQ(bad(journal_.save_step(id_, {.name = "a", .product = large})).code(), Code::kTooLarge);
  EXPECT_EQ(bad(journal_.save_step("copy-20000101-1", {.name = "a"})).code(), Code::kNotFound);
  const std::vector<StepRecord> two{{.name = "a"}, {.name = "b", .product = large}};
  EXPECT_EQ(bad(journal_.save_steps(id_, two)).code(), Code::kTooLarge);
  EXPECT_THAT(good(journal_.steps(id_)), IsEmpty()) << "none of them";
  good(journal_.set_state(id_, RunState::kDone));
  EXPECT_EQ(bad(journal_.save_step(id_, {.name = "a"})).code(), Code::kRefused);
}

// As a split of 50 TiB has them.
TEST_F(JournalStepsTest, APlanOfManyUnitsIsKeptAndReadBack) {
  std::vector<std::string> specs;
  for (int unit = 0; unit < 20'000; ++unit)
    specs.push_back(R"({"class":)" + std::to_string(unit % 1024) + R"(,"from":")" +
                    std::string(200, 'k') + R"(","to":"","rows":1000000})");
  good(journal_.plan_units(id_, "split-rows", specs));
  EXPECT_EQ(good(open().planned_units(id_, "split-rows")), specs);
  EXPECT_THAT(good(journal_.positions(id_, "split-rows")), IsEmpty()) << "none has begun";
  const UnitPosition last{
      .unit = 19'999, .rows = 5, .done = true, .detail = "{}", .step = "split-rows"};
  good(journal_.save(id_, std::vector{last}));
  EXPECT_THAT(good(open().positions(id_, "split-rows")), ElementsAre(last));
  EXPECT_EQ(good(journal_.planned_units(id_, "split-rows")).size(), 20'000u);
  good(journal_.forget_positions(id_, "split-rows"));
  EXPECT_THAT(good(journal_.positions(id_, "split-rows")), IsEmpty());
  EXPECT_EQ(good(journal_.planned_units(id_, "split-rows")).size(), 20'000u) << "the plan stays";
}

TEST_F(JournalStepsTest, APlanReplacesTheOneBefore) {
  good(journal_.plan_units(id_, "split-rows", std::vector<std::string>{"1", "2", "3"}));
  good(journal_.plan_units(id_, "split-rows", std::vector<std::string>{"4"}));
  EXPECT_THAT(good(journal_.planned_units(id_, "split-rows")), ElementsAre("4"));
  EXPECT_EQ(bad(journal_.plan_units(id_, "x", std::vector<std::string>{"{"})).code(),
            Code::kInvalidArgument);
  EXPECT_THAT(good(journal_.planned_units(id_, "x")), IsEmpty());
}

TEST_F(JournalStepsTest, ProgressIsThatOfTheStepUnderWay) {
  EXPECT_EQ(good(journal_.progress(id_)).step, "");
  Progress progress{.step = "copy-rows",
                    .line = "copying: 5 rows",
                    .unit = "rows",
                    .done = 5,
                    .total = 10,
                    .per_second = 2,
                    .eta_ms = 2500};
  good(journal_.save_progress(id_, progress));
  progress.updated_unix_ms = clock_.unix_us() / 1000;
  EXPECT_EQ(good(open().progress(id_)), progress);
}

TEST_F(JournalStepsTest, LeasesAreGrantedExtendedAndEnded) {
  good(journal_.lease(id_, {.step = "fence", .until_unix_ms = 5}));
  good(journal_.lease(id_, {.step = "fence", .until_unix_ms = 9}));
  EXPECT_THAT(good(open().leases(id_)), ElementsAre(Lease{.step = "fence", .until_unix_ms = 9}));
  good(journal_.lease(id_, {.step = "fence"}));
  EXPECT_THAT(good(journal_.leases(id_)), IsEmpty());
}

TEST_F(JournalStepsTest, OnlyRunsThatAreOverAreForgotten) {
  good(journal_.save_step(id_, {.name = "copy-rows"}));
  good(journal_.save(id_, std::vector{UnitPosition{.unit = 1, .step = "copy-rows"}}));
  good(journal_.set(id_, "pace", "1"));
  good(journal_.save_progress(id_, {.step = "copy-rows"}));
  const auto error = bad(journal_.forget(id_));
  EXPECT_EQ(error.code(), Code::kRefused);
  EXPECT_THAT(error.message(), HasSubstr("pegmove cancel " + id_));
  good(journal_.set_state(id_, RunState::kCancelled));
  const auto other = good(journal_.begin(a_copy())).id;
  good(journal_.forget(id_));
  EXPECT_EQ(bad(journal_.get(id_)).code(), Code::kNotFound);
  EXPECT_EQ(bad(journal_.forget(id_)).code(), Code::kNotFound);
  EXPECT_EQ(good(journal_.list()).size(), 1u);
  good(journal_.set_state(other, RunState::kDone));
  clock_.advance(async::milliseconds(1000));
  const auto young = good(journal_.begin(a_copy())).id;
  good(journal_.set_state(young, RunState::kDone));
  EXPECT_THAT(good(journal_.forget_before(clock_.unix_us() / 1000)), ElementsAre(other));
  EXPECT_EQ(good(journal_.list()).size(), 1u);
}

TEST_F(JournalStepsTest, AListIsAsLongAsItIsAskedFor) {
  for (int i = 0; i < 5; ++i) good(journal_.begin(a_copy()));
  EXPECT_EQ(good(journal_.list()).size(), 6u);
  EXPECT_EQ(good(journal_.list(2)).size(), 2u);
}

}  // namespace
}  // namespace pegmove::journal
