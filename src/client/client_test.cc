// Clusters and tables against an embedded cluster over loopback. Scans and multi_get have files of
// their own.
#include "client/client.h"

#include <gmock/gmock.h>

#include "async/all.h"
#include "client/table.h"
#include "record/expiry.h"
#include "record/hash.h"
#include "testing/sim_clock.h"
#include "testing/test_cluster.h"

namespace pegmove::client {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TestClient;
using testing::TestCluster;

class ClientTest : public ::testing::Test {
 protected:
  Deadline soon() { return client.deadline(); }
  Deadline within(int ms) { return Deadline::in(client.clock(), async::milliseconds(ms)); }
  // By the servers' clock.
  uint32_t expire_in(int64_t seconds) {
    return record::pegasus_seconds(server_clock.unix_seconds() + seconds);
  }
  void set(const std::string& hash, const std::string& sort, const std::string& value,
           uint32_t expire_ts = 0) {
    client.must(table->set(hash, sort, value, expire_ts, soon()));
  }
  std::optional<std::string> get(const std::string& hash, const std::string& sort) {
    return client.must(table->get(hash, sort, soon())).value;
  }
  std::optional<int32_t> ttl(const std::string& hash, const std::string& sort) {
    return client.must(table->ttl(hash, sort, soon())).seconds;
  }
  bool exist(const std::string& hash, const std::string& sort) {
    return client.must(table->exist(hash, sort, soon()));
  }

  testing::SimClock server_clock;
  TestCluster cluster{server_clock, {.name = "embedded", .replica_servers = 2}};
  TestClient client{cluster.meta_address()};
  std::shared_ptr<Table> table;
};

class TableTest : public ClientTest {
 protected:
  TableTest() { table = client.create_table("t", 4); }
};

TEST_F(ClientTest, AClusterTellsItsNameAndItsNodes) {
  EXPECT_EQ(client.cluster().name(), "embedded");
  auto meta = cluster.meta_address().to_string();
  EXPECT_EQ(client.cluster().meta_list(), meta);
  auto info = client.must(client.cluster().info(soon()));
  EXPECT_THAT(info, ::testing::Contains(std::pair<std::string, std::string>("meta_servers", meta)));
  std::vector<std::string> nodes, expected;
  for (auto& node : client.must(client.cluster().nodes(soon()))) {
    EXPECT_TRUE(node.is_alive);
    nodes.push_back(node.address.to_string());
  }
  for (auto address : cluster.replica_addresses()) expected.push_back(address.to_string());
  EXPECT_EQ(nodes, expected);
}

TEST_F(ClientTest, ListsTablesAndDroppedOnesWhenAsked) {
  client.create_table("kept", 2, {{"default_ttl", "7"}});
  client.create_table("dropped", 3);
  client.must(client.cluster().drop_table("dropped", 0, soon()));
  auto tables = client.must(client.cluster().tables(ListedTables::kAvailable, soon()));
  ASSERT_EQ(tables.size(), 1u);
  EXPECT_EQ(tables[0].name, "kept");
  EXPECT_EQ(tables[0].status, "AS_AVAILABLE");
  EXPECT_EQ(tables[0].partition_count, 2);
  EXPECT_EQ(tables[0].envs, (std::map<std::string, std::string>{{"default_ttl", "7"}}));
  EXPECT_EQ(tables[0].create_second, server_clock.unix_seconds());
  auto all = client.must(client.cluster().tables(ListedTables::kAll, soon()));
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1].status, "AS_DROPPED");
  EXPECT_EQ(all[1].expire_second, server_clock.unix_seconds() + 7 * 86400);
  EXPECT_EQ(client.must(client.cluster().table_info("kept", soon())).app_id, all[0].app_id);
}

TEST_F(ClientTest, PartitionsAreSpreadOverTheNodes) {
  client.create_table("t", 4);
  auto config = client.must(client.cluster().table_config("t", {}, soon()));
  std::map<std::string, int> partitions;
  for (auto& partition : config.partitions) ++partitions[partition.primary.to_string()];
  ASSERT_EQ(partitions.size(), 2u);
  for (auto& [node, count] : partitions) EXPECT_EQ(count, 2) << node;
  EXPECT_EQ(client.must(client.cluster().table_config("t", {1, 3}, soon())).partitions.size(), 2u);
}

TEST_F(ClientTest, CreatingATableAgainFailsUnlessThatIsWanted) {
  auto id = client.must(client.cluster().create_table("t", {.partition_count = 2}, soon()));
  auto again = client.run(client.cluster().create_table("t", {.partition_count = 2}, soon()));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), Code::kAlreadyExists);
  EXPECT_EQ(client.must(client.cluster().create_table(
                "t", {.partition_count = 2, .fail_if_exists = false}, soon())),
            id);
  client.open_table("t");  // hosting it twice at once does no harm
  auto none = client.run(client.cluster().create_table("u", {.partition_count = 0}, soon()));
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), Code::kInvalidArgument);
}

TEST_F(ClientTest, WaitsUntilATableServes) {
  client.must(client.cluster().create_table("t", {.partition_count = 8}, soon()));
  int last_ready = -1;
  auto note = [&](int ready, int all) {
    EXPECT_EQ(all, 8);
    EXPECT_GE(ready, last_ready);
    last_ready = ready;
  };
  client.must(client.cluster().wait_until_ready("t", note, soon()));
  EXPECT_EQ(last_ready, 8);
}

TEST_F(ClientTest, AnUnknownTableIsNotFound) {
  auto opened = client.run(Table::open(client.shared_cluster(), "nowhere", soon()));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), Code::kNotFound);
  EXPECT_THAT(opened.error().to_string(), HasSubstr("'nowhere' on cluster embedded"));
  EXPECT_EQ(client.run(client.cluster().table_info("nowhere", soon())).error().code(),
            Code::kNotFound);
  client.must(client.cluster().drop_table("nowhere", 0, soon()));  // dropped already
}

TEST_F(ClientTest, AppEnvsAreSetDeletedAndCleared) {
  client.create_table("t", 1);
  auto envs = [&] { return client.must(client.cluster().table_info("t", soon())).envs; };
  client.must(client.cluster().set_envs(
      "t", {{"default_ttl", "60"}, {"replica.slow_query_threshold", "30"}}, soon()));
  EXPECT_EQ(envs().size(), 2u);
  client.must(client.cluster().delete_envs("t", {"default_ttl"}, soon()));
  EXPECT_EQ(envs().size(), 1u);
  client.must(client.cluster().clear_envs("t", "replica", soon()));
  EXPECT_THAT(envs(), IsEmpty());
  auto refused = client.run(client.cluster().set_envs("t", {{"default_ttl", "long"}}, soon()));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().to_string(), HasSubstr("hint"));
  EXPECT_THAT(envs(), IsEmpty());
  EXPECT_EQ(
      client.run(client.cluster().set_envs("u", {{"default_ttl", "1"}}, soon())).error().code(),
      Code::kNotFound);
}

TEST_F(ClientTest, ADeadMetaServerIsPassedOver) {
  std::vector<net::HostPort> metas{{"127.0.0.1", testing::find_free_port()},
                                   {"127.0.0.1", cluster.meta_address().port}};
  auto connected = client.must(Cluster::connect(client.client(), metas, soon()));
  EXPECT_EQ(connected->name(), "embedded");
  auto refused = client.run(Cluster::connect(client.client(), {metas[0]}, within(200)));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kUnreachable);
  EXPECT_THAT(refused.error().to_string(), HasSubstr(metas[0].to_string()));
}

TEST_F(TableTest, WhatIsWrittenIsRead) {
  set("h", "s", "value");
  EXPECT_EQ(get("h", "s"), "value");
  set("h", "s", "");
  EXPECT_EQ(get("h", "s"), "");
  EXPECT_EQ(get("h", "other"), std::nullopt);
  EXPECT_TRUE(exist("h", "s"));
  client.must(table->del("h", "s", soon()));
  EXPECT_EQ(get("h", "s"), std::nullopt);
  EXPECT_FALSE(exist("h", "s"));
  client.must(table->del("h", "s", soon()));  // is gone already
}

TEST_F(TableTest, KeysAndValuesAreAnyBytes) {
  std::string all_bytes;
  for (int byte = 0; byte < 256; ++byte) all_bytes.push_back(char(byte));
  const std::string zeros(3, '\0'), ones(3, '\xff');
  for (const auto& key : {all_bytes, zeros, ones}) {
    set(key, key, key + "1");
    set(key, "", key + "2");  // empty sort key
    set("", key, key + "3");  // empty hash key: the sort key decides the partition
    EXPECT_EQ(get(key, key), key + "1");
    EXPECT_EQ(get(key, ""), key + "2");
    EXPECT_EQ(get("", key), key + "3");
  }
  set("", "", "both empty");
  EXPECT_EQ(get("", ""), "both empty");
}

TEST_F(TableTest, OperationsTellWhereTheyWereCarriedOut) {
  auto config = client.must(client.cluster().table_config("t", {}, soon()));
  for (int i = 0; i < 20; ++i) {
    auto key = "hash" + std::to_string(i);
    auto written = client.must(table->set(key, "s", "v", 0, soon()));
    auto read = client.must(table->get(key, "s", soon())).info;
    int index = record::partition_index(record::key_hash(key, "s"), 4);
    EXPECT_EQ(written.app_id, table->app_id());
    EXPECT_EQ(written.partition_index, index);
    EXPECT_GT(written.decree, 0);
    EXPECT_EQ(written.server, config.partitions[size_t(index)].primary.to_string());
    EXPECT_EQ(read.partition_index, index);
    EXPECT_EQ(read.server, written.server);
    EXPECT_EQ(read.decree, -1);
  }
}

TEST_F(TableTest, RowsExpireInTheSecondTheySay) {
  set("h", "for ever", "v");
  set("h", "short", "v", expire_in(10));
  EXPECT_EQ(ttl("h", "for ever"), -1);
  EXPECT_EQ(ttl("h", "missing"), std::nullopt);
  EXPECT_EQ(ttl("h", "short"), 10);
  server_clock.advance(async::milliseconds(9'999));
  EXPECT_EQ(ttl("h", "short"), 1);
  EXPECT_EQ(get("h", "short"), "v");
  server_clock.advance(async::milliseconds(1));
  EXPECT_EQ(get("h", "short"), std::nullopt);
  EXPECT_EQ(ttl("h", "short"), std::nullopt);
  EXPECT_FALSE(exist("h", "short"));
  EXPECT_EQ(client.must(table->sort_key_count("h", soon())).count, 1);
  EXPECT_THAT(client.must(table->batch_get({{"h", "short"}}, soon())), IsEmpty());
  set("h", "short", "again");
  EXPECT_EQ(ttl("h", "short"), -1);
  EXPECT_EQ(get("h", "for ever"), "v");
}

TEST_F(TableTest, ExpireAfterCountsFromNow) {
  auto now = record::pegasus_seconds(client.clock().unix_seconds());
  EXPECT_GE(table->expire_after(100), now + 100);
  EXPECT_LE(table->expire_after(100), now + 160);
}

TEST_F(TableTest, ManySortKeysOfAHashKeyAreWrittenAndRemovedTogether) {
  auto set_info = client.must(table->multi_set("h", {{"b", "2"}, {"a", "1"}, {"c", "3"}, {"", "0"}},
                                               expire_in(50), soon()));
  EXPECT_EQ(client.must(table->sort_key_count("h", soon())).count, 4);
  EXPECT_EQ(get("h", ""), "0");
  EXPECT_EQ(ttl("h", "c"), 50);
  auto removed = client.must(table->multi_del("h", {"a", "missing", ""}, soon()));
  EXPECT_EQ(removed.count, 3);  // the keys of the request
  EXPECT_EQ(removed.info.decree, set_info.decree + 1);
  auto left = client.must(table->multi_get("h", {}, soon()));
  ASSERT_EQ(left.rows.size(), 2u);
  EXPECT_EQ(left.rows[0].sort_key, "b");
  EXPECT_EQ(left.rows[1].sort_key, "c");
  EXPECT_TRUE(left.complete);
  EXPECT_EQ(client.must(table->sort_key_count("none", soon())).count, 0);
}

TEST_F(TableTest, BatchGetFindsRowsOfAllPartitions) {
  std::vector<RowKey> keys;
  std::set<int32_t> partitions;
  std::map<std::string, std::string> there;
  for (int i = 0; i < 40; ++i) {
    auto key = "hash" + std::to_string(i);
    if (i % 4 != 0) set(key, "s", there[key] = "value" + std::to_string(i));
    partitions.insert(client.must(table->get(key, "s", soon())).info.partition_index);
    keys.push_back({key, "s"});
  }
  ASSERT_EQ(partitions.size(), 4u);
  std::map<std::string, std::string> found;
  for (auto& row : client.must(table->batch_get(keys, soon()))) found[row.hash_key] = row.value;
  EXPECT_EQ(found.size(), 30u);
  EXPECT_EQ(found, there);
  EXPECT_THAT(client.must(table->batch_get({}, soon())), IsEmpty());
}

TEST_F(TableTest, AHashKeyThatIsTooLargeIsRefused) {
  std::string largest(65534, 'h');
  set(largest, "s", "v");
  EXPECT_EQ(get(largest, "s"), "v");
  EXPECT_EQ(client.must(table->sort_key_count(largest, soon())).count, 1);
  auto too_large = largest + "h";
  for (auto code : {client.run(table->set(too_large, "s", "v", 0, soon())).error().code(),
                    client.run(table->get(too_large, "s", soon())).error().code(),
                    client.run(table->multi_get(too_large, {}, soon())).error().code(),
                    client.run(table->batch_get({{too_large, "s"}}, soon())).error().code(),
                    table->scan_hash_key(too_large, "", "", true, false, {}).error().code()})
    EXPECT_EQ(code, Code::kInvalidArgument);
}

TEST_F(TableTest, MultiOperationsWantAHashKey) {
  for (auto code : {client.run(table->multi_set("", {{"s", "v"}}, 0, soon())).error().code(),
                    client.run(table->multi_get("", {}, soon())).error().code(),
                    client.run(table->multi_del("", {"s"}, soon())).error().code(),
                    client.run(table->sort_key_count("", soon())).error().code(),
                    client.run(table->multi_set("h", {}, 0, soon())).error().code(),
                    client.run(table->multi_del("h", {}, soon())).error().code()})
    EXPECT_EQ(code, Code::kInvalidArgument);
}

TEST_F(TableTest, ARowThatIsTooLargeIsRefusedWithItsSize) {
  std::string most(1'000'000, 'v');
  set("h", "s", most);
  EXPECT_EQ(get("h", "s"), most);
  auto refused = client.run(table->set("h", "s", std::string(1 << 20, 'x'), 0, soon()));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kInvalidArgument);
  EXPECT_THAT(refused.error().to_string(), HasSubstr("too large"));
  auto multi = client.run(table->multi_set("h", {{"a", most}, {"b", most}}, 0, soon()));
  ASSERT_FALSE(multi);
  EXPECT_EQ(multi.error().code(), Code::kInvalidArgument);
  EXPECT_EQ(get("h", "s"), most);
  EXPECT_FALSE(exist("h", "a"));
}

Task<> set_rows(Table& table, int writer, int count, Deadline deadline) {
  for (int i = 0; i < count; ++i) {
    auto key = "hash" + std::to_string(i % 50);
    CO_TRY(
        co_await table.set(key, "writer" + std::to_string(writer), std::to_string(i), 0, deadline));
  }
  co_return Result<void>();
}

TEST_F(TableTest, ManyWritersGoOnThroughARestart) {
  for (int round = 0; round < 2; ++round) {
    std::vector<Task<>> writers;
    for (int writer = 0; writer < 10; ++writer)
      writers.push_back(set_rows(*table, writer, 100, soon()));
    client.must(async::all(std::move(writers)));
    cluster.restart();  // the tables' nodes have other ports now
    for (int writer = 0; writer < 10; ++writer)
      for (int i = 50; i < 100; ++i)
        ASSERT_EQ(get("hash" + std::to_string(i - 50), "writer" + std::to_string(writer)),
                  std::to_string(i));
  }
}

TEST_F(TableTest, AClusterThatIsAwayIsWaitedForUntilTheDeadline) {
  set("h", "s", "v");
  cluster.stop();
  auto away = client.run(table->get("h", "s", within(150)));
  ASSERT_FALSE(away);
  EXPECT_THAT(away.error().code(), ::testing::AnyOf(Code::kTimeout, Code::kUnreachable));
  cluster.start();
  EXPECT_EQ(get("h", "s"), "v");
}

TEST_F(TableTest, ATableThatIsDroppedOrMadeAnewIsNotFound) {
  set("h", "s", "v");
  client.must(client.cluster().drop_table("t", 0, soon()));
  // The node lets the partitions go after the answer.
  auto read_until_gone = [&] {
    for (auto end = soon(); !end.passed(client.clock());)
      if (auto read = client.run(table->get("h", "s", soon())); !read) return read.error().code();
    return Code::kTimeout;
  };
  EXPECT_EQ(read_until_gone(), Code::kNotFound);
  auto old = std::exchange(table, client.create_table("t", 4));
  EXPECT_EQ(get("h", "s"), std::nullopt);
  EXPECT_NE(table->app_id(), old->app_id());
  EXPECT_EQ(client.run(old->get("h", "s", soon())).error().code(), Code::kNotFound);
}

TEST_F(TableTest, AClosedClientInterruptsItsCalls) {
  TestClient other(cluster.meta_address());
  auto opened = other.open_table("t");
  other.run([](Client& closing) -> Routine<bool> {
    co_await closing.close();  // no result
    co_return true;
  }(other.client()));
  EXPECT_EQ(other.run(opened->get("h", "s", soon())).error().code(), Code::kInterrupted);
}

TEST(Cluster, RestartsAndStopsWithTablesBeingDropped) {
  testing::SimClock clock;
  TestCluster cluster(clock);
  TestClient client(cluster.meta_address());
  for (int round = 0; round < 3; ++round) {
    client.create_table("t", 8);
    client.must(client.cluster().drop_table("t", 0, client.deadline()));
    cluster.restart();
    EXPECT_THAT(client.must(client.cluster().tables(ListedTables::kAvailable, client.deadline())),
                IsEmpty());
  }
}

}  // namespace
}  // namespace pegmove::client
