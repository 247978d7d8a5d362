#include "metaproxy/route_table.h"

#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>

#include "async/run.h"
#include "testing/fake_nodes.h"
#include "testing/sim_clock.h"

namespace pegmove::metaproxy {
namespace {

using async::milliseconds;
using ::testing::HasSubstr;

std::string text_of(const std::string& cluster) {
  return routes::route_text({cluster, {{"10.0.0.1", 34601}, {"10.0.0.2", 34601}}});
}

class RouteTableTest : public ::testing::Test {
 protected:
  RouteTableTest() { start({}); }
  ~RouteTableTest() override { end(); }
  void start(RouteTableOptions options) {
    options.root = "/clusters";
    table = std::make_unique<RouteTable>(
        context.get_executor(), clock, nodes, options, Logger("test"),
        [this](const std::string& name, bool) { read.push_back(name); });
    nodes.listen(table.get());
    table->start();
    run_ready();
  }
  void run_ready() {
    context.restart();
    context.poll();
  }
  void end() {
    table->stop();
    async::run_to_end(context, joined());
  }
  Routine<bool> joined() {
    co_await table->join();  // no result
    co_return true;
  }
  Result<routes::Route> find(const std::string& name) {
    return async::run_to_end(context, table->find(name, Deadline::in(clock, milliseconds(1'000))));
  }
  std::string cluster_of(const std::string& name) {
    run_ready();
    auto route = find(name);
    return route ? route->cluster : std::string(base::to_string(route.error().code()));
  }
  void pass(milliseconds time) {
    clock.advance(time);
    run_ready();
  }
  const KnownRoute& known(const std::string& name) const { return table->known().at(name); }

  asio::io_context context;
  pegmove::testing::SimClock clock;
  pegmove::testing::FakeNodes nodes;
  std::vector<std::string> read;
  std::unique_ptr<RouteTable> table;
};

TEST_F(RouteTableTest, ReadsATableOnceAndThenFollowsItsNode) {
  nodes.set("/clusters/t", text_of("A"));
  EXPECT_EQ(cluster_of("t"), "A");
  EXPECT_EQ(cluster_of("t"), "A");
  EXPECT_EQ(read.size(), 1U);
  nodes.set("/clusters/t", text_of("B"));
  EXPECT_EQ(cluster_of("t"), "B");
  EXPECT_EQ(known("t").version, 1);
}

TEST_F(RouteTableTest, WithoutAGoodRouteEachCallAsksAgain) {
  nodes.set("/clusters/bad", "not json");
  EXPECT_EQ(find("bad").error().code(), Code::kCorrupt);
  EXPECT_EQ(find("none").error().code(), Code::kNotFound);
  nodes.set("/clusters/bad", text_of("A"));
  nodes.set("/clusters/none", text_of("A"));
  EXPECT_EQ(cluster_of("bad"), "A");
  EXPECT_EQ(cluster_of("none"), "A");
}

TEST_F(RouteTableTest, KeepsTheLastGoodRouteWhileTheNodeIsWrongAndSaysWhy) {
  nodes.set("/clusters/t", text_of("A"));
  EXPECT_EQ(cluster_of("t"), "A");
  nodes.set("/clusters/t", "not json");
  pass(milliseconds(25'000));
  EXPECT_EQ(cluster_of("t"), "A");
  EXPECT_THAT(known("t").problem, HasSubstr("version 1 of the node is wrong"));
  EXPECT_EQ(known("t").version, 0);
  EXPECT_EQ(table->age_of(known("t")), milliseconds(25'000));
  nodes.set("/clusters/t", text_of("B"));
  EXPECT_EQ(cluster_of("t"), "B");
  EXPECT_EQ(known("t").problem, "");
}

TEST_F(RouteTableTest, ADeletedNodeEndsTheRouteAtOnce) {
  nodes.set("/clusters/t", text_of("A"));
  EXPECT_EQ(cluster_of("t"), "A");
  nodes.remove("/clusters/t");
  run_ready();
  EXPECT_EQ(find("t").error().code(), Code::kNotFound);
  nodes.set("/clusters/t", text_of("B"));
  EXPECT_EQ(cluster_of("t"), "B");
}

TEST_F(RouteTableTest, ALostConnectionLeavesTheRouteAndItsAgeGrows) {
  nodes.set("/clusters/t", text_of("A"));
  EXPECT_EQ(cluster_of("t"), "A");
  nodes.connect(false);
  nodes.set("/clusters/t", text_of("B"));
  pass(milliseconds(300'000));
  EXPECT_EQ(cluster_of("t"), "A");
  EXPECT_THAT(known("t").problem, HasSubstr("not connected"));
  EXPECT_EQ(table->age_of(known("t")), milliseconds(300'000));
  EXPECT_EQ(find("other").error().code(), Code::kUnreachable);
  nodes.connect(true);
  run_ready();
  EXPECT_EQ(cluster_of("t"), "B");
  EXPECT_EQ(known("t").problem, "");
  EXPECT_EQ(table->age_of(known("t")), milliseconds(0));
}

TEST_F(RouteTableTest, AWatchThatWasLostWithoutANoticeDelaysNoChangeForLong) {
  nodes.set("/clusters/t", text_of("A"));
  EXPECT_EQ(cluster_of("t"), "A");
  nodes.listen(nullptr);
  nodes.set("/clusters/t", text_of("B"));
  nodes.listen(table.get());
  EXPECT_EQ(cluster_of("t"), "A");
  pass(milliseconds(10'000));
  EXPECT_EQ(cluster_of("t"), "B");
}

TEST_F(RouteTableTest, AChangeWhileTheFirstReadIsUnderWayIsReadAgain) {
  nodes.set("/clusters/t", text_of("A"));
  nodes.after_read = [&] { nodes.set("/clusters/t", text_of("B")); };
  EXPECT_EQ(cluster_of("t"), "A");
  EXPECT_EQ(cluster_of("t"), "B");
}

TEST_F(RouteTableTest, AConnectionLostWhileTheFirstReadIsUnderWayHidesNoChange) {
  nodes.set("/clusters/t", text_of("A"));
  nodes.after_read = [&] {
    nodes.connect(false);
    nodes.set("/clusters/t", text_of("B"));
    nodes.connect(true);
  };
  EXPECT_EQ(cluster_of("t"), "A");
  EXPECT_EQ(cluster_of("t"), "B");
}

TEST_F(RouteTableTest, WhatWasNotUsedForLongestIsDroppedAndReadAgain) {
  end();
  start({.most_routes = 2});
  for (const auto* name : {"a", "b", "c"})
    nodes.set(std::string("/clusters/") + name, text_of(name));
  EXPECT_EQ(cluster_of("a"), "a");
  EXPECT_EQ(cluster_of("b"), "b");
  EXPECT_EQ(cluster_of("a"), "a");
  EXPECT_EQ(cluster_of("c"), "c");
  EXPECT_TRUE(table->known().contains("a"));
  EXPECT_FALSE(table->known().contains("b"));
  EXPECT_EQ(cluster_of("b"), "b");
  EXPECT_EQ(table->known().size(), 2U);
}

TEST_F(RouteTableTest, ANameThatLeavesTheRootIsNotRead) {
  for (const auto* name : {"", "..", "../x", "a/b", ".", "\xff"}) {
    EXPECT_EQ(find(name).error().code(), Code::kNotFound) << name;
  }
  EXPECT_EQ(nodes.reads, 0);
}

}  // namespace
}  // namespace pegmove::metaproxy
