#include "migration/hot/route_switch.h"

#include <gmock/gmock.h>

#include "async/run.h"
#include "testing/fake_nodes.h"
#include "testing/skipping_clock.h"

namespace pegmove::migration::hot {
namespace {

using ::testing::HasSubstr;
using Lost = pegmove::testing::FakeNodes::Lost;

const routes::Route kFrom{"onebox", {{"10.0.0.1", 34601}}};
const routes::Route kTo{"onebox2", {{"10.0.1.1", 34601}}};

class RouteSwitchTest : public ::testing::Test {
 protected:
  RouteSwitchTest() { nodes.set(plan.path, routes::route_text(kFrom)); }

  Deadline soon() { return Deadline::in(clock, async::milliseconds(2'000)); }
  Result<CutoverBefore> read() {
    return async::run_to_end(context, read_before(nodes, clock, plan, soon()));
  }
  Result<SwitchEnd> switch_it(const CutoverBefore& before) {
    return async::run_to_end(context, switch_route(nodes, clock, plan, before, soon()));
  }
  Result<NodeNames> close_it(const CutoverBefore& before) {
    auto closed = async::run_to_end(context, close_switch(nodes, clock, plan, before, soon()));
    if (!closed) return fail(closed.error());
    return closed->names;
  }

  CutoverPlan plan{.path = "/clusters/t", .from = kFrom, .to = kTo};
  asio::io_context context;
  pegmove::testing::SkippingClock clock{async::milliseconds(60'000)};
  pegmove::testing::FakeNodes nodes;
};

TEST_F(RouteSwitchTest, SwitchesFromTheVersionThatWasRead) {
  const auto before = read();
  ASSERT_TRUE(before) << before.error().to_string();
  EXPECT_EQ(*switch_it(*before), SwitchEnd::kSwitched);
  EXPECT_EQ(nodes.at(plan.path).data, routes::route_text(kTo));
  EXPECT_EQ(*close_it(*before), NodeNames::kTarget);  // too late to close it
  EXPECT_EQ(nodes.at(plan.path).data, routes::route_text(kTo));
}

TEST_F(RouteSwitchTest, ANodeThatDoesNotNameTheSourceIsRefused) {
  nodes.set(plan.path, routes::route_text(kTo));
  const auto other = read();
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code(), Code::kRefused);
  EXPECT_THAT(other.error().to_string(), HasSubstr("does not name onebox"));
  nodes.set(plan.path, "not json");
  EXPECT_EQ(read().error().code(), Code::kRefused);
  nodes.remove(plan.path);
  EXPECT_EQ(read().error().code(), Code::kNotFound);
}

TEST_F(RouteSwitchTest, AClosedSwitchIsLostAndTheSourceIsStillNamed) {
  const auto before = read();
  EXPECT_EQ(*close_it(*before), NodeNames::kSource);
  EXPECT_EQ(nodes.at(plan.path).version, before->version + 1);
  EXPECT_EQ(*switch_it(*before), SwitchEnd::kLost);
  EXPECT_EQ(nodes.at(plan.path).data, before->text);
  EXPECT_EQ(*close_it(*before), NodeNames::kSource);  // repeatable
  EXPECT_EQ(nodes.at(plan.path).version, before->version + 1);
}

TEST_F(RouteSwitchTest, ASwitchWhoseAnswerIsLostIsFoundOut) {
  const auto before = read();
  nodes.lost = Lost::kAfter;
  EXPECT_EQ(*switch_it(*before), SwitchEnd::kSwitched);  // the second attempt sees the first
  EXPECT_EQ(nodes.at(plan.path).version, before->version + 1);
}

TEST_F(RouteSwitchTest, ASwitchThatNobodyAnswersIsNotKnown) {
  const auto before = read();
  nodes.lost = Lost::kBefore;
  EXPECT_EQ(*switch_it(*before), SwitchEnd::kNotKnown);
  EXPECT_EQ(close_it(*before).error().code(), Code::kUnreachable);
  nodes.lost = Lost::kNothing;
  EXPECT_EQ(*close_it(*before), NodeNames::kSource);
}

TEST_F(RouteSwitchTest, ANodeOfSomebodyElseDecidesNothing) {
  const auto before = read();
  nodes.set(plan.path, routes::route_text({"third", {{"10.0.2.1", 34601}}}));
  EXPECT_EQ(*switch_it(*before), SwitchEnd::kLost);
  EXPECT_EQ(*close_it(*before), NodeNames::kElse);
  nodes.remove(plan.path);
  EXPECT_EQ(*close_it(*before), NodeNames::kElse);
}

TEST_F(RouteSwitchTest, NamesTheSideAlsoByOtherAddresses) {
  const auto names = [&](const std::string& data) {
    return names_in(routes::Node{.data = data}, plan);
  };
  EXPECT_EQ(names(routes::route_text({"onebox2", {{"10.0.1.9", 34601}}})), NodeNames::kTarget);
  EXPECT_EQ(names(routes::route_text({"onebox", {{"10.0.1.9", 34601}}})), NodeNames::kSource);
  plan.to.cluster = "onebox";  // of the same name: the addresses decide alone
  EXPECT_EQ(names(routes::route_text(plan.to)), NodeNames::kTarget);
  EXPECT_EQ(names(routes::route_text(kFrom)), NodeNames::kSource);
  EXPECT_EQ(names(routes::route_text({"onebox", {{"10.0.1.9", 34601}}})), NodeNames::kElse);
  EXPECT_EQ(names_in(std::nullopt, plan), NodeNames::kElse);
}

TEST_F(RouteSwitchTest, TheBeginIsReadFromTheJournalAsItWasWritten) {
  const auto before = read();
  const auto again = cutover_before_from_json(to_json(*before));
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_EQ(*again, *before);
  EXPECT_FALSE(cutover_before_from_json("{}"));
  EXPECT_FALSE(cutover_before_from_json(R"({"version":-1,"text":"","began_ms":0})"));
  EXPECT_FALSE(cutover_before_from_json("nonsense"));
}

}  // namespace
}  // namespace pegmove::migration::hot
