// The guard on another host, on a simulated pair whose fences somebody has left behind.
#include "migration/hot/time_guard.h"

#include <gtest/gtest.h>

#include "migration/hot/sim_pair_test.h"

namespace pegmove::migration::hot {
namespace {

constexpr int64_t kLongest = 60'000;

class TimeGuardTest : public ::testing::Test {
 protected:
  ~TimeGuardTest() override {
    process.die();
    world.run_until([this] { return world.under_way() == 0; }, 600'000);
  }
  Routine<> guard() {
    const CutoverPlan plan{.path = "/p/t", .from = routes[0], .to = routes[1]};
    const CutoverHooks hooks{.abandoned = [this] { return process.is_dead(); }};
    const auto end = co_await guard_by_time({source, target, nodes, clock}, plan,
                                            async::milliseconds(kLongest), hooks);
    if (end) ended = end->end;
  }
  void start() {
    world.start(guard());
    world.run_for(5'000);
  }
  void name(int cluster) {
    zookeeper.write(routes::route_text(routes[size_t(cluster)]), zookeeper.node().version);
  }

  SimWorld world{1};
  const std::array<routes::Route, 2> routes{
      routes::Route{.cluster = "A", .metas = {{"10.0.0.1", 34601}}},
      routes::Route{.cluster = "B", .metas = {{"10.0.1.1", 34601}}}};
  SimCluster a{world, {.name = "A", .missed_rounds = 0}};
  SimCluster b{world, {.name = "B", .missed_rounds = 0}};
  SimZooKeeper zookeeper{world, routes::route_text(routes[0])};
  SimProcess process{world};
  SimSide source{world, a, process, {}}, target{world, b, process, {}};
  SimNodes nodes{world, zookeeper, process, {}};
  SimProcessClock clock{world, process};
  std::optional<GaveBack> ended;
};

TEST_F(TimeGuardTest, GivesBackAFenceThatIsLeftBehind) {
  start();
  a.set_env(std::string(kDenyAll));
  world.run_for(kLongest - 2'000);
  EXPECT_TRUE(a.env()) << "it may still be switched";
  world.run_for(120'000);
  EXPECT_EQ(ended, GaveBack::kSourceServes);
  EXPECT_FALSE(a.env());
  EXPECT_FALSE(b.env()) << "it was never denied";
  EXPECT_EQ(zookeeper.node().version, 1) << "a late switch fails";
  EXPECT_EQ(zookeeper.node().data, routes::route_text(routes[0]));
}

TEST_F(TimeGuardTest, DeniesTheSourceAgainWhichARollbackHasOpened) {
  name(1);
  a.set_env(std::string(kDenyAll));
  start();
  b.set_env(std::string(kDenyAll));
  a.set_env(std::nullopt);
  world.run_for(kLongest + 120'000);
  EXPECT_EQ(ended, GaveBack::kSourceServes);
  EXPECT_FALSE(b.env());
  EXPECT_EQ(a.env(), kDenyAll);
  EXPECT_EQ(zookeeper.node().data, routes::route_text(routes[1]));
}

TEST_F(TimeGuardTest, DeniesTheTargetAgainWhichASecondCutoverHasOpened) {
  b.set_env(std::string(kDenyAll));
  start();
  a.set_env(std::string(kDenyAll));
  b.set_env(std::nullopt);
  world.run_for(kLongest + 120'000);
  EXPECT_EQ(ended, GaveBack::kSourceServes);
  EXPECT_FALSE(a.env());
  EXPECT_EQ(b.env(), kDenyAll);
}

// Each attempt changes the version before its fence.
TEST_F(TimeGuardTest, ALaterCutoverHasItsOwnTime) {
  start();
  a.set_env(std::string(kDenyAll));
  world.run_for(kLongest - 5'000);
  name(0);
  world.run_for(kLongest - 5'000);
  EXPECT_TRUE(a.env());
  EXPECT_EQ(ended, std::nullopt);
}

TEST_F(TimeGuardTest, LeavesTheSourceOfASwitchDenied) {
  start();
  a.set_env(std::string(kDenyAll));
  world.run_for(kLongest / 2);
  name(1);
  world.run_for(3 * kLongest);
  EXPECT_EQ(a.env(), kDenyAll);
  EXPECT_EQ(ended, std::nullopt);
}

TEST_F(TimeGuardTest, LeavesADenyOfSomebodyElseAlone) {
  start();
  a.set_env("timeout*write");
  world.run_for(3 * kLongest);
  EXPECT_EQ(a.env(), "timeout*write");
}

}  // namespace
}  // namespace pegmove::migration::hot
