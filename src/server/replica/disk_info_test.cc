#include "server/replica/disk_info.h"

#include <gtest/gtest.h>

#include "meta_types.h"
#include "replica_admin_types.h"
#include "testing/sim_clock.h"
#include "testing/wire_client.h"

namespace pegmove::server::replica {
namespace {

using testing::TestClient;
using testing::TestCluster;
using testing::WireClient;
using wire::ErrorCode;
using wire::RpcCode;

TEST(DiskInfo, TellsTheSizeOfTheDiskAndWhatLiesOnIt) {
  auto response =
      disk_info_of("/tmp", {.primaries = {{1, 0}, {1, 3}, {2, 0}}, .secondaries = {{1, 2}}});
  EXPECT_EQ(response.err.code, ErrorCode::kOk);
  ASSERT_EQ(response.disk_infos.size(), 1u);
  const auto& disk = response.disk_infos[0];
  EXPECT_EQ(disk.tag, kDiskTag);
  EXPECT_EQ(disk.full_dir, "/tmp");
  EXPECT_GT(disk.disk_capacity_mb, 0);
  EXPECT_LE(disk.disk_available_mb, disk.disk_capacity_mb);
  EXPECT_EQ(response.total_capacity_mb, disk.disk_capacity_mb);
  EXPECT_EQ(response.total_available_mb, disk.disk_available_mb);
  EXPECT_EQ(disk.holding_primary_replicas.size(), 2u);
  EXPECT_EQ(disk.holding_primary_replicas.at(1),
            (std::set<wire::gpid>{{Gpid{1, 0}}, {Gpid{1, 3}}}));
  EXPECT_EQ(disk.holding_secondary_replicas.size(), 1u);
  EXPECT_EQ(disk.holding_secondary_replicas.at(1), (std::set<wire::gpid>{{Gpid{1, 2}}}));
}

TEST(DiskInfo, SaysThatThereIsNoFolder) {
  EXPECT_EQ(disk_info_of("/no/such/folder", {}).err.code, ErrorCode::kFileOperationFailed);
}

TEST(DiskInfo, IsAnsweredByANodeForAllTablesOrOne) {
  testing::SimClock clock;
  TestCluster cluster(clock);
  TestClient client(cluster.meta_address());
  client.create_table("t", 2);
  client.create_table("u", 1);
  WireClient wire(client, cluster.replica_addresses()[0]);
  auto ask = [&](std::string table) {
    wire::query_disk_info_request request;
    request.app_name = std::move(table);
    return wire.call<wire::query_disk_info_response>(RpcCode::kQueryDiskInfo, {}, request);
  };
  auto all = ask("");
  ASSERT_EQ(all.disk_infos.size(), 1u);
  EXPECT_EQ(all.disk_infos[0].holding_primary_replicas.size(), 2u);
  auto one = ask("t");
  EXPECT_EQ(one.disk_infos.at(0).holding_primary_replicas.size(), 1u);
  EXPECT_EQ(one.disk_infos.at(0).holding_primary_replicas.at(1).size(), 2u);
  EXPECT_EQ(ask("nothing").err.code, ErrorCode::kObjectNotFound);
  // By the name it has now; not when it is gone.
  wire::configuration_rename_app_request rename;
  rename.old_app_name = "t";
  rename.new_app_name = "v";
  WireClient meta(client, cluster.meta_address());
  meta.call<wire::configuration_rename_app_response>(RpcCode::kRenameApp, {}, rename);
  EXPECT_EQ(ask("t").err.code, ErrorCode::kObjectNotFound);
  EXPECT_EQ(ask("v").err.code, ErrorCode::kOk);
}

}  // namespace
}  // namespace pegmove::server::replica
