// Which servers of the target may be sent to, against a meta server that the test controls.
#include "relay/target_servers.h"

#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>

#include "async/run.h"
#include "async/task_group.h"
#include "relay/advanced_clock_test.h"
#include "testing/fake_partition.h"

namespace pegmove::relay {
namespace {

using async::milliseconds;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

const net::HostPort kOther{"127.0.0.1", 1};
const net::HostPort kMember{"10.0.0.1", 34801};

class TargetServersTest : public ::testing::Test {
 protected:
  TargetServersTest() {
    cluster.on_nodes = [this](auto& response) {
      if (!has_other) return;
      auto& info = response.infos.emplace_back();
      info.node = wire::rpc_address::of(testing::kLoopback, kOther.port);
      info.status = other_is_alive ? wire::NS_ALIVE : wire::NS_UNALIVE;
    };
  }
  ~TargetServersTest() override { run(close()); }
  template <typename T>
  T run(asio::awaitable<T> routine) {
    return async::run_to_end(context, std::move(routine));
  }
  Routine<bool> close() {
    co_await client.close();  // no result
    co_return co_await cluster.stop();
  }
  Task<> check(net::HostPort server) {
    checked.push_back(server);
    while (holds) co_await released.wait();  // no result
    if (refusal) co_return fail(*refusal);
    co_return Result<void>();
  }
  net::HostPort node() const { return net::host_port_of(cluster.node_address()); }

  asio::io_context context;
  AdvancedClock clock;
  testing::FakePartition cluster{context.get_executor(), clock};
  client::Client client{context.get_executor(), clock};
  TargetServers servers{client,
                        {net::host_port_of(cluster.meta_address())},
                        [this](net::HostPort server) { return check(std::move(server)); }};
  bool has_other = false, other_is_alive = true;
  std::optional<Error> refusal;
  bool holds = false;
  async::Event released;
  std::vector<net::HostPort> checked;
};

TEST_F(TargetServersTest, AreThoseThatAreAliveAndTheMembers) {
  EXPECT_THAT(*run(servers.all({})), ElementsAre(node()));
  EXPECT_THAT(*run(servers.all({node(), kMember})), ElementsAre(node(), kMember));
  has_other = true;
  EXPECT_THAT(*run(servers.all({})), ElementsAre(node()));  // not asked again
  ASSERT_TRUE(run(servers.refresh()));
  EXPECT_THAT(*run(servers.all({})), UnorderedElementsAre(node(), kOther));
  other_is_alive = false;
  ASSERT_TRUE(run(servers.refresh()));
  EXPECT_THAT(*run(servers.all({})), ElementsAre(node()));
}

TEST_F(TargetServersTest, AreCheckedOnceAndAgainAfterADoubt) {
  ASSERT_TRUE(run(servers.check(kOther)));
  ASSERT_TRUE(run(servers.check(kOther)));
  EXPECT_THAT(checked, ElementsAre(kOther));
  servers.doubt(kOther);
  ASSERT_TRUE(run(servers.check(kOther)));
  EXPECT_THAT(checked, ElementsAre(kOther, kOther));
}

TEST_F(TargetServersTest, OneThatWasGoneIsCheckedAgain) {
  has_other = true;
  ASSERT_TRUE(run(servers.refresh()));
  ASSERT_TRUE(run(servers.check(kOther)));
  other_is_alive = false;
  ASSERT_TRUE(run(servers.refresh()));
  other_is_alive = true;
  ASSERT_TRUE(run(servers.refresh()));
  ASSERT_TRUE(run(servers.check(kOther)));
  EXPECT_EQ(checked.size(), 2U);
}

TEST_F(TargetServersTest, ARefusalCountsForSomeSeconds) {
  refusal = Error(Code::kRefused, "its group lacks an id");
  EXPECT_FALSE(run(servers.check(kOther)));
  refusal.reset();
  const auto again = run(servers.check(kOther));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().message(), "its group lacks an id");
  EXPECT_EQ(checked.size(), 1U);
  clock.advanced += milliseconds(5'000);
  EXPECT_TRUE(run(servers.check(kOther)));
}

TEST_F(TargetServersTest, WhoComesMeanwhileWaitsForTheCheck) {
  holds = true;
  int passed = 0;
  async::TaskGroup group(context.get_executor());
  const auto pass = [&]() -> Routine<> {  // outlives: the group is joined below
    passed += (co_await servers.check(kOther)).has_value();
  };
  group.spawn(pass());
  group.spawn(pass());
  context.restart();
  context.poll();
  EXPECT_EQ(checked.size(), 1U);
  EXPECT_EQ(passed, 0);
  holds = false;
  released.notify_all();
  context.restart();
  context.poll();
  EXPECT_EQ(checked.size(), 1U);
  EXPECT_EQ(passed, 2);
  async::run_to_end(context, group.join());
}

}  // namespace
}  // namespace pegmove::relay
