#include "client/blocking.h"

#include <gmock/gmock.h>

#include <set>
#include <thread>

#include "testing/sim_clock.h"
#include "testing/test_cluster.h"

namespace pegmove::client {
namespace {

using ::testing::HasSubstr;
using testing::TestClient;
using testing::TestCluster;

class BlockingTest : public ::testing::Test {
 protected:
  BlockingTest() {
    server_clock.set_unix_seconds(async::SystemClock().unix_seconds());
    TestClient(cluster.meta_address()).create_table("t", 4);
    auto connected = BlockingClient::connect(cluster.meta_address().to_string());
    if (!connected) throw std::runtime_error(connected.error().to_string());
    client = std::move(*connected);
    auto opened = client->open_table("t");
    if (!opened) throw std::runtime_error(opened.error().to_string());
    table = std::move(*opened);
  }

  testing::SimClock server_clock;
  TestCluster cluster{server_clock, {.name = "embedded"}};
  std::unique_ptr<BlockingClient> client;
  std::unique_ptr<BlockingTable> table;
};

TEST_F(BlockingTest, ReadsWhatItWrote) {
  EXPECT_EQ(client->cluster_name(), "embedded");
  EXPECT_EQ(table->partition_count(), 4);
  ASSERT_TRUE(table->set("h", "s", "value"));
  EXPECT_EQ(**table->get("h", "s"), "value");
  EXPECT_TRUE(*table->exist("h", "s"));
  EXPECT_EQ(**table->ttl("h", "s"), -1);
  ASSERT_TRUE(table->del("h", "s"));
  EXPECT_EQ(*table->get("h", "s"), std::nullopt);
  EXPECT_FALSE(*table->exist("h", "s"));
  EXPECT_EQ(*table->ttl("h", "s"), std::nullopt);
}

TEST_F(BlockingTest, ATimeToLiveIsInSeconds) {
  ASSERT_TRUE(table->set("h", "s", "value", 1000));
  ASSERT_TRUE(table->multi_set("m", {{"a", "1"}}, 1000));
  EXPECT_NEAR(**table->ttl("h", "s"), 1000, 60);
  EXPECT_NEAR(**table->ttl("m", "a"), 1000, 60);
  server_clock.advance(std::chrono::seconds(1100));
  EXPECT_EQ(*table->get("h", "s"), std::nullopt);
}

TEST_F(BlockingTest, ManySortKeysAtOnce) {
  ASSERT_TRUE(table->multi_set("h", {{"b", "2"}, {"a", "1"}, {"c", "3"}}));
  EXPECT_EQ(*table->sort_key_count("h"), 3);
  EXPECT_EQ(*table->multi_del("h", {"c"}), 1);
  auto rows = table->multi_get("h");
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 2u);
  EXPECT_EQ((*rows)[0].hash_key, "h");
  EXPECT_EQ((*rows)[0].sort_key, "a");
  EXPECT_EQ((*rows)[1].value, "2");
}

TEST_F(BlockingTest, AScanSeesEveryRowUntilItIsStopped) {
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(table->set("h" + std::to_string(i), "s", "v"));
  std::set<std::string> seen;
  ASSERT_TRUE(
      table->scan([&](const BlockingRow& row) { return seen.insert(row.hash_key).second; }));
  EXPECT_EQ(seen.size(), 50u);
  int rows = 0;
  ASSERT_TRUE(table->scan([&](const BlockingRow&) { return ++rows < 7; }));
  EXPECT_EQ(rows, 7);
}

TEST_F(BlockingTest, MultiGetTakesRangesFiltersAndLimits) {
  ASSERT_TRUE(table->multi_set("h", {{"a1", "1"}, {"a2", "2"}, {"b1", "3"}}));
  auto some = table->multi_get("h", {.sort_key_filter = Filter::kPrefix,
                                     .sort_key_pattern = "a",
                                     .max_rows = 1,
                                     .reverse = true});
  ASSERT_TRUE(some);
  ASSERT_EQ(some->rows.size(), 1u);
  EXPECT_EQ(some->rows[0].sort_key, "a2");
  EXPECT_FALSE(some->complete);
  auto keys = table->multi_get_sort_keys("h");
  ASSERT_TRUE(keys);
  EXPECT_THAT(keys->sort_keys, ::testing::ElementsAre("a1", "a2", "b1"));
  EXPECT_TRUE(keys->complete);
  EXPECT_FALSE(table->multi_get_sort_keys("h", 2)->complete);
}

TEST_F(BlockingTest, BatchGetLeavesOutMissingRows) {
  ASSERT_TRUE(table->set("h", "s", "v"));
  auto found = table->batch_get({{"h", "s"}, {"h", "other"}, {"i", "s"}});
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 1u);
  EXPECT_EQ((*found)[0].value, "v");
}

TEST_F(BlockingTest, ScansTakeOptions) {
  ASSERT_TRUE(table->multi_set("h", {{"a", "1"}, {"b", "2"}, {"c", "3"}}, 1000));
  ASSERT_TRUE(table->set("i", "a", "4"));
  std::vector<std::string> seen;
  auto note = [&](const BlockingRow& row) {
    EXPECT_EQ(row.expire_ts > 0, row.hash_key == "h");
    seen.push_back(row.hash_key + row.sort_key + row.value);
    return true;
  };
  ScanOptions options{.return_expire_ts = true, .sort_key_filter = 2, .sort_key_pattern = "a"};
  ASSERT_TRUE(table->scan(options, note));
  EXPECT_THAT(seen, ::testing::UnorderedElementsAre("ha1", "ia4"));
  seen.clear();
  ASSERT_TRUE(table->scan_hash_key(
      "h", {.start = "a", .stop = "c", .start_inclusive = false, .stop_inclusive = true},
      {.no_value = true, .return_expire_ts = true}, note));
  EXPECT_THAT(seen, ::testing::ElementsAre("hb", "hc"));
  EXPECT_EQ(*table->count_rows({}), 4);
  EXPECT_EQ(*table->count_rows({.hash_key_filter = 1, .hash_key_pattern = "h"}), 3);
  EXPECT_FALSE(table->scan_hash_key("", {}, {}, note));
}

TEST_F(BlockingTest, IncrementsCountAndKeepTheirExpiry) {
  EXPECT_EQ(*table->incr("h", "n"), 1);
  EXPECT_EQ(*table->incr("h", "n", 41, 1000), 42);
  EXPECT_EQ(**table->get("h", "n"), "42");
  EXPECT_NEAR(**table->ttl("h", "n"), 1000, 60);
  EXPECT_EQ(*table->incr("h", "n", -50), -8);
  EXPECT_NEAR(**table->ttl("h", "n"), 1000, 60);
  EXPECT_EQ(*table->incr("h", "n", 0, kNeverExpires), -8);
  EXPECT_EQ(**table->ttl("h", "n"), -1);
  ASSERT_TRUE(table->set("h", "text", "x"));
  EXPECT_EQ(table->incr("h", "text").error().code(), Code::kInvalidArgument);
}

TEST_F(BlockingTest, WritesThatACheckAllows) {
  Check absent{.type = CheckType::kNotExist, .sort_key = "s", .return_value = true};
  auto first = table->check_and_set("h", absent, {"s", "first"}, 1000);
  ASSERT_TRUE(first) << first.error().to_string();
  EXPECT_TRUE(first->passed);
  EXPECT_TRUE(first->value_returned);
  EXPECT_EQ(first->checked_value, std::nullopt);
  EXPECT_NEAR(**table->ttl("h", "s"), 1000, 60);
  auto second = table->check_and_set("h", absent, {"s", "second"});
  ASSERT_TRUE(second);
  EXPECT_FALSE(second->passed);
  EXPECT_EQ(second->checked_value, "first");
  Check equal{.type = CheckType::kBytesEqual, .sort_key = "s", .operand = "first"};
  auto changed = table->check_and_mutate(
      "h", equal,
      {{.sort_key = "t", .value = "1", .expire_ts = table->expire_after(500)},
       {.kind = Mutation::Kind::kDel, .sort_key = "s"}});
  ASSERT_TRUE(changed);
  EXPECT_TRUE(changed->passed);
  EXPECT_FALSE(changed->value_returned);
  EXPECT_EQ(*table->get("h", "s"), std::nullopt);
  EXPECT_NEAR(**table->ttl("h", "t"), 500, 60);
  EXPECT_FALSE(table->check_and_mutate("h", equal, {}));  // no mutation
}

TEST_F(BlockingTest, AnIncrementsTimeToLiveIsChecked) {
  auto refused = table->incr("h", "s", 1, -2);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kInvalidArgument);
}

TEST_F(BlockingTest, ErrorsAreReturned) {
  EXPECT_EQ(client->open_table("nowhere").error().code(), Code::kNotFound);
  EXPECT_EQ(table->set(std::string(65535, 'h'), "s", "v").error().code(), Code::kInvalidArgument);
  EXPECT_EQ(BlockingClient::connect("no address").error().code(), Code::kInvalidArgument);
  auto nobody = BlockingClient::connect("127.0.0.1:" + std::to_string(testing::find_free_port()),
                                        std::chrono::milliseconds(100));
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().code(), Code::kUnreachable);
}

TEST_F(BlockingTest, ThreadsShareAClientThroughARestart) {
  std::vector<std::thread> threads;
  std::atomic<int> failures = 0;
  for (int thread = 0; thread < 4; ++thread)
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 200; ++i) {
        auto key = std::to_string(thread) + " " + std::to_string(i);
        failures += table->partition_count() != 4;
        failures += !table->set(key, "s", key);
        auto read = table->get(key, "s");
        failures += !read || *read != key;
      }
    });
  cluster.restart();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
}

}  // namespace
}  // namespace pegmove::client
