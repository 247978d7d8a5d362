#include "server/replica/write_cost.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "client/bulk_write.h"
#include "record/key.h"
#include "testing/sim_clock.h"
#include "testing/test_cluster.h"

namespace pegmove::server::replica {
namespace {

using namespace std::chrono_literals;

bool is_there(const std::future<void>& future) {
  return future.wait_for(0s) == std::future_status::ready;
}

TEST(WriteCosts, ServesOneAfterTheOther) {
  testing::SimClock clock;
  WriteCosts costs({.mutation = 10ms, .request = 1ms}, clock);
  std::promise<void> first, second;
  auto first_served = first.get_future(), second_served = second.get_future();
  costs.serve(1, 5, [&] { first.set_value(); });   // 15 ms
  costs.serve(2, 2, [&] { second.set_value(); });  // 22 ms more
  while (clock.sleepers() < 2) std::this_thread::yield();
  clock.advance(14ms);
  EXPECT_FALSE(is_there(first_served));
  clock.advance(1ms);
  first_served.get();
  clock.advance(21ms);
  EXPECT_FALSE(is_there(second_served));
  clock.advance(1ms);
  second_served.get();
}

TEST(WriteCosts, EndsWhenNothingWaits) {
  testing::SimClock clock;
  WriteCosts costs({}, clock);
  std::promise<void> served;
  costs.serve(0, 0, [&] { served.set_value(); });
  served.get_future().get();
}

// In a cluster whose mutations take two milliseconds each.
class WriteCostTest : public ::testing::Test {
 protected:
  // Writes 50 groups of two rows; returns how long that took.
  std::chrono::duration<double> write(client::Joins joins) {
    client::JoinThreshold threshold(client.clock(), joins);
    std::vector<std::string> keys;
    for (int i = 0; i < 100; ++i)
      keys.push_back(record::encode_key("h" + std::to_string(i / 2), std::to_string(i)));
    std::vector<client::RawRow> rows;
    for (const auto& key : keys) rows.push_back({key, "v", 0});
    const auto begin = client.clock().now();
    client::JoinThreshold::Batch batch(threshold);
    client.must(client::write_rows(*table, 0, rows, 64 << 10, client.deadline(), &batch));
    return client.clock().now() - begin;
  }
  int64_t mutations() {
    return client.must(table->set("h0", "0", "v", 0, client.deadline())).decree;
  }

  async::SystemClock clock;
  testing::TestCluster cluster{clock, {.write_cost = WriteCost{.mutation = 2ms, .request = 0ms}}};
  testing::TestClient client{cluster.meta_address()};
  std::shared_ptr<client::Table> table = client.create_table("t", 1);
};

TEST_F(WriteCostTest, EachMultiPutCostsAMutation) {
  const auto before = mutations();
  EXPECT_GE(write(client::Joins::kAlways), 100ms);
  EXPECT_EQ(mutations() - before, 51);
}

TEST_F(WriteCostTest, PutsThatWaitShareMutations) {
  const auto before = mutations();
  write(client::Joins::kNever);
  EXPECT_LT(mutations() - before, 30);
}

TEST_F(WriteCostTest, AClusterStopsWhileWritesWaitForTheirCosts) {
  auto& channel = *table->router().primary_channel(0);
  for (int i = 0; i < 100; ++i) {
    std::string body;
    wire::append_multi_put(body, {.hash_key = "h", .rows = {{"s", "v", 0}}, .expire_ts = 0}, 0);
    channel.start({.code = wire::RpcCode::kMultiPut,
                   .gpid = table->router().gpid(0),
                   .body = body,
                   .deadline = client.deadline()},
                  [](Result<net::IncomingReply>) {});
  }
  EXPECT_FALSE(client.must(table->get("h0", "0", client.deadline())).value);
  cluster.stop();
  cluster.start();
}

}  // namespace
}  // namespace pegmove::server::replica
