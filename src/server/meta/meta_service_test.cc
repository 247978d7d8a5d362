// Dropped and recalled tables: what the nodes serve, and when the data is deleted.
#include "server/meta/meta_service.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "meta_types.h"
#include "testing/sim_clock.h"
#include "testing/wire_client.h"

namespace pegmove::server::meta {
namespace {

using testing::TestClient;
using testing::TestCluster;
using testing::WireClient;
using wire::ErrorCode;
using wire::RpcCode;

class DropTest : public ::testing::Test {
 protected:
  void drop(const std::string& table, int64_t reserve_seconds) {
    client.must(client.cluster().drop_table(table, reserve_seconds, client.deadline()));
  }
  wire::configuration_recall_app_response recall(int32_t app_id, std::string new_name = "") {
    wire::configuration_recall_app_request request;
    request.app_id = app_id;
    request.new_app_name = std::move(new_name);
    return WireClient(client, cluster.meta_address())
        .call<wire::configuration_recall_app_response>(RpcCode::kRecallApp, {}, request);
  }
  wire::configuration_meta_control_response control(wire::meta_function_level level) {
    wire::configuration_meta_control_request request;
    request.level = level;
    return WireClient(client, cluster.meta_address())
        .call<wire::configuration_meta_control_response>(RpcCode::kControlMeta, {}, request);
  }
  size_t listed_tables() {
    return client.must(client.cluster().tables(client::ListedTables::kAll, client.deadline()))
        .size();
  }
  // Of all partitions of the table, on both nodes.
  int partition_folders(int32_t app_id) {
    int count = 0;
    for (const auto* node : {"replica0", "replica1"})
      for (int index = 0; index < 4; ++index)
        if (std::filesystem::exists(cluster.data_dir() + "/" + node + "/" +
                                    Gpid{app_id, index}.to_string() + ".pegasus"))
          ++count;
    return count;
  }
  void write_row(client::Table& table) {
    client.must(table.set("h", "s", "value", 0, client.deadline()));
  }
  std::optional<std::string> read_row(const std::string& table) {
    return client.must(client.open_table(table)->get("h", "s", client.deadline())).value;
  }
  // Advances time by minutes until the table is not listed any more, or the deadline passes.
  void pass_minutes_until_forgotten(size_t tables_left) {
    auto deadline = client.deadline();
    while (listed_tables() > tables_left && !deadline.passed(client.clock()))
      clock.advance(async::milliseconds(60'000));
  }

  testing::SimClock clock;
  TestCluster cluster{clock, {.replica_servers = 2}};
  TestClient client{cluster.meta_address()};
};

TEST_F(DropTest, KeepsTheDataForARecall) {
  write_row(*client.create_table("t", 4));
  drop("t", 100);
  EXPECT_EQ(partition_folders(1), 4);
  auto response = recall(1);
  ASSERT_EQ(response.err.code, ErrorCode::kOk);
  EXPECT_EQ(response.info.app_name, "t");
  EXPECT_EQ(read_row("t"), "value");
}

TEST_F(DropTest, KeepsTheDataOverARestart) {
  write_row(*client.create_table("t", 4));
  drop("t", 100);
  cluster.restart();
  ASSERT_EQ(recall(1, "u").err.code, ErrorCode::kOk);
  EXPECT_EQ(read_row("u"), "value");
  cluster.restart();
  EXPECT_EQ(read_row("u"), "value");
}

TEST_F(DropTest, DeletesTheDataWhenTheReserveTimeIsOver) {
  client.create_table("t", 4);
  client.create_table("kept", 4);
  drop("t", 600);
  drop("kept", 100'000);
  clock.advance(async::milliseconds(599'000));
  EXPECT_EQ(listed_tables(), 2u);
  EXPECT_EQ(partition_folders(1), 4);
  pass_minutes_until_forgotten(1);
  EXPECT_EQ(partition_folders(1), 0);
  EXPECT_EQ(partition_folders(2), 4);
  EXPECT_EQ(recall(1).err.code, ErrorCode::kAppNotExist);
  EXPECT_EQ(recall(2).err.code, ErrorCode::kOk);
}

TEST_F(DropTest, DeletesNoDataAtTheLevelSteady) {
  client.create_table("t", 4);
  drop("t", 1);
  control(wire::fl_steady);
  for (int i = 0; i < 10; ++i) {
    clock.advance(async::milliseconds(60'000));
    EXPECT_EQ(listed_tables(), 1u);
  }
  EXPECT_EQ(partition_folders(1), 4);
  EXPECT_EQ(recall(1).err.code, ErrorCode::kAppNotExist) << "its time is over all the same";
  control(wire::fl_lively);
  pass_minutes_until_forgotten(0);
  EXPECT_EQ(partition_folders(1), 0);
}

TEST_F(DropTest, ServesWhatWasAskedForLastHoweverFastItChanges) {
  write_row(*client.create_table("t", 4));
  for (int i = 0; i < 20; ++i) {
    drop("t", 100);
    ASSERT_EQ(recall(1).err.code, ErrorCode::kOk);
  }
  EXPECT_EQ(read_row("t"), "value");
  for (int i = 0; i < 4; ++i)
    client.must(client.open_table("t")->get(std::to_string(i), "", client.deadline()));
  drop("t", 100);
  EXPECT_TRUE(recall(1).info.status == wire::AS_AVAILABLE);
}

TEST_F(DropTest, ShowsTheFunctionLevelInTheClusterInfo) {
  auto level = [&] {
    for (auto& [key, value] : client.must(client.cluster().info(client.deadline())))
      if (key == "meta_function_level") return value;
    return std::string();
  };
  EXPECT_EQ(level(), "lively");
  EXPECT_TRUE(control(wire::fl_freezed).old_level == wire::fl_lively);
  EXPECT_EQ(level(), "freezed");
  cluster.restart();
  EXPECT_EQ(level(), "freezed");
}

}  // namespace
}  // namespace pegmove::server::meta
