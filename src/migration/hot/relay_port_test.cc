// What is said of relays that are not there, or are others. Relays that work: hot_relay_test.cc.
#include "migration/hot/relay_port.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "journal/journals_test.h"
#include "testing/fake_nodes.h"
#include "testing/two_clusters.h"

namespace pegmove::migration::hot {
namespace {

using journal::bad;
using journal::good;
using ::testing::HasSubstr;

constexpr const char* kRelays = "/pegmove/relay/A/t/B";

class RelayPortTest : public ::testing::Test {
 protected:
  Error why_not() { return bad(clusters.run(port->look(2, clusters.deadline()))); }
  void set_duty(int partitions, const std::string& to_table) {
    nodes.set(kRelays, R"({"from":"A","table":"t","partitions":)" + std::to_string(partitions) +
                           R"(,"to":"B","to_table":")" + to_table + "\"}");
  }

  const HotSide a{.metas = "a:1", .table = "t", .name = "A", .cluster = "A"};
  const HotSide b{.metas = "b:1", .table = "t", .name = "B", .cluster = "B"};
  const RelayEnds ends{.from = a, .to = b, .root = "/pegmove/relay"};
  pegmove::testing::TwoClusters clusters;
  pegmove::testing::FakeNodes nodes;
  async::SystemClock clock;
  std::unique_ptr<RelayPort> port = good(RelayPort::open(nodes, clock, clusters.source, ends));
};

TEST_F(RelayPortTest, NoRelayHasBegun) {
  const auto error = why_not();
  EXPECT_EQ(error.code(), Code::kNotFound);
  EXPECT_THAT(error.message(), HasSubstr(kRelays));
}

TEST_F(RelayPortTest, RelaysOfAnotherTableAreNotTaken) {
  set_duty(2, "u");
  EXPECT_EQ(why_not().code(), Code::kRefused);
  set_duty(3, "t");
  const auto error = why_not();
  EXPECT_EQ(error.code(), Code::kRefused);
  EXPECT_THAT(error.message(), HasSubstr("it must be 2 to table 't'"));
}

TEST_F(RelayPortTest, ASealIsRemovedByTheOperatorBeforeTheRunBegins) {
  set_duty(2, "t");
  nodes.set(std::string(kRelays) + "/sealed", "");
  const auto error = why_not();
  EXPECT_EQ(error.code(), Code::kRefused);
  EXPECT_THAT(error.message(), HasSubstr("pegmove relay seal --undo --from A --to B --table t"));
}

TEST_F(RelayPortTest, EachPartitionNeedsARelayThatAnswers) {
  set_duty(2, "t");
  nodes.set(std::string(kRelays) + "/0", R"({"relay":"127.0.0.1:1"})");
  EXPECT_THAT(why_not().message(), HasSubstr("partition 1 has no relay"));
  nodes.set(std::string(kRelays) + "/1", R"({"relay":"127.0.0.1:1"})");
  EXPECT_THAT(why_not().to_string(), HasSubstr("the relay at 127.0.0.1:1"));
}

TEST_F(RelayPortTest, TheCommandNamesWhatIsNotUsual) {
  EXPECT_EQ(relay_command(ends, "z:2181"),
            "pegmove relay --from a:1 --to b:1 --table t --zookeeper z:2181 --listen ADDRESS:PORT");
  auto other = b;
  other.table = "u";
  EXPECT_THAT(relay_command({.from = a, .to = other, .root = "/r"}, "z:2181"),
              HasSubstr("--to-table u --relay-root /r"));
}

}  // namespace
}  // namespace pegmove::migration::hot
