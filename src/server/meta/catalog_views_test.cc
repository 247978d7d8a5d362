#include "server/meta/catalog_views.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "server/meta/store/sim_files_test.h"

namespace pegmove::server::meta {
namespace {

using wire::ErrorCode;
using wire::pattern_match_type;

bool all_served(Gpid) { return true; }

class CatalogViewsTest : public testing::Test {
 protected:
  void SetUp() override {
    base::set_log_level(base::LogLevel::kOff);
    for (uint16_t node = 0; node < 2; ++node) {
      const auto port = static_cast<uint16_t>(34801 + node);
      nodes_.push_back({.address = wire::rpc_address::of(0x7F000001, port),
                        .host_port = wire::host_port::of("localhost", port)});
    }
  }

  AppCatalog with_tables(const std::vector<std::string>& names, int32_t partition_count = 4) {
    store_ = std::move(*MetaStore::open("/meta", disk_.files()));
    auto catalog = AppCatalog::open(*store_, 2);
    EXPECT_TRUE(catalog);
    for (const auto& name : names) {
      wire::configuration_create_app_request request;
      request.app_name = name;
      request.options.partition_count = partition_count;
      request.options.replica_count = 1;
      request.options.app_type = "pegasus";
      request.options.is_stateful = true;
      EXPECT_EQ(catalog->create(request, 1000).err.code, ErrorCode::kOk);
    }
    return std::move(*catalog);
  }
  static void drop(AppCatalog& catalog, const std::string& name) {
    wire::configuration_drop_app_request request;
    request.app_name = name;
    EXPECT_EQ(catalog.drop(request, 2000).err.code, ErrorCode::kOk);
  }
  wire::query_cfg_response query(const AppCatalog& catalog, std::vector<int32_t> indices,
                                 HostPorts host_ports = HostPorts::kOmit,
                                 const std::function<bool(Gpid)>& is_served = all_served) {
    wire::query_cfg_request request;
    request.app_name = "t";
    request.partition_indices = std::move(indices);
    return query_config(catalog, request, nodes_, is_served, host_ports);
  }
  static std::vector<int32_t> indices_of(const wire::query_cfg_response& response) {
    std::vector<int32_t> indices;
    indices.reserve(response.partitions.size());
    for (const auto& p : response.partitions) indices.push_back(p.pid.id.partition_index);
    return indices;
  }

  SimDisk disk_;
  std::unique_ptr<MetaStore> store_;
  std::vector<NodeAddress> nodes_;
};

std::vector<std::string> names_of(const wire::configuration_list_apps_response& response) {
  std::vector<std::string> names;
  names.reserve(response.infos.size());
  for (const auto& info : response.infos) names.push_back(info.app_name);
  return names;
}

TEST_F(CatalogViewsTest, ShowsAllPartitions) {
  const auto response = query(with_tables({"t"}), {});
  EXPECT_EQ(response.err.code, ErrorCode::kOk);
  EXPECT_EQ(response.app_id, 1);
  EXPECT_EQ(response.partition_count, 4);
  EXPECT_TRUE(response.is_stateful);
  EXPECT_EQ(indices_of(response), (std::vector<int32_t>{0, 1, 2, 3}));
  for (size_t index = 0; index < 4; ++index) {
    const auto& partition = response.partitions[index];
    EXPECT_EQ(partition.pid.id.app_id, 1);
    EXPECT_EQ(partition.ballot, 1);
    EXPECT_EQ(partition.max_replica_count, 1);
    EXPECT_EQ(partition.primary, nodes_[index % 2].address);
    EXPECT_TRUE(partition.secondaries.empty());
  }
}

TEST_F(CatalogViewsTest, ShowsTheAskedPartitionsInTheAskedOrder) {
  const auto catalog = with_tables({"t"});
  EXPECT_EQ(indices_of(query(catalog, {2, 0})), (std::vector<int32_t>{2, 0}));
  EXPECT_EQ(indices_of(query(catalog, {-1, 3, 4, 2147483647})), (std::vector<int32_t>{3}));
  EXPECT_EQ(indices_of(query(catalog, {1, 1, 0, 1})), (std::vector<int32_t>{1, 0}));
}

TEST_F(CatalogViewsTest, ShowsAllPartitionsWhenNoneOfTheAskedExists) {
  EXPECT_EQ(query(with_tables({"t"}), {-1, 4}).partitions.size(), 4U);
}

TEST_F(CatalogViewsTest, KnowsNoUnknownOrDroppedTable) {
  auto catalog = with_tables({"t"});
  drop(catalog, "t");
  const auto response = query(catalog, {});
  EXPECT_EQ(response.err.code, ErrorCode::kObjectNotFound);
  EXPECT_EQ(response.app_id, 0);
  EXPECT_TRUE(response.partitions.empty());
}

TEST_F(CatalogViewsTest, GivesHostPortsOnlyWhenAsked) {
  const auto catalog = with_tables({"t"});
  for (const auto& partition : query(catalog, {}, HostPorts::kOmit).partitions) {
    EXPECT_FALSE(partition.__isset.hp_primary);
    EXPECT_FALSE(partition.__isset.hp_secondaries);
    EXPECT_FALSE(partition.__isset.hp_last_drops);
  }
  const auto with = query(catalog, {}, HostPorts::kInclude);
  for (size_t index = 0; index < 4; ++index) {
    EXPECT_TRUE(with.partitions[index].__isset.hp_primary);
    EXPECT_TRUE(with.partitions[index].__isset.hp_secondaries);
    EXPECT_TRUE(with.partitions[index].__isset.hp_last_drops);
    EXPECT_EQ(with.partitions[index].hp_primary, nodes_[index % 2].host_port);
  }
}

TEST_F(CatalogViewsTest, ShowsNoPrimaryForAPartitionThatIsNotServed) {
  const auto catalog = with_tables({"t"});
  const auto response =
      query(catalog, {}, HostPorts::kInclude, [](Gpid id) { return id != Gpid{1, 2}; });
  EXPECT_TRUE(response.partitions[1].primary.is_set());
  EXPECT_EQ(response.partitions[1].ballot, 1);
  EXPECT_FALSE(response.partitions[2].primary.is_set());
  EXPECT_FALSE(response.partitions[2].__isset.hp_primary);
  EXPECT_TRUE(response.partitions[2].__isset.hp_secondaries);
  EXPECT_EQ(response.partitions[2].ballot, 0);

  nodes_[1].is_alive = false;
  EXPECT_FALSE(query(catalog, {1}).partitions[0].primary.is_set());
  nodes_.pop_back();
  EXPECT_FALSE(query(catalog, {1}).partitions[0].primary.is_set());
}

TEST_F(CatalogViewsTest, ListsTablesByStatus) {
  auto catalog = with_tables({"a", "b", "c"});
  drop(catalog, "b");
  wire::configuration_list_apps_request request;
  EXPECT_EQ(names_of(list_apps(catalog, request)), (std::vector<std::string>{"a", "b", "c"}));
  request.status = wire::app_status::AS_AVAILABLE;
  EXPECT_EQ(names_of(list_apps(catalog, request)), (std::vector<std::string>{"a", "c"}));
  request.status = wire::app_status::AS_DROPPED;
  const auto dropped = list_apps(catalog, request);
  ASSERT_EQ(names_of(dropped), (std::vector<std::string>{"b"}));
  EXPECT_EQ(dropped.infos[0].drop_second, 2000);
  EXPECT_EQ(dropped.infos[0].expire_second, 2000 + kDefaultReserveSeconds);
}

TEST_F(CatalogViewsTest, ListsTablesByPattern) {
  const auto catalog = with_tables({"ab", "abc", "xab"});
  const auto list = [&](pattern_match_type type, const char* pattern) {
    wire::configuration_list_apps_request request;
    request.__set_match_type(type);
    request.__set_app_name_pattern(pattern);
    return names_of(list_apps(catalog, request));
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(list(pattern_match_type::PMT_MATCH_ALL, "zzz"), (Names{"ab", "abc", "xab"}));
  EXPECT_EQ(list(pattern_match_type::PMT_MATCH_EXACT, "ab"), (Names{"ab"}));
  EXPECT_EQ(list(pattern_match_type::PMT_MATCH_ANYWHERE, "ab"), (Names{"ab", "abc", "xab"}));
  EXPECT_EQ(list(pattern_match_type::PMT_MATCH_PREFIX, "ab"), (Names{"ab", "abc"}));
  EXPECT_EQ(list(pattern_match_type::PMT_MATCH_POSTFIX, "ab"), (Names{"ab", "xab"}));
}

TEST_F(CatalogViewsTest, NeedsPatternAndMatchTypeTogether) {
  const auto catalog = with_tables({"a", "b"});
  wire::configuration_list_apps_request request;
  request.__set_app_name_pattern("a");
  EXPECT_EQ(list_apps(catalog, request).infos.size(), 2U);
}

TEST_F(CatalogViewsTest, HasNoRegularExpressions) {
  wire::configuration_list_apps_request request;
  request.__set_app_name_pattern("a");
  request.__set_match_type(pattern_match_type::PMT_MATCH_REGEX);
  const auto response = list_apps(with_tables({"a"}), request);
  EXPECT_EQ(response.err.code, ErrorCode::kNotImplemented);
  EXPECT_EQ(response.hint_message, "match_type is not supported: val=6, str=PMT_MATCH_REGEX");
  EXPECT_TRUE(response.infos.empty());
}

TEST_F(CatalogViewsTest, ListsNodesAliveFirst) {
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

TEST_F(CatalogViewsTest, TellsTheFactsOfTheClusterInOrder) {
  const auto response = cluster_info(with_tables({"t"}, 3),
                                     {.cluster_name = "c",
                                      .meta_servers = "127.0.0.1:34601",
                                      .primary_meta_server = "localhost:34601",
                                      .zookeeper_hosts = "",
                                      .zookeeper_root = ""},
                                     nodes_);
  EXPECT_EQ(response.keys,
            (std::vector<std::string>{"meta_servers", "primary_meta_server", "zookeeper_hosts",
                                      "zookeeper_root", "meta_function_level",
                                      "balance_operation_count", "primary_replica_count_stddev",
                                      "total_replica_count_stddev", "cluster_name"}));
  EXPECT_EQ(response.values,
            (std::vector<std::string>{
                "127.0.0.1:34601", "localhost:34601", "", "", "lively",
                "{\n  \"copy_pri\": 0,\n  \"copy_sec\": 0,\n  \"move_pri\": 0,\n  \"total\": 0\n}",
                "0.50", "0.50", "c"}));
}

TEST_F(CatalogViewsTest, CountsNoBalanceOnOneNode) {
  nodes_[1].is_alive = false;
  const auto response = cluster_info(with_tables({"t"}, 3), {}, nodes_);
  EXPECT_EQ(response.values[6], "0.00");
}

}  // namespace
}  // namespace pegmove::server::meta
