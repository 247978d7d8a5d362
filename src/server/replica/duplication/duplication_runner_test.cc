// A replica server that ships its partition to a table of an embedded cluster.
#include "server/replica/duplication/duplication_runner.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <filesystem>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>

#include "async/context_thread.h"
#include "client/node.h"
#include "data_types.h"
#include "duplication/shipping_failpoints.h"
#include "record/key.h"
#include "server/replica/replica_node.h"
#include "testing/faulty_disk.h"
#include "testing/sim_clock.h"
#include "testing/test_cluster.h"
#include "testing/test_folder.h"
#include "testing/wire_client.h"

namespace pegmove::server::replica {
namespace {

using ::testing::HasSubstr;
using testing::TestClient;
using testing::TestCluster;
using testing::WireClient;
using wire::RpcCode;

constexpr int32_t kAppId = 3;

Routine<Result<void>> start_node(ReplicaNode& node) { co_return node.start(); }
Routine<Result<void>> stop_node(ReplicaNode& node) {
  node.stop();
  co_await node.join();  // no result
  co_return Result<void>();
}

ClusterIds ids_of_source() {
  ClusterIds ids{.own = 1, .known = {}};
  ids.known.set(1);
  ids.known.set(2);
  return ids;
}

class DuplicationRunnerTest : public ::testing::Test {
 protected:
  DuplicationRunnerTest() { start_source(); }
  ~DuplicationRunnerTest() override {
    wire.reset();
    stop_source();
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  static std::string make_folder() {
    std::string name = std::filesystem::temp_directory_path() / "pegmove_source_XXXXXX";
    if (!mkdtemp(name.data())) throw std::runtime_error("cannot make the folder " + name);
    return name;
  }
  void note(std::string_view point) {
    std::lock_guard lock(mutex);
    reached.emplace(point);
  }
  bool has_reached(std::string_view point) {
    std::lock_guard lock(mutex);
    return reached.contains(std::string(point));
  }
  void start_source() {
    thread = std::make_unique<async::ContextThread>();
    node = std::make_unique<ReplicaNode>(
        thread->executor(),
        NodeOptions{.data_dir = folder,
                    .listen = {0x7f000001, 0},
                    .clusters = ids_of_source(),
                    .on_failpoint = [this](std::string_view point) { note(point); }},
        clock, Logger("source"));
    must(thread->wait_for(start_node(*node)));
    host();
    wire = std::make_unique<WireClient>(client, node->address());
  }
  void host() {
    must(node->host({.app_id = kAppId, .name = "t", .partition_count = 1, .envs = {}}, 0));
  }
  void stop_source() {
    wire.reset();
    must(thread->wait_for(stop_node(*node)));
    node->drain();
    node.reset();
    thread.reset();
  }
  template <typename T>
  static T must(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().to_string());
    if constexpr (!std::is_void_v<T>) return *std::move(result);
  }
  int64_t keep_log() { return must(thread->wait_for(node->keep_log(gpid))); }
  duplication::Assignment assignment(int64_t confirmed = 0) {
    return {.id = 77,
            .remote = "B",
            .metas = {*net::parse_host_port(target.meta_address().to_string())},
            .remote_table = "t",
            .fail_mode = duplication::FailMode::kSlow,
            .ships = true,
            .confirmed_decree = confirmed};
  }
  template <typename Response, typename Request>
  Response call(RpcCode code, const Request& request) {
    auto response = wire->call<Response>(code, gpid, request);
    EXPECT_EQ(response.error, 0);
    return response;
  }
  int64_t set(const std::string& sort, const std::string& value) {
    wire::update_request request;
    request.key.data = record::encode_key("h", sort);
    request.value.data = value;
    return call<wire::update_response>(RpcCode::kPut, request).decree;
  }
  std::optional<std::string> at_target(const std::string& sort) {
    return client.must(table->get("h", sort, client.deadline())).value;
  }
  template <typename Condition>
  Routine<bool> wait_until(Condition condition) {
    const auto give_up = clock.now() + async::milliseconds(30'000);
    while (!condition() && clock.now() < give_up)
      co_await clock.sleep_for(async::milliseconds(1));  // no result
    co_return condition();
  }
  template <typename Condition>
  bool until(Condition condition) {
    asio::io_context context;
    return async::run_to_end(context, wait_until(std::move(condition)));
  }
  duplication::Progress progress() {
    auto list = node->duplication_progress(gpid);
    return list.empty() ? duplication::Progress() : list.front();
  }
  bool until_shipped(int64_t decree) {
    return until([&] { return progress().shipped_decree >= decree; });
  }
  net::HttpResponse http(const std::string& path) {
    return client.must(client.client().http_get(*net::parse_host_port(node->address().to_string()),
                                                path, client.deadline()));
  }

  std::mutex mutex;  // guards reached
  std::set<std::string> reached;
  async::SystemClock clock;
  const std::string folder = make_folder();
  TestCluster target{clock, {.name = "B", .duplication_group = {{"A", 1}, {"B", 2}}}};
  TestClient client{target.meta_address()};
  std::shared_ptr<client::Table> table = client.create_table("t", 4);
  const Gpid gpid{kAppId, 0};
  std::unique_ptr<async::ContextThread> thread;
  std::unique_ptr<ReplicaNode> node;
  std::unique_ptr<WireClient> wire;
};

TEST_F(DuplicationRunnerTest, AllKindsOfWritesArriveFromTheFirstOn) {
  EXPECT_EQ(keep_log(), 0);
  node->duplicate(gpid, {assignment()});
  set("first", "1");
  set("changed", "old");
  set("changed", "new");
  set("removed", "v");
  call<wire::update_response>(RpcCode::kRemove, wire::blob{record::encode_key("h", "removed")});
  wire::multi_put_request put;
  put.hash_key.data = "h";
  for (const char* sort : {"m1", "m2"}) {
    auto& row = put.kvs.emplace_back();
    row.key.data = sort;
    row.value.data = "multi";
  }
  call<wire::update_response>(RpcCode::kMultiPut, put);
  wire::multi_remove_request remove;
  remove.hash_key.data = "h";
  remove.sort_keys = {{"m1"}, {"none"}};
  call<wire::multi_remove_response>(RpcCode::kMultiRemove, remove);
  const auto last = set("last", "v");
  ASSERT_TRUE(until_shipped(last));
  EXPECT_EQ(at_target("first"), "1");
  EXPECT_EQ(at_target("changed"), "new");
  EXPECT_EQ(at_target("removed"), std::nullopt);
  EXPECT_EQ(at_target("m1"), std::nullopt);
  EXPECT_EQ(at_target("m2"), "multi");
  EXPECT_EQ(progress().waiting_mutations, 0);
}

TEST_F(DuplicationRunnerTest, WritesBeforeTheLogIsKeptAreNotShipped) {
  set("before", "v");
  EXPECT_EQ(keep_log(), 1);
  node->duplicate(gpid, {assignment(1)});
  ASSERT_TRUE(until_shipped(set("after", "v")));
  EXPECT_EQ(at_target("before"), std::nullopt);
  EXPECT_EQ(at_target("after"), "v");
}

TEST_F(DuplicationRunnerTest, ARestartedTargetGetsWhatItMissed) {
  keep_log();
  node->duplicate(gpid, {assignment()});
  ASSERT_TRUE(until_shipped(set("1", "v")));
  target.stop();
  const auto last = set("2", "v");
  ASSERT_TRUE(until([&] { return !progress().waits_for.empty(); }));
  EXPECT_EQ(progress().waiting_mutations, 1);
  target.start();
  ASSERT_TRUE(until_shipped(last));
  EXPECT_EQ(at_target("2"), "v");
}

TEST_F(DuplicationRunnerTest, ARestartedSourceShipsWhatIsNotConfirmed) {
  keep_log();
  set("1", "v");
  const auto last = set("2", "v");
  stop_source();
  start_source();
  node->duplicate(gpid, {assignment(1)});
  ASSERT_TRUE(until_shipped(last));
  EXPECT_EQ(at_target("1"), std::nullopt);  // confirmed, they said
  EXPECT_EQ(at_target("2"), "v");
}

// As after a kill before the meta server has noted what was confirmed.
TEST_F(DuplicationRunnerTest, WhatIsShippedAgainUndoesNoNewerWriteOfTheTarget) {
  const auto begin = keep_log();
  node->duplicate(gpid, {assignment(begin)});
  set("changed", "old");
  ASSERT_TRUE(until_shipped(set("removed", "old")));
  client.must(table->set("h", "changed", "new", 0, client.deadline()));
  client.must(table->del("h", "removed", client.deadline()));
  stop_source();
  target.restart();
  start_source();
  const auto last = set("next", "v");
  node->duplicate(gpid, {assignment(begin)});
  ASSERT_TRUE(until_shipped(last));
  EXPECT_EQ(at_target("changed"), "new");
  EXPECT_EQ(at_target("removed"), std::nullopt);
  EXPECT_EQ(at_target("next"), "v");
}

TEST_F(DuplicationRunnerTest, APartitionThatIsClosedAndOpenedIsStillShipped) {
  keep_log();
  node->duplicate(gpid, {assignment()});
  ASSERT_TRUE(until_shipped(set("1", "v")));
  must(node->release(gpid, false));
  EXPECT_EQ(progress().shipped_decree, 1);
  host();
  ASSERT_TRUE(until_shipped(set("2", "v")));
  EXPECT_EQ(at_target("2"), "v");
}

TEST_F(DuplicationRunnerTest, WhatIsConfirmedLeavesTheLogAndTheLastEndDropsIt) {
  keep_log();
  node->duplicate(gpid, {assignment()});
  const auto last = set("1", "v");
  ASSERT_TRUE(until_shipped(last));
  const auto replica = node->find(gpid);
  node->duplicate(gpid, {assignment(last)});
  EXPECT_TRUE(until([&] {
    const auto start = replica->log_start();
    return start && start->begins_after == last;
  }));
  for (auto point : duplication::kShippingFailpoints)
    EXPECT_TRUE(until([&] { return has_reached(point); })) << point;
  node->duplicate(gpid, {});
  EXPECT_TRUE(until([&] { return !replica->keeps_log(); }));
  EXPECT_TRUE(node->duplication_progress(gpid).empty());
}

// What clusters receive from each other is not shipped back.
TEST_F(DuplicationRunnerTest, WritesOfOtherClustersAreNotShipped) {
  keep_log();
  node->duplicate(gpid, {assignment()});
  wire::update_request put;
  put.key.data = record::encode_key("h", "foreign");
  put.value.data = "v";
  wire::duplicate_request request;
  auto& entry = request.entries.emplace_back();
  entry.__set_timestamp(clock.unix_us());
  entry.__set_task_code({"RPC_RRDB_RRDB_PUT"});
  entry.__set_raw_message({wire::encode_body(put)});
  entry.__set_cluster_id(2);
  call<wire::duplicate_response>(RpcCode::kDuplicate, request);
  ASSERT_TRUE(until_shipped(1));
  ASSERT_TRUE(until_shipped(set("own", "v")));
  EXPECT_EQ(at_target("own"), "v");
  EXPECT_EQ(at_target("foreign"), std::nullopt);
}

TEST_F(DuplicationRunnerTest, TheStateIsShownOverHttp) {
  EXPECT_EQ(http("/replica/duplication").status, 400);
  EXPECT_THAT(http("/replica/duplication").body, HasSubstr("appid should not be empty"));
  EXPECT_THAT(http("/replica/duplication?appid=x").body, HasSubstr("invalid appid=x"));
  EXPECT_THAT(http("/replica/duplication?appid=9").body, HasSubstr("no primary for app [appid=9]"));
  EXPECT_EQ(http("/replica/duplication?appid=9").status, 404);
  EXPECT_THAT(http("/replica/duplication?appid=3").body,
              HasSubstr("no duplication assigned for app [appid=3]"));
  keep_log();
  auto paused = assignment();
  paused.ships = false;
  node->duplicate(gpid, {paused});
  set("1", "v");
  set("2", "v");
  ASSERT_TRUE(until([&] { return !node->duplication_progress(gpid).empty(); }));
  auto shown = nlohmann::json::parse(http("/replica/duplication?appid=3").body)["77"]["3.0"];
  EXPECT_GE(shown["backlog_ms"], 0);
  EXPECT_GT(shown["backlog_bytes"], 0);
  shown.erase("backlog_ms");
  shown.erase("backlog_bytes");
  EXPECT_EQ(shown, (nlohmann::json{{"duplicating", false},
                                   {"fail_mode", "FAIL_SLOW"},
                                   {"not_confirmed_mutations_num", 2},
                                   {"not_duplicated_mutations_num", 2},
                                   {"remote_app_name", "t"},
                                   {"backlog_mutations", 2}}));
  node->duplicate(gpid, {assignment()});
  ASSERT_TRUE(until_shipped(2));
  EXPECT_EQ(http("/replica/duplication?appid=3").body,
            R"({"77":{"3.0":{"duplicating":true,"fail_mode":"FAIL_SLOW",)"
            R"("not_confirmed_mutations_num":2,"not_duplicated_mutations_num":0,)"
            R"("remote_app_name":"t"}}})");
  const auto metrics = http(
      "/metrics?types=replica&with_metric_fields=name,value&metrics="
      "dup_shipped_successful_requests,dup_pending_mutations,dup_confirmed_mutations");
  EXPECT_THAT(metrics.body, HasSubstr(R"("dup_pending_mutations","value":0)"));
  EXPECT_THAT(metrics.body, HasSubstr(R"("dup_confirmed_mutations","value":2)"));
}

// The form of real servers.
TEST_F(DuplicationRunnerTest, QueryProgressShowsTheDuplication) {
  keep_log();
  node->duplicate(gpid, {assignment()});
  ASSERT_TRUE(until_shipped(set("1", "v")));
  const auto text = client.must(
      client::remote_command(client.client(), *net::parse_host_port(node->address().to_string()),
                             "replica.query-progress", {"3.0"}, client.deadline()));
  EXPECT_THAT(text, HasSubstr(R"(    "max_gc_decree": 0,
    "duplications": [
        {
            "dupid": 77,
            "remote_cluster_name": "B",
            "remote_app_name": "t",
            "replica_confirmed_decree": 1,
            "meta_persisted_decree": 0
        }
    ]
})"));
}

TEST_F(DuplicationRunnerTest, APartitionThatIsNotServedKeepsNoLog) {
  auto kept = thread->wait_for(node->keep_log({9, 0}));
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().code(), Code::kNotFound);
}

// A partition on a disk with faults, without clients.
class FaultyLogTest : public ::testing::Test {
 protected:
  FaultyLogTest() { open(); }
  ~FaultyLogTest() override {
    disk.set_endless_space();
    thread.wait_for(end());
    close();
  }
  Routine<bool> end() {
    runner.stop();
    co_await runner.join();  // no result
    co_return true;
  }
  void open() {
    auto opened = Replica::open(
        {.gpid = gpid,
         .server = "node:1",
         .db = {.path = folder / "rdb", .env = disk.env()},
         .later = [](async::milliseconds, std::move_only_function<void()>) {},
         .metrics = std::make_shared<ReplicaMetrics>(
             registry, gpid, std::make_shared<NodeMetrics>(*entity, Logger("test")), time)},
        pool, time, Logger("test"));
    if (!opened) throw std::runtime_error(opened.error().to_string());
    replica = *std::move(opened);
  }
  void close() {
    auto closed = replica->closed();
    replica->close();
    replica.reset();
    closed.wait();
  }
  static void wait_until(const std::function<bool()>& holds) {
    async::SystemClock clock;
    for (const auto end = Deadline::in(clock, async::milliseconds(30'000)); !holds();)
      if (end.passed(clock)) throw std::runtime_error("it does not happen");
  }
  void fail_to_drop() {
    ASSERT_TRUE(thread.wait_for(runner.keep_log(gpid)));
    disk.set_space(0);
    runner.duplicate(gpid, {});
    wait_until([this] { return time.sleepers() > 0; });
    disk.set_endless_space();
  }

  // Until nothing is tried any more.
  void try_again() {
    wait_until([this] {
      time.advance(async::milliseconds(50));
      return time.sleepers() == 0;
    });
  }

  const Gpid gpid{1, 0};
  testing::TestFolder folder;
  testing::FaultyDisk disk{folder / "trash"};
  testing::SimClock time;
  metrics::Registry registry;
  std::shared_ptr<metrics::Entity> entity = registry.add("server", "server", {});
  async::ContextThread thread;  // outlives the pool, whose thread posts to it
  async::Pool pool{1};
  std::shared_ptr<Replica> replica;
  DuplicationRunner runner{
      {.find = [this](Gpid) { return replica; }}, thread.executor(), pool, time, Logger("test")};
};

TEST_F(FaultyLogTest, ThatCannotBeDroppedIsDroppedLater) {
  fail_to_drop();
  wait_until([this] {
    time.advance(async::milliseconds(50));
    return time.sleepers() == 0 && !replica->keeps_log();
  });
  close();
  open();
  EXPECT_FALSE(replica->keeps_log());
}

TEST_F(FaultyLogTest, ThatIsNeededAgainIsNotDropped) {
  fail_to_drop();
  ASSERT_TRUE(thread.wait_for(runner.keep_log(gpid)));
  try_again();
  EXPECT_TRUE(replica->keeps_log());
}

}  // namespace
}  // namespace pegmove::server::replica
