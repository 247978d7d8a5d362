// Clients of our library behind a MetaProxy, while their table is switched to another cluster.
#include <gmock/gmock.h>

#include <mutex>
#include <optional>

#include "client/table.h"
#include "metaproxy/proxy_thread_test.h"
#include "testing/fake_partition.h"
#include "testing/sim_clock.h"
#include "testing/test_cluster.h"

namespace pegmove::metaproxy {
namespace {

using client::Table;
using ::testing::HasSubstr;
using testing::TestClient;
using testing::TestCluster;

std::string key_of(int i) { return "key" + std::to_string(i); }

class SwitchTest : public ::testing::Test {
 protected:
  // The table on both clusters, with other ids, and rows that say on which they are.
  void make_tables(int count_on_a, int count_on_b) {
    b.create_table("before", 1);
    on_a = a.create_table("t", count_on_a);
    on_b = b.create_table("t", count_on_b);
    ASSERT_NE(on_a->router().app_id(), on_b->router().app_id());
    for (int i = 0; i < kRows; ++i) {
      a.must(on_a->set(key_of(i), "s", "A", 0, a.deadline()));
      b.must(on_b->set(key_of(i), "s", "B", 0, b.deadline()));
    }
    proxy.route("t", cluster_a.meta_address());
    user.emplace(proxy.address());
    table = user->open_table("t");
  }
  ~SwitchTest() override {
    table.reset();
    user.reset();
  }
  // As an operator does it: the node, then the source refuses.
  void switch_to_b() {
    proxy.route("t", cluster_b.meta_address());
    a.must(
        a.cluster().set_envs("t", {{"replica.deny_client_request", "reconfig*all"}}, a.deadline()));
  }
  std::string get(const std::string& key) {
    return user->must(table->get(key, "s", user->deadline())).value.value_or("none");
  }

  static constexpr int kRows = 40;
  testing::SimClock server_clock;
  TestCluster cluster_a{server_clock, {.name = "A"}}, cluster_b{server_clock, {.name = "B"}};
  TestClient a{cluster_a.meta_address()}, b{cluster_b.meta_address()};
  std::shared_ptr<Table> on_a, on_b;
  ProxyThread proxy;
  std::optional<TestClient> user;  // who knows the proxy only
  std::shared_ptr<Table> table;
};

TEST_F(SwitchTest, AProxyIsTakenWhereMetaServersAreExpected) {
  make_tables(4, 4);
  EXPECT_TRUE(user->cluster().is_behind_proxy());
  EXPECT_FALSE(a.cluster().is_behind_proxy());
  EXPECT_EQ(get(key_of(0)), "A");
  const auto nodes = user->run(user->cluster().nodes(user->deadline()));
  ASSERT_FALSE(nodes);
  EXPECT_EQ(nodes.error().code(), Code::kUnsupported);
  EXPECT_THAT(nodes.error().to_string(), HasSubstr("give the cluster's own meta servers"));
}

TEST_F(SwitchTest, EveryOperationFollowsToAnotherIdAndPartitionCount) {
  make_tables(4, 8);
  EXPECT_EQ(get(key_of(1)), "A");
  switch_to_b();
  const auto by = user->deadline();
  user->must(table->set("new", "s", "written", 0, by));
  EXPECT_EQ(table->router().app_id(), on_b->router().app_id());
  EXPECT_EQ(table->router().partition_count(), 8);
  for (int i = 0; i < kRows; ++i) EXPECT_EQ(get(key_of(i)), "B");
  EXPECT_EQ(user->must(table->incr("count", "s", 5, 0, by)).new_value, 5);
  user->must(table->multi_set("m", {{"s1", "v1"}, {"s2", "v2"}}, 0, by));
  EXPECT_EQ(user->must(table->sort_key_count("m", by)).count, 2);
  for (const auto* key : {"new", "count", "m"})
    EXPECT_GT(b.must(on_b->sort_key_count(key, b.deadline())).count, 0) << key;
  a.must(a.cluster().clear_envs("t", "", a.deadline()));
  for (const auto* key : {"new", "count", "m"})
    EXPECT_EQ(a.must(on_a->sort_key_count(key, a.deadline())).count, 0) << key;
}

// Each is the first operation after the switch.
TEST_F(SwitchTest, AnAtomicOperationThatWasRefusedIsCarriedOutOnceOnTheOtherCluster) {
  make_tables(4, 8);
  switch_to_b();
  EXPECT_EQ(user->must(table->incr("count", "s", 5, 0, user->deadline())).new_value, 5);
  EXPECT_EQ(b.must(on_b->get("count", "s", b.deadline())).value, "5");
}

TEST_F(SwitchTest, ABatchOfKeysIsGroupedAgainForTheOtherPartitionCount) {
  make_tables(8, 3);
  std::vector<client::RowKey> keys;
  for (int i = 0; i < kRows; ++i) keys.push_back({key_of(i), "s"});
  switch_to_b();
  const auto rows = user->must(table->batch_get(keys, user->deadline()));
  ASSERT_EQ(rows.size(), size_t(kRows));
  for (const auto& row : rows) EXPECT_EQ(row.value, "B");
}

TEST_F(SwitchTest, AScanOfAHashKeyContinuesBehindItsLastRow) {
  make_tables(8, 2);
  std::vector<client::SortValue> rows;
  for (int i = 10; i < 30; ++i) rows.push_back({std::to_string(i), "v"});
  a.must(on_a->multi_set("m", rows, 0, a.deadline()));
  b.must(on_b->multi_set("m", rows, 0, b.deadline()));
  auto scanner = table->scan_hash_key("m", "", "", true, false, {.batch_size = 5});
  ASSERT_TRUE(scanner);
  auto first = user->must((*scanner)->next(user->deadline()));
  ASSERT_TRUE(first);
  size_t seen = first->rows.size();
  EXPECT_EQ(seen, 5U);
  switch_to_b();
  while (auto batch = user->must((*scanner)->next(user->deadline()))) seen += batch->rows.size();
  EXPECT_EQ(seen, 20U);
  EXPECT_EQ(table->router().partition_count(), 2);
}

TEST_F(SwitchTest, AScanOfAPartitionContinuesWhenTheCountIsTheSame) {
  make_tables(1, 1);
  auto scanner = table->scan_partition(0, {.batch_size = 10});
  size_t seen = user->must(scanner->next(user->deadline()))->rows.size();
  switch_to_b();
  while (auto batch = user->must(scanner->next(user->deadline()))) seen += batch->rows.size();
  EXPECT_EQ(seen, size_t(kRows));
  EXPECT_EQ(table->router().moves(), 1);
}

TEST_F(SwitchTest, AScanOfAPartitionIsRefusedWhenTheCountIsAnother) {
  make_tables(8, 2);
  auto scanner = table->scan_partition(7, {.batch_size = 1});
  user->must(scanner->next(user->deadline()));
  switch_to_b();
  const auto next = user->run(scanner->next(user->deadline()));
  ASSERT_FALSE(next);
  EXPECT_EQ(next.error().code(), Code::kRefused);
  EXPECT_THAT(next.error().to_string(), HasSubstr("moved to another cluster with 2 instead of 8"));
}

TEST_F(SwitchTest, ATableThatWasDroppedAndCreatedAgainIsNotTakenForAMovedOne) {
  make_tables(4, 4);
  EXPECT_EQ(get(key_of(0)), "A");
  a.must(a.cluster().drop_table("t", 0, a.deadline()));
  a.create_table("t", 4);
  const auto read = user->run(table->get(key_of(0), "s", user->deadline()));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code(), Code::kNotFound);
  EXPECT_THAT(read.error().to_string(), HasSubstr("dropped and created again"));
}

TEST_F(SwitchTest, AnAtomicOperationOfUnknownOutcomeIsNotRepeatedOnTheOtherCluster) {
  make_tables(4, 4);
  async::ContextThread thread;
  async::SystemClock clock;
  std::vector<net::IncomingCall> kept;
  std::optional<testing::FakePartition> silent;
  const auto there = [&](auto what) {
    thread.wait_for([](auto act) -> Routine<> {
      act();
      co_return;
    }(std::move(what)));
  };
  there([&] {
    silent.emplace(thread.executor(), clock);
    silent->on_data = [&](net::IncomingCall call) { kept.push_back(std::move(call)); };
  });
  proxy.route("t", silent->meta_address());
  table = user->must(Table::open(user->shared_cluster(), "t", user->deadline()));
  const auto soon = Deadline::in(user->clock(), async::milliseconds(300));
  const auto added = user->run(table->incr("count", "s", 5, 0, soon));
  ASSERT_FALSE(added);
  EXPECT_THAT(added.error().to_string(), HasSubstr("not known whether"));
  proxy.route("t", cluster_b.meta_address());
  EXPECT_EQ(get(key_of(0)), "B") << "the next operation follows";
  EXPECT_FALSE(b.must(on_b->get("count", "s", b.deadline())).value);
  there([&] { kept.clear(); });
  thread.wait_for([](testing::FakePartition& server) -> Routine<> {
    co_await server.stop();  // no result
  }(*silent));
}

TEST_F(SwitchTest, ErrorsOfTheProxyAreWaitedForWhileTheTableIsInUse) {
  make_tables(4, 4);
  proxy.route("t", {0x7f000001, 1});  // nobody listens there
  a.must(
      a.cluster().set_envs("t", {{"replica.deny_client_request", "reconfig*all"}}, a.deadline()));
  const auto soon = Deadline::in(user->clock(), async::milliseconds(300));
  const auto read = user->run(table->get(key_of(0), "s", soon));
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().code(), Code::kNotFound) << read.error().to_string();
  proxy.route("t", cluster_b.meta_address());
  EXPECT_EQ(get(key_of(0)), "B");
}

// A domain name with several addresses, as several proxies behind one name have it.
class NamedProxyTest : public SwitchTest {};

TEST_F(NamedProxyTest, AProxyThatIsDownIsPassedOverAndANewOneIsFound) {
  make_tables(4, 8);
  asio::io_context context;
  async::SystemClock clock;
  std::mutex mutex;                                     // guards `where`
  std::vector<uint32_t> where{0x7f000002, 0x7f000001};  // nobody listens at the first
  client::Client named(
      context.get_executor(), clock,
      {.look_up = [&](const net::HostPort& name) -> Result<std::vector<net::Address>> {
        std::lock_guard lock(mutex);
        std::vector<net::Address> found;
        for (const auto ipv4 : where) found.push_back({ipv4, name.port});
        return found;
      }});
  const auto soon = [&] { return Deadline::in(clock, async::milliseconds(20'000)); };
  const auto run = [&](auto task) { return async::run_to_end(context, std::move(task)); };
  const net::HostPort name{"proxies.test", proxy.address().port};
  auto cluster = run(client::Cluster::connect(named, {name}, soon()));
  ASSERT_TRUE(cluster) << cluster.error().to_string();
  auto opened = run(Table::open(*cluster, "t", soon()));
  ASSERT_TRUE(opened) << opened.error().to_string();
  EXPECT_EQ(run((*opened)->get(key_of(0), "s", soon()))->value, "A");

  ProxyThread other({.listen = {0x7f000003, proxy.address().port}});
  other.route("t", cluster_b.meta_address());
  proxy.stop();
  {
    std::lock_guard lock(mutex);
    where = {0x7f000003};
  }
  a.must(
      a.cluster().set_envs("t", {{"replica.deny_client_request", "reconfig*all"}}, a.deadline()));
  auto read = run((*opened)->get(key_of(0), "s", soon()));
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(read->value, "B");
  opened->reset();
  cluster->reset();
  run([](client::Client& client) -> Routine<bool> {
    co_await client.close();  // no result
    co_return true;
  }(named));
}

}  // namespace
}  // namespace pegmove::metaproxy
