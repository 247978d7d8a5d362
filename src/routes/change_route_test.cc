#include "routes/change_route.h"

#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>

#include "async/run.h"
#include "testing/fake_nodes.h"

namespace pegmove::routes {
namespace {

using ::testing::HasSubstr;
using Lost = pegmove::testing::FakeNodes::Lost;

const Route kA{"onebox", {{"10.0.0.1", 34601}, {"10.0.0.2", 34601}}};
const Route kB{"onebox2", {{"10.0.1.1", 34601}, {"10.0.1.2", 34601}}};

class ChangeRouteTest : public ::testing::Test {
 protected:
  ChangeRouteTest() { nodes.set("/clusters/t", route_text(kA)); }
  Result<ChangedRoute> change(RouteChange change) {
    return async::run_to_end(context,
                             change_route(nodes, clock, "/clusters", std::move(change), soon()));
  }
  Deadline soon() { return Deadline::in(clock, async::milliseconds(1'000)); }

  asio::io_context context;
  async::SystemClock clock;
  pegmove::testing::FakeNodes nodes;
};

TEST_F(ChangeRouteTest, ReplacesTheDataAndTellsWhatWasThereBefore) {
  const auto changed = change({.table = "t", .to = kB});
  ASSERT_TRUE(changed) << changed.error().to_string();
  EXPECT_EQ(changed->before->route, kA);
  EXPECT_EQ(changed->before->node.version, 0);
  EXPECT_EQ(changed->version, 1);
  EXPECT_EQ(nodes.at("/clusters/t").data, route_text(kB));
}

TEST_F(ChangeRouteTest, AnotherVersionThanTheGivenOneChangesNothing) {
  nodes.set("/clusters/t", route_text(kA));
  const auto changed = change({.table = "t", .to = kB, .version = 0});
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().code(), Code::kBusy);
  EXPECT_THAT(changed.error().to_string(), HasSubstr("/clusters/t has version 1, not 0"));
  EXPECT_THAT(changed.error().to_string(), HasSubstr("--version"));
  EXPECT_EQ(nodes.at("/clusters/t").data, route_text(kA));
}

TEST_F(ChangeRouteTest, SomebodyWhoWasFasterIsNotOverwritten) {
  nodes.before_write = [this] { nodes.set("/clusters/t", "theirs"); };
  const auto changed = change({.table = "t", .to = kB});
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().code(), Code::kBusy);
  EXPECT_EQ(nodes.at("/clusters/t").data, "theirs");
}

TEST_F(ChangeRouteTest, AMissingNodeIsCreatedOnlyWhenAllowed) {
  const auto refused = change({.table = "new", .to = kB});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kNotFound);
  EXPECT_THAT(refused.error().to_string(), HasSubstr("/clusters/new"));
  EXPECT_THAT(refused.error().to_string(), HasSubstr("--create"));
  const auto changed = change({.table = "new", .to = kB, .may_create = true});
  ASSERT_TRUE(changed) << changed.error().to_string();
  EXPECT_FALSE(changed->before);
  EXPECT_EQ(nodes.at("/clusters/new").data, route_text(kB));
}

TEST_F(ChangeRouteTest, ALostAnswerIsFoundOutByReading) {
  nodes.lost = Lost::kAfter;
  const auto changed = change({.table = "t", .to = kB});
  ASSERT_TRUE(changed) << changed.error().to_string();
  EXPECT_EQ(changed->version, 1);
  ASSERT_TRUE(change({.table = "new", .to = kB, .may_create = true}));

  nodes.lost = Lost::kBefore;
  const auto undone = change({.table = "t", .to = kA});
  ASSERT_FALSE(undone);
  EXPECT_THAT(undone.error().to_string(), HasSubstr("was not changed; try again"));
  EXPECT_EQ(nodes.at("/clusters/t").data, route_text(kB));
}

TEST_F(ChangeRouteTest, WithoutAConnectionTheErrorSaysThatTheOutcomeIsNotKnown) {
  nodes.before_write = [this] { nodes.connect(false); };
  const auto changed = change({.table = "t", .to = kB});
  ASSERT_FALSE(changed);
  EXPECT_THAT(changed.error().to_string(),
              HasSubstr("not known whether node /clusters/t was changed"));
}

TEST_F(ChangeRouteTest, ListsGoodAndBadNodes) {
  nodes.set("/clusters/bad", "not json");
  const auto all = async::run_to_end(context, list_routes(nodes, "/clusters", soon()));
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 2U);
  EXPECT_EQ((*all)[0].table, "bad");
  EXPECT_THAT((*all)[0].problem, HasSubstr("not a JSON object"));
  EXPECT_EQ((*all)[1].route, kA);
}

}  // namespace
}  // namespace pegmove::routes
