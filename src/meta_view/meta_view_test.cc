#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "meta_types.h"
#include "meta_view/cluster_view.h"
#include "meta_view/table_view.h"

namespace pegmove::meta_view {
namespace {

using wire::ErrorCode;
using wire::pattern_match_type;

class TableViewTest : public ::testing::Test {
 protected:
  TableViewTest() {
    for (uint16_t node = 0; node < 2; ++node) {
      const auto port = static_cast<uint16_t>(34801 + node);
      nodes_.push_back({.address = wire::rpc_address::of(0x7F000001, port),
                        .host_port = wire::host_port::of("localhost", port)});
    }
    for (size_t index = 0; index < 4; ++index)
      table_.partitions.push_back({.ballot = 3, .primary = &nodes_[index % 2]});
  }
  wire::query_cfg_response query(std::vector<int32_t> indices,
                                 HostPorts host_ports = HostPorts::kOmit) {
    wire::query_cfg_request request;
    request.partition_indices = std::move(indices);
    return query_config(request, &table_, host_ports);
  }
  std::vector<int32_t> indices_of_answer(std::vector<int32_t> asked) {
    std::vector<int32_t> indices;
    for (const auto& partition : query(std::move(asked)).partitions)
      indices.push_back(partition.pid.id.partition_index);
    return indices;
  }

  std::vector<NodeAddress> nodes_;
  TableView table_{.app_id = 7, .max_replica_count = 3};
};

TEST_F(TableViewTest, ShowsAllPartitions) {
  const auto response = query({});
  EXPECT_EQ(response.err.code, ErrorCode::kOk);
  EXPECT_EQ(response.app_id, 7);
  EXPECT_EQ(response.partition_count, 4);
  EXPECT_TRUE(response.is_stateful);
  ASSERT_EQ(response.partitions.size(), 4U);
  for (size_t index = 0; index < 4; ++index) {
    const auto& partition = response.partitions[index];
    EXPECT_EQ(partition.pid.id, (Gpid{7, int32_t(index)}));
    EXPECT_EQ(partition.ballot, 3);
    EXPECT_EQ(partition.max_replica_count, 3);
    EXPECT_EQ(partition.primary, nodes_[index % 2].address);
    EXPECT_TRUE(partition.secondaries.empty());
  }
}

TEST_F(TableViewTest, ShowsTheAskedPartitionsInTheAskedOrder) {
  using Indices = std::vector<int32_t>;
  EXPECT_EQ(indices_of_answer({2, 0}), (Indices{2, 0}));
  EXPECT_EQ(indices_of_answer({-1, 3, 4, 2147483647}), (Indices{3}));
  EXPECT_EQ(indices_of_answer({1, 1, 0, 1}), (Indices{1, 0}));
  EXPECT_EQ(indices_of_answer({-1, 4}), (Indices{0, 1, 2, 3})) << "none of them is there";
}

TEST_F(TableViewTest, GivesHostPortsOnlyWhenAsked) {
  for (const auto& partition : query({}, HostPorts::kOmit).partitions) {
    EXPECT_FALSE(partition.__isset.hp_primary);
    EXPECT_FALSE(partition.__isset.hp_secondaries);
    EXPECT_FALSE(partition.__isset.hp_last_drops);
  }
  const auto with = query({}, HostPorts::kInclude);
  for (size_t index = 0; index < 4; ++index) {
    EXPECT_TRUE(with.partitions[index].__isset.hp_primary);
    EXPECT_TRUE(with.partitions[index].__isset.hp_secondaries);
    EXPECT_TRUE(with.partitions[index].__isset.hp_last_drops);
    EXPECT_EQ(with.partitions[index].hp_primary, nodes_[index % 2].host_port);
  }
}

TEST_F(TableViewTest, ShowsNoPrimaryWhereThereIsNone) {
  table_.partitions[2].primary = nullptr;
  const auto response = query({}, HostPorts::kInclude);
  EXPECT_TRUE(response.partitions[1].primary.is_set());
  EXPECT_FALSE(response.partitions[2].primary.is_set());
  EXPECT_FALSE(response.partitions[2].__isset.hp_primary);
  EXPECT_TRUE(response.partitions[2].__isset.hp_secondaries);
  EXPECT_EQ(response.partitions[2].ballot, 0);
}

TEST_F(TableViewTest, ShowsSecondariesBesideAPrimary) {
  for (size_t index = 0; index < 4; ++index)
    table_.partitions[index].secondaries = {&nodes_[(index + 1) % 2]};
  table_.partitions[2].primary = nullptr;
  const auto response = query({}, HostPorts::kInclude);
  for (size_t index : {0, 1, 3}) {
    const auto& partition = response.partitions[index];
    const auto& other = nodes_[(index + 1) % 2];
    EXPECT_EQ(partition.secondaries, std::vector{other.address});
    EXPECT_EQ(partition.hp_secondaries, std::vector{other.host_port});
  }
  EXPECT_TRUE(response.partitions[2].secondaries.empty());
  EXPECT_TRUE(response.partitions[2].hp_secondaries.empty());
  EXPECT_EQ(query({0}).partitions[0].secondaries.size(), 1u);
  EXPECT_FALSE(query({0}).partitions[0].__isset.hp_secondaries);
}

TEST_F(TableViewTest, KnowsNoTableThatIsNotThere) {
  const auto response = query_config({}, nullptr, HostPorts::kInclude);
  EXPECT_EQ(response.err.code, ErrorCode::kObjectNotFound);
  EXPECT_EQ(response.app_id, 0);
  EXPECT_TRUE(response.partitions.empty());
}

TEST(HostPorts, AreForTheFramingOfServers) {
  wire::RequestHead head;
  head.framing = wire::Framing::kRdsn;
  EXPECT_EQ(host_ports_for(head), HostPorts::kInclude);
  for (const auto framing : {wire::Framing::kThriftV0, wire::Framing::kThriftV1}) {
    head.framing = framing;
    EXPECT_EQ(host_ports_for(head), HostPorts::kOmit);
  }
}

class TableListTest : public ::testing::Test {
 protected:
  using Names = std::vector<std::string>;

  wire::configuration_list_apps_response list(const wire::configuration_list_apps_request& request,
                                              const Names& tables) {
    std::vector<wire::app_info> infos(tables.size());
    std::vector<const wire::app_info*> pointers;
    for (size_t i = 0; i < tables.size(); ++i) {
      infos[i].app_name = tables[i];
      infos[i].status =
          tables[i].starts_with("dropped") ? wire::AS_DROPPED : wire::app_status::AS_AVAILABLE;
      pointers.push_back(&infos[i]);
    }
    return list_apps(request, pointers);
  }
  Names names(const wire::configuration_list_apps_request& request, const Names& tables) {
    Names found;
    for (const auto& info : list(request, tables).infos) found.push_back(info.app_name);
    return found;
  }
};

TEST_F(TableListTest, IsOfTheStatusThatIsAskedFor) {
  wire::configuration_list_apps_request request;
  const Names tables{"a", "dropped", "c"};
  EXPECT_EQ(names(request, tables), tables);
  request.status = wire::app_status::AS_AVAILABLE;
  EXPECT_EQ(names(request, tables), (Names{"a", "c"}));
  request.status = wire::app_status::AS_DROPPED;
  EXPECT_EQ(names(request, tables), (Names{"dropped"}));
}

TEST_F(TableListTest, IsOfThePatternThatIsAskedFor) {
  const auto match = [&](pattern_match_type type, const char* pattern) {
    wire::configuration_list_apps_request request;
    request.__set_match_type(type);
    request.__set_app_name_pattern(pattern);
    return names(request, {"ab", "abc", "xab"});
  };
  EXPECT_EQ(match(pattern_match_type::PMT_MATCH_ALL, "zzz"), (Names{"ab", "abc", "xab"}));
  EXPECT_EQ(match(pattern_match_type::PMT_MATCH_EXACT, "ab"), (Names{"ab"}));
  EXPECT_EQ(match(pattern_match_type::PMT_MATCH_ANYWHERE, "ab"), (Names{"ab", "abc", "xab"}));
  EXPECT_EQ(match(pattern_match_type::PMT_MATCH_PREFIX, "ab"), (Names{"ab", "abc"}));
  EXPECT_EQ(match(pattern_match_type::PMT_MATCH_POSTFIX, "ab"), (Names{"ab", "xab"}));
}

TEST_F(TableListTest, NeedsPatternAndMatchTypeTogether) {
  wire::configuration_list_apps_request request;
  request.__set_app_name_pattern("a");
  EXPECT_EQ(names(request, {"a", "b"}), (Names{"a", "b"}));
}

TEST_F(TableListTest, HasNoRegularExpressions) {
  wire::configuration_list_apps_request request;
  request.__set_app_name_pattern("a");
  request.__set_match_type(pattern_match_type::PMT_MATCH_REGEX);
  const auto response = list(request, {"a"});
  EXPECT_EQ(response.err.code, ErrorCode::kNotImplemented);
  EXPECT_EQ(response.hint_message, "match_type is not supported: val=6, str=PMT_MATCH_REGEX");
  EXPECT_TRUE(response.infos.empty());
}

class ClusterViewTest : public TableViewTest {};

TEST_F(ClusterViewTest, ListsNodesAliveFirst) {
  nodes_[0].is_alive = false;
  wire::configuration_list_nodes_request request;
  const auto all = list_nodes(request, nodes_, HostPorts::kInclude);
  ASSERT_EQ(all.infos.size(), 2U);
  EXPECT_TRUE(all.infos[0].status == wire::node_status::NS_ALIVE);
  EXPECT_EQ(all.infos[0].node, nodes_[1].address);
  EXPECT_EQ(all.infos[0].hp_node, nodes_[1].host_port);
  EXPECT_TRUE(all.infos[1].status == wire::node_status::NS_UNALIVE);

  request.status = wire::node_status::NS_UNALIVE;
  const auto dead = list_nodes(request, nodes_, HostPorts::kOmit);
  ASSERT_EQ(dead.infos.size(), 1U);
  EXPECT_EQ(dead.infos[0].node, nodes_[0].address);
  EXPECT_FALSE(dead.infos[0].__isset.hp_node);
}

TEST_F(ClusterViewTest, TellsTheFactsOfTheClusterInOrder) {
  const auto response = cluster_info({.cluster_name = "c",
                                      .meta_servers = "127.0.0.1:34601",
                                      .primary_meta_server = "localhost:34601",
                                      .primary_count_deviation = 0.5,
                                      .replica_count_deviation = 1.25});
  EXPECT_EQ(response.keys,
            (std::vector<std::string>{"meta_servers", "primary_meta_server", "zookeeper_hosts",
                                      "zookeeper_root", "meta_function_level",
                                      "balance_operation_count", "primary_replica_count_stddev",
                                      "total_replica_count_stddev", "cluster_name"}));
  EXPECT_EQ(response.values,
            (std::vector<std::string>{
                "127.0.0.1:34601", "localhost:34601", "", "", "lively",
                "{\n  \"copy_pri\": 0,\n  \"copy_sec\": 0,\n  \"move_pri\": 0,\n  \"total\": 0\n}",
                "0.50", "1.25", "c"}));
}

TEST(BalanceDeviation, IsOverNodesThatHaveReplicas) {
  const auto of = [](std::vector<int64_t> counts) { return balance_deviation(counts); };
  EXPECT_EQ(of({}), 0);
  EXPECT_EQ(of({3}), 0);
  EXPECT_EQ(of({3, 0}), 0);
  EXPECT_EQ(of({2, 1}), 0.5);
  EXPECT_EQ(of({2, 0, 1}), 0.5);
}

}  // namespace
}  // namespace pegmove::meta_view
