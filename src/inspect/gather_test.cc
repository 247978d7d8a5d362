#include "inspect/gather.h"

#include <gmock/gmock.h>

#include "testing/random_table.h"
#include "testing/two_clusters.h"

namespace pegmove::inspect {
namespace {

using async::milliseconds;
using ::testing::Contains;
using ::testing::HasSubstr;
using testing::TestClusterOptions;
using testing::TwoClusters;

class GatherTest : public ::testing::Test {
 protected:
  void make(std::map<std::string, uint8_t> group = {}) {
    clusters = std::make_unique<TwoClusters>(
        TestClusterOptions{.name = "A", .replica_servers = 2, .duplication_group = group},
        TestClusterOptions{.name = "B", .replica_servers = 2, .duplication_group = group});
  }
  Gathered look() {
    return clusters->run(gather({"A", clusters->source}, {"B", clusters->target},
                                {.table = "t", .to_table = "t", .timeout = milliseconds(30'000)}));
  }

  std::unique_ptr<TwoClusters> clusters;
};

TEST_F(GatherTest, LearnsFromServersWhatTheyTell) {
  make({{"A", 1}, {"B", 2}});
  auto table = clusters->create_table(clusters->source, "t", 4);
  clusters->must(table->set("h", "s", "v", 0, clusters->deadline()));
  clusters->must(table->incr("h", "counter", 5, client::kNeverExpires, clusters->deadline()));
  const auto gathered = look();
  const auto& side = gathered.inspection.source;
  ASSERT_EQ(side.nodes.size(), 2);
  EXPECT_EQ(side.alive_nodes, 2);
  int64_t atomic_writes = 0;
  size_t data_versions = 0;
  for (const auto& node : side.nodes) {
    EXPECT_THAT(node.silent, ::testing::IsEmpty());
    ASSERT_TRUE(node.version && node.clock && node.config && node.atomic_writes);
    EXPECT_TRUE(node.version->is_at_least(2, 6));
    EXPECT_EQ(node.config->cluster_name, "A");
    EXPECT_EQ(node.config->own_id(), 1);
    atomic_writes += *node.atomic_writes;
    data_versions += node.data_versions.size();
    for (const auto& [index, version] : node.data_versions) EXPECT_EQ(version, 1);
  }
  EXPECT_EQ(atomic_writes, 1);
  EXPECT_EQ(data_versions, 4);
  ASSERT_TRUE(side.duplications);
  EXPECT_TRUE(side.duplications->empty());
  EXPECT_EQ(side.level, client::MetaLevel::kLively);
  int with_rows = 0;
  for (const auto& partition : side.partitions) with_rows += partition.rows == Rows::kSome;
  EXPECT_EQ(with_rows, 1);
}

TEST_F(GatherTest, AsksOneServerForItsDuplicationGroup) {
  make({{"A", 1}, {"B", 2}});
  auto& client = clusters->target->client();
  const auto nodes = clusters->must(clusters->target->nodes(clusters->deadline()));
  const auto check = [&](ClusterId source) {
    return clusters->run(check_duplication_group(client, nodes.front().address, std::move(source),
                                                 milliseconds(30'000)));
  };
  EXPECT_TRUE(check({.name = "A", .id = 1}));
  const auto refused = check({.name = "C", .id = 3});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kRefused);
  EXPECT_THAT(refused.error().message(), HasSubstr(nodes.front().address.to_string()));
  EXPECT_THAT(refused.error().message(), HasSubstr("add 'C = 3' to it"));
}

TEST_F(GatherTest, ASampleOfEachPartitionShowsForeignRows) {
  make();
  const auto table = clusters->create_table(clusters->source, "t", 4);
  testing::Model model;
  for (int i = 0; i < 20; ++i) model[{"h" + std::to_string(i), "s"}] = {"v", 0};
  clusters->must(write_model(table, model, clusters->deadline()));
  clusters->must(testing::write_foreign(table, {{{"h3", "s"}, {"old", 0}}}, clusters->deadline()));
  const auto gathered = look();
  int64_t sampled = 0, foreign = 0;
  for (const auto& partition : gathered.inspection.source.partitions) {
    sampled += partition.sampled;
    foreign += partition.foreign;
  }
  EXPECT_EQ(sampled, 21);
  EXPECT_EQ(foreign, 1);
  EXPECT_FALSE(gathered.inspection.source.is_being_split);
}

TEST_F(GatherTest, AServerThatDoesNotAnswerIsAFinding) {
  make();
  NodeFacts facts;
  auto port = testing::find_free_port();
  clusters->run([](client::Client& client, uint16_t port, NodeFacts& facts) -> Routine<bool> {
    co_await probe_node(client, {"127.0.0.1", port}, 1, milliseconds(500), facts);  // no result
    co_return true;
  }(clusters->source->client(), port, facts));
  EXPECT_EQ(facts.silent.size(), 1) << "it is not asked again and again";
  EXPECT_THAT(facts.silent, Contains(HasSubstr("GET /metrics")));
  EXPECT_FALSE(facts.version || facts.clock || facts.config);
}

TEST_F(GatherTest, ServersAreOlderThanAReleaseOrNot) {
  make();
  const auto older_than = [&](int major, int minor) {
    return clusters->must(find_older_server(*clusters->source, major, minor, milliseconds(10'000)))
        .value_or("none");
  };
  EXPECT_EQ(older_than(2, 5), "none");
  EXPECT_THAT(older_than(2, 99), HasSubstr(" runs 2."));
  EXPECT_THAT(older_than(3, 0), HasSubstr("replica server 127.0.0.1:"));
}

TEST_F(GatherTest, ATableUnderTwoNamesOfItsClusterIsTheSame) {
  make();
  const auto table = clusters->create_table(clusters->source, "t", 2);
  const auto again = clusters->open_table(clusters->source, "t");
  const auto other = clusters->create_table(clusters->target, "t", 2);
  EXPECT_TRUE(is_same_table(*table, *again));
  EXPECT_FALSE(is_same_table(*table, *other));
}

}  // namespace
}  // namespace pegmove::inspect
