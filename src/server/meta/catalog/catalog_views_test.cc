#include "server/meta/catalog/catalog_views.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "meta_types.h"
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

  AppCatalog with_tables(const std::vector<std::string>& names, int32_t partition_count = 4,
                         int32_t replica_count = 1) {
    store_ = std::move(*MetaStore::open("/meta", disk_.files()));
    auto catalog = AppCatalog::open(*store_, 2);
    EXPECT_TRUE(catalog);
    for (const auto& name : names) {
      wire::configuration_create_app_request request;
      request.app_name = name;
      request.options.partition_count = partition_count;
      request.options.replica_count = replica_count;
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

TEST_F(CatalogViewsTest, KnowsNoUnknownOrDroppedTable) {
  auto catalog = with_tables({"t"});
  drop(catalog, "t");
  const auto response = query(catalog, {});
  EXPECT_EQ(response.err.code, ErrorCode::kObjectNotFound);
  EXPECT_EQ(response.app_id, 0);
  EXPECT_TRUE(response.partitions.empty());
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

TEST_F(CatalogViewsTest, ShowsTheOtherReplicasAsSecondaries) {
  const auto catalog = with_tables({"t"}, 4, 2);
  for (const auto& partition : query(catalog, {}, HostPorts::kInclude).partitions) {
    EXPECT_EQ(partition.max_replica_count, 2);
    const auto& other = partition.primary == nodes_[0].address ? nodes_[1] : nodes_[0];
    EXPECT_EQ(partition.secondaries, std::vector{other.address});
    EXPECT_EQ(partition.hp_secondaries, std::vector{other.host_port});
  }
  EXPECT_EQ(query(catalog, {0}).partitions[0].secondaries.size(), 1u) << "old clients, too";

  const auto unserved = query(catalog, {}, HostPorts::kInclude, [](Gpid) { return false; });
  EXPECT_TRUE(unserved.partitions[0].secondaries.empty());
  nodes_[1].is_alive = false;
  EXPECT_TRUE(query(catalog, {0}).partitions[0].secondaries.empty());
}

TEST_F(CatalogViewsTest, CountsSecondariesInTheBalanceOfReplicas) {
  const auto catalog = with_tables({"t"}, 3, 2);
  const auto info = cluster_info(
      catalog, {.cluster_name = "c", .meta_servers = "m", .primary_meta_server = "m"}, nodes_);
  EXPECT_EQ(info.values[6], "0.50");
  EXPECT_EQ(info.values[7], "0.00") << "each node has three replicas";
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

TEST_F(CatalogViewsTest, CountsTheBalanceOfLivingNodes) {
  auto catalog = with_tables({"t", "gone"}, 3);
  drop(catalog, "gone");
  const auto deviations = [&] {
    const auto info = cluster_info(
        catalog, {.cluster_name = "c", .meta_servers = "m", .primary_meta_server = "m"}, nodes_);
    EXPECT_EQ(info.values[8], "c");
    return std::pair(info.values[6], info.values[7]);
  };
  EXPECT_EQ(deviations(), std::pair(std::string("0.50"), std::string("0.50")));
  nodes_[1].is_alive = false;
  EXPECT_EQ(deviations(), std::pair(std::string("0.00"), std::string("0.00")));
}

}  // namespace
}  // namespace pegmove::server::meta
