#include "server/replica/write_cost.h"

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <future>
#include <set>
#include <thread>

#include "client/bulk_write.h"
#include "record/key.h"
#include "testing/sim_clock.h"
#include "testing/skipping_clock.h"
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

// Mutations take 0.1 ms each, and time passes by nothing else.
TEST(WriteCost, EachMultiPutCostsAMutation) {
  testing::SkippingClock clock(10ms);
  testing::TestCluster cluster(clock, {.write_cost = WriteCost{.mutation = 100us, .request = 0ms}});
  testing::TestClient client(cluster.meta_address(), clock);
  auto table = client.create_table("t", 1);
  std::vector<std::string> keys;
  for (int i = 0; i < 100; ++i)
    keys.push_back(record::encode_key("h" + std::to_string(i / 2), std::to_string(i)));
  std::vector<client::RawRow> rows;
  for (const auto& key : keys) rows.push_back({key, "v", 0});
  client::JoinThreshold threshold(clock, client::Joins::kAlways);
  const auto begin = clock.now();
  {
    client::JoinThreshold::Batch batch(threshold);
    client.must(client::write_rows(*table, 0, rows, 64 << 10, client.deadline(), &batch));
  }
  EXPECT_EQ(clock.now() - begin, 5ms);
}

// In a cluster whose writes wait until the test moves its clock.
class WaitingWritesTest : public ::testing::Test {
 protected:
  WaitingWritesTest() {
    for (int i = 0; i < 100; ++i) start_put(std::to_string(i));
    // Requests of one connection arrive in their order.
    EXPECT_FALSE(client.must(table->get("h", "0", client.deadline())).value);
  }
  Routine<bool> move_clock_until_answered() {
    while (answers < 100) {
      clock.advance(2ms);
      co_await asio::post(client.executor(), asio::use_awaitable);  // no result; replies arrive
    }
    co_return true;
  }

  testing::SimClock clock;
  testing::TestCluster cluster{clock, {.write_cost = WriteCost{.mutation = 2ms, .request = 0ms}}};
  testing::TestClient client{cluster.meta_address()};
  std::shared_ptr<client::Table> table = client.create_table("t", 1);
  int answers = 0;
  std::set<int64_t> decrees;

 private:
  void start_put(const std::string& sort_key) {
    const auto key = record::encode_key("h", sort_key);
    std::string body;
    wire::append_put(body, {key, "v", 0}, 0);
    table->router().primary_channel(0)->start(
        {.code = wire::RpcCode::kPut,
         .gpid = table->router().gpid(0),
         .body = body,
         .deadline = client.deadline()},
        [this](Result<net::IncomingReply> reply) {
          ++answers;
          if (!reply) return;
          if (auto written = wire::decode_update_reply(reply->body.view))
            decrees.insert(written->decree);
        });
  }
};

TEST_F(WaitingWritesTest, PutsThatWaitShareAMutation) {
  client.run(move_clock_until_answered());
  EXPECT_LE(decrees.size(), 2u) << "the first that came, and all others";
  EXPECT_GE(decrees.size(), 1u);
}

TEST_F(WaitingWritesTest, AClusterThatStopsWritesThemFirst) {
  auto stopped = std::async(std::launch::async, [this] { cluster.stop(); });
  while (!is_there(stopped)) {
    clock.advance(2ms);
    std::this_thread::yield();
  }
  cluster.start();
}

}  // namespace
}  // namespace pegmove::server::replica
