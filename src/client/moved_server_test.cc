// Servers that are known by names and move to other addresses.
#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>
#include <map>

#include "async/run.h"
#include "client/node.h"
#include "client/table.h"
#include "testing/fake_partition.h"

namespace pegmove::client {
namespace {

using testing::kLoopback;

// The time is real, and a test can advance it; sleeps are short.
class SkippingClock : public async::SystemClock {
 public:
  async::Instant now() const override { return SystemClock::now() + skipped; }
  Routine<> sleep_until(async::Instant) override {
    return SystemClock::sleep_until(SystemClock::now() + async::milliseconds(1));
  }
  async::milliseconds skipped{0};
};

class MovedServerTest : public ::testing::Test {
 protected:
  ~MovedServerTest() override {
    run(close());
    run(server.stop());
  }
  Routine<bool> close() {
    co_await client.close();  // no result
    co_return true;
  }
  template <typename T>
  T run(asio::awaitable<T> routine) {
    return async::run_to_end(context, std::move(routine));
  }
  Deadline soon() { return Deadline::in(clock, async::milliseconds(5'000)); }
  Result<std::vector<net::Address>> look_up(const net::HostPort& name) {
    std::vector<net::Address> addresses;
    for (auto ipv4 : where.at(name.host)) addresses.push_back({ipv4, name.port});
    return addresses;
  }
  void move_node(uint32_t ipv4) {
    run(server.move_node(ipv4));
    where["node.test"] = {ipv4};
    clock.skipped += async::milliseconds(2'000);
  }

  asio::io_context context;
  SkippingClock clock;
  testing::FakePartition server{context.get_executor(), clock};
  std::map<std::string, std::vector<uint32_t>> where{{"node.test", {kLoopback}}};
  Client client{context.get_executor(), clock, {.look_up = [this](const net::HostPort& name) {
                  return look_up(name);
                }}};
};

TEST_F(MovedServerTest, AReplicaServerIsFoundAtItsNewAddress) {
  server.node_name = "node.test";
  auto meta = *net::parse_host_port(server.meta_address().to_string());
  auto cluster = std::make_shared<Cluster>(client, std::vector{meta});
  auto table = *run(Table::open(cluster, "t", soon()));
  ASSERT_TRUE(run(table->set("h", "s", "v", 0, soon())));
  for (uint32_t ipv4 : {kLoopback + 1, kLoopback + 2}) {
    move_node(ipv4);
    auto written = run(table->set("h", "s", "v", 0, soon()));
    ASSERT_TRUE(written) << written.error().to_string();
  }
}

TEST_F(MovedServerTest, AfterATimeoutTheClusterIsAskedWhereThePartitionIs) {
  auto meta = *net::parse_host_port(server.meta_address().to_string());
  auto table = *run(Table::open(std::make_shared<Cluster>(client, std::vector{meta}), "t", soon()));
  std::vector<net::IncomingCall> kept;
  auto answers = std::exchange(server.on_data,
                               [&](net::IncomingCall call) { kept.push_back(std::move(call)); });
  auto late = run(table->set("h", "s", "v", 0, Deadline::in(clock, async::milliseconds(100))));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), Code::kTimeout);
  EXPECT_EQ(server.config_queries, 1);
  EXPECT_EQ(table->router().primary_channel(0), nullptr) << "it is in doubt";
  server.on_data = std::move(answers);
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(run(table->set("h", "s", "v", 0, soon())));
    EXPECT_EQ(server.config_queries, 2);
  }
  kept.clear();
}

TEST_F(MovedServerTest, AMetaServerIsFoundAtItsNewAddress) {
  Cluster cluster(client, {{"node.test", server.node_address().port}});
  ASSERT_TRUE(run(cluster.info(soon())));
  for (uint32_t ipv4 : {kLoopback + 1, kLoopback + 2}) {
    move_node(ipv4);
    auto info = run(cluster.info(soon()));
    ASSERT_TRUE(info) << info.error().to_string();
  }
}

TEST_F(MovedServerTest, AllAddressesOfAMetaServerAreTried) {
  where["node.test"] = {kLoopback + 1, kLoopback + 2, kLoopback};
  Cluster cluster(client, {{"node.test", server.node_address().port}});
  auto info = run(cluster.info(soon()));
  EXPECT_TRUE(info) << info.error().to_string();
}

TEST_F(MovedServerTest, AllAddressesOfANodeAreTriedAndTheOneThatAnsweredFirstTheNextTime) {
  where["node.test"] = {kLoopback + 1, kLoopback};
  net::HostPort node{"node.test", server.node_address().port};
  auto answer = run(remote_command(client, node, "help", {}, soon()));
  ASSERT_TRUE(answer) << answer.error().to_string();
  auto addresses = run(client.host_names().resolve(node, soon()));
  ASSERT_TRUE(addresses);
  EXPECT_EQ(addresses->front().ipv4, kLoopback);
}

TEST_F(MovedServerTest, ANodeThatIsNowhereIsNamedByTheLastOfItsAddresses) {
  where["node.test"] = {kLoopback + 1, kLoopback + 2};
  net::HostPort node{"node.test", server.node_address().port};
  for (const auto& error : {run(remote_command(client, node, "help", {}, soon())).error(),
                            run(client.http_get(node, "/version", soon())).error()}) {
    EXPECT_EQ(error.code(), Code::kUnreachable);
    EXPECT_THAT(error.to_string(), ::testing::HasSubstr("127.0.0."));
  }
}

}  // namespace
}  // namespace pegmove::client
