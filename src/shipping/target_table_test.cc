// What a shipper learns about the table that it writes to.
#include "shipping/target_table.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/io_context.hpp>

#include "async/run.h"
#include "testing/fake_master.h"

namespace pegmove::shipping {
namespace {

class TargetTableTest : public ::testing::Test {
 protected:
  TargetTableTest() {
    target.partition_count = 4;
    // Partitions 2 and 3 are not split off yet.
    target.on_config = [this](auto& config) {
      for (auto& partition : config.partitions) {
        const bool is_child = partition.pid.id.partition_index >= 2;
        if (is_child) partition.ballot = -1;
        partition.primary =
            is_child ? wire::rpc_address() : wire::rpc_address::of(0x7f000001, port);
        partition.__set_hp_primary(is_child ? wire::host_port()
                                            : wire::host_port::of("127.0.0.1", port));
      }
    };
  }
  ~TargetTableTest() override { async::run_to_end(context, client.close()); }
  Result<TargetPartition> partition(int32_t index) {
    return async::run_to_end(context, table.partition(index, 4));
  }

  std::atomic<uint16_t> port = 1001;  // of the primaries
  testing::FakeMaster target;
  asio::io_context context;
  async::SystemClock clock;
  client::Client client{context.get_executor(), clock};
  TargetTable table{client, "B", {*net::parse_host_port(target.text())}, "t"};
};

TEST_F(TargetTableTest, AsksAgainForThePartitionThatIsInDoubt) {
  ASSERT_EQ(partition(1)->address.port, 1001);
  port = 1002;
  EXPECT_EQ(partition(1)->address.port, 1001);
  table.doubt(1);
  EXPECT_EQ(partition(1)->address.port, 1002);
  EXPECT_EQ(partition(0)->address.port, 1001);
}

TEST_F(TargetTableTest, DoubtAboutAChildIsDoubtAboutItsParent) {
  const auto child = partition(3);
  ASSERT_TRUE(child) << child.error().to_string();
  EXPECT_EQ(child->address.port, 1001) << "of partition 1";
  EXPECT_EQ(child->index, 3);
  EXPECT_EQ(child->gpid.partition_index, 1) << "real servers have no primary of a child's id";
  port = 1002;
  table.doubt(3);
  EXPECT_EQ(partition(3)->address.port, 1002);
  EXPECT_EQ(partition(1)->address.port, 1002);
  EXPECT_EQ(partition(2)->address.port, 1001);
}

TEST_F(TargetTableTest, ARefreshShowsOtherServersWithoutAnError) {
  ASSERT_TRUE(async::run_to_end(context, table.refresh()));
  EXPECT_EQ(target.configs(), 0);  // nobody has asked for it yet
  ASSERT_EQ(partition(0)->address.port, 1001);
  port = 1002;
  ASSERT_TRUE(async::run_to_end(context, table.refresh()));
  EXPECT_EQ(partition(0)->address.port, 1002);
  EXPECT_EQ(target.configs(), 2);
}

}  // namespace
}  // namespace pegmove::shipping
