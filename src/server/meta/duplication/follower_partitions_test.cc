// Tables of an embedded cluster whose rows come from another cluster.
#include "server/meta/duplication/follower_partitions.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <future>
#include <mutex>
#include <set>

#include "client/node.h"
#include "duplication/failpoints.h"
#include "record/hash.h"
#include "record/key.h"
#include "server/meta/fake_nodes_test.h"
#include "store/partition_db.h"
#include "testing/fake_master.h"
#include "testing/sim_clock.h"
#include "testing/test_cluster.h"
#include "testing/test_folder.h"

namespace pegmove::server::meta {
namespace {

using ::testing::HasSubstr;
using wire::ErrorCode;

constexpr int32_t kMasterPartitions = 2;
constexpr int kMasterRows = 20;

class FollowerPartitionsTest : public ::testing::Test {
 protected:
  FollowerPartitionsTest() {
    for (int32_t index = 0; index < kMasterPartitions; ++index) make_master(index);
    master.partition_count = kMasterPartitions;
    master.decree = 0;
    master.checkpoint_of = [this](int32_t index) { return checkpoint(index); };
    master.on_checkpoint = [this](auto& found) {
      if (!is_ready) found.err.code = ErrorCode::kPathNotFound;
    };
  }

  std::string checkpoint(int32_t index) { return folder / ("checkpoint" + std::to_string(index)); }
  static std::string row(int number) { return "row" + std::to_string(number); }
  void make_master(int32_t index) {
    const auto db = store::PartitionDb::open({.path = folder / ("db" + std::to_string(index))});
    ASSERT_TRUE(db);
    for (int i = 1; i <= kMasterRows; ++i) {
      if (record::partition_index(record::key_hash(row(i), ""), kMasterPartitions) != index)
        continue;
      auto batch = (*db)->new_batch();
      batch.put(record::encode_key(row(i), "s"), "of the master", 0, 0);
      ASSERT_TRUE((*db)->write(batch, i));
    }
    ASSERT_TRUE((*db)->checkpoint(checkpoint(index)));
  }

  void create(const std::string& status = "creating") {
    client.must(
        client.cluster().create_table("u",
                                      {.partition_count = kMasterPartitions,
                                       .replica_count = 1,
                                       .envs = {{"duplication.master_cluster", "A"},
                                                {"duplication.master_metas", master.text()},
                                                {"duplication.master_app_name", "t"},
                                                {"duplication.follower_app_status", status}}},
                                      client.deadline()));
  }
  std::string status() {
    return client.must(client::remote_command(
        client.client(), *net::parse_host_port(cluster.meta_address().to_string()),
        "follower.status", {}, client.deadline()));
  }
  int served() {
    const auto config = client.must(client.cluster().table_config("u", {}, client.deadline()));
    return int(std::ranges::count_if(config.partitions,
                                     [](const auto& each) { return each.primary.port != 0; }));
  }
  // Time passes until it is so.
  void wait_until(const std::function<bool()>& holds) {
    for (const auto end = client.deadline(); !holds(); time.advance(async::milliseconds(50)))
      if (end.passed(client.clock())) throw std::runtime_error("it does not happen: " + status());
  }
  void expect_rows() {
    wait_until([this] { return served() == kMasterPartitions; });
    const auto table = client.open_table("u");
    for (int i = 1; i <= kMasterRows; ++i)
      EXPECT_EQ(client.must(table->get(row(i), "s", client.deadline())).value, "of the master")
          << i;
    EXPECT_EQ(status(), "{}") << "nothing is fetched any more";
  }

  testing::TestFolder folder;
  std::atomic<bool> is_ready = true;
  testing::FakeMaster master;
  testing::SimClock time;
  std::mutex mutex;                           // guards points
  std::set<std::string, std::less<>> points;  // failpoints that were reached
  testing::TestCluster cluster{time, {.on_failpoint = [this](std::string_view point) {
                                 std::lock_guard lock(mutex);
                                 points.emplace(point);
                               }}};
  testing::TestClient client{cluster.meta_address()};
};

TEST_F(FollowerPartitionsTest, HaveTheRowsOfTheMaster) {
  create();
  expect_rows();
  // An ordinary table from then on.
  const auto table = client.open_table("u");
  client.must(table->set(row(1), "s", "own", 0, client.deadline()));
  EXPECT_EQ(client.must(table->get(row(1), "s", client.deadline())).value, "own");
}

TEST_F(FollowerPartitionsTest, AreFetchedOnceOnly) {
  create();
  expect_rows();
  const auto configs = master.configs();
  cluster.restart();
  is_ready = false;
  expect_rows();
  EXPECT_EQ(master.configs(), configs);
}

TEST_F(FollowerPartitionsTest, AreNeverOpenedEmpty) {
  is_ready = false;
  create("created");
  wait_until([this] { return status().contains("keeps no checkpoint of it"); });
  wait_until([this] { return status().contains("\"attempts\":5"); });
  EXPECT_EQ(served(), 0);
  EXPECT_THAT(status(), HasSubstr("\"1.0\":{\"done_bytes\":0,"));
  is_ready = true;
  expect_rows();
}

TEST_F(FollowerPartitionsTest, AreFetchedAfterARestart) {
  is_ready = false;
  create();
  wait_until([this] { return status().contains("keeps no checkpoint of it"); });
  cluster.restart();
  EXPECT_EQ(served(), 0);
  is_ready = true;
  expect_rows();
}

TEST_F(FollowerPartitionsTest, AreLeftAloneWhenTheTableIsDropped) {
  is_ready = false;
  create();
  wait_until([this] { return status().contains("keeps no checkpoint of it"); });
  client.must(client.cluster().drop_table("u", 1000, client.deadline()));
  wait_until([this] { return status() == "{}"; });
  is_ready = true;
  client.must(client.cluster().recall_table(1, "", client.deadline()));
  expect_rows();
}

TEST_F(FollowerPartitionsTest, OfAnotherCountAreNotFetched) {
  master.partition_count = 4;
  create();
  wait_until([this] { return status().contains("a duplication needs equal counts"); });
  EXPECT_EQ(served(), 0);
  EXPECT_TRUE(master.copies().empty());
}

TEST_F(FollowerPartitionsTest, NameWrongMetaServers) {
  client.must(client.cluster().create_table(
      "u",
      {.partition_count = 1,
       .replica_count = 1,
       .envs = {{"duplication.master_cluster", "A"}, {"duplication.master_metas", "nowhere"}}},
      client.deadline()));
  wait_until([this] { return status().contains("duplication.master_metas"); });
  EXPECT_EQ(served(), 0);
}

TEST_F(FollowerPartitionsTest, PassAllFailpointsOfTheTarget) {
  create();
  expect_rows();
  std::lock_guard lock(mutex);
  for (const auto point : duplication::kFailpoints)
    EXPECT_EQ(points.contains(point), point.starts_with("follower.")) << point;
}

// A block that hangs does not hold up the end of a cluster.
TEST_F(FollowerPartitionsTest, EndWithTheServer) {
  std::promise<void> reached, go;
  auto may_go = go.get_future().share();
  std::atomic<bool> has_begun = false;
  master.on_copy = [&](const auto&, auto&) {
    if (!has_begun.exchange(true)) reached.set_value();
    may_go.wait();
  };
  create();
  reached.get_future().wait();
  cluster.stop();
  go.set_value();
  cluster.start();
  expect_rows();
}

// Table u, a follower of cluster A, where nobody answers.
void make_follower(MetaServer& server, int32_t partitions) {
  server.must(server.cluster().create_table(
      "u",
      {.partition_count = partitions,
       .replica_count = 1,
       .envs = {{"duplication.master_cluster", "A"}, {"duplication.master_metas", "127.0.0.1:1"}}},
      server.deadline()));
}

TEST(OpenedFollowerPartitions, AreReleasedWhenTheTableWasDroppedMeanwhile) {
  std::mutex mutex;  // guards the next line
  int opened = 0, released = 0;
  std::set<Gpid> served;
  std::promise<void> opening, go;
  auto may_go = go.get_future().share();
  MetaServer server;
  server.nodes.on_host = [&](Gpid gpid, bool) -> Result<void> {
    std::unique_lock lock(mutex);
    const int number = ++opened;
    if (number == 1) return fail(Code::kNotFound, "it has no rows yet");
    if (number == 2) {
      lock.unlock();
      opening.set_value();
      may_go.wait();
      lock.lock();
    }
    served.insert(gpid);
    return {};
  };
  server.nodes.on_release = [&](Gpid gpid) {
    std::lock_guard lock(mutex);
    served.erase(gpid);
    ++released;
  };
  const auto releases = [&] {
    std::lock_guard lock(mutex);
    return released;
  };
  server.start();
  make_follower(server, 1);
  opening.get_future().wait();
  server.must(server.cluster().drop_table("u", 1000, server.deadline()));
  server.wait_until([&] { return releases() == 1; });
  go.set_value();
  server.wait_until([&] { return releases() == 2; });
  std::lock_guard lock(mutex);
  EXPECT_TRUE(served.empty());
}

// The nodes are still being updated for the table as it was made when it is dropped and recalled.
TEST(OpenedFollowerPartitions, AreFetchedAgainWhenTheTableIsRecalledBeforeItsNodesWereUpdated) {
  std::promise<void> opening, go;
  auto may_go = go.get_future().share();
  std::atomic<int> fetched = 0;
  std::atomic<bool> is_first = true;
  MetaServer server;
  server.nodes.on_host = [&](Gpid gpid, bool) -> Result<void> {
    if (gpid.partition_index == 0) return fail(Code::kNotFound, "it has no rows yet");
    if (is_first.exchange(false)) {
      opening.set_value();
      may_go.wait();
    }
    return {};
  };
  // outlives: this test, which has the server
  server.nodes.on_fetch = [&](int32_t) -> Task<> {
    ++fetched;
    co_return fail(Code::kUnreachable, "nobody answers");
  };
  server.start();
  make_follower(server, 2);
  opening.get_future().wait();
  server.must(server.cluster().drop_table("u", 1000, server.deadline()));
  const auto meta = *net::parse_host_port(server.address().to_string());
  server.wait_until([&] {
    server.time.advance(async::milliseconds(50));
    return server.must(client::remote_command(server.client->client(), meta, "follower.status", {},
                                              server.deadline())) == "{}";
  });
  const int before = fetched;
  server.must(server.cluster().recall_table(1, "", server.deadline()));
  go.set_value();
  server.wait_until([&] { return fetched > before; });
}

}  // namespace
}  // namespace pegmove::server::meta
