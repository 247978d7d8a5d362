// A hot migration to another partition count, between two embedded clusters, with a relay for each
// direction in this process and a ZooKeeper in memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "async/task_group.h"
#include "migration/hot/hot.h"
#include "migration/runs_test.h"
#include "relay/cluster_target.h"
#include "relay/relay.h"

namespace pegmove::migration::hot {
namespace {

using async::milliseconds;
using journal::good;
using journal::Request;
using journal::RunState;
using journal::StepState;
using pegmove::testing::FakeNodes;
using pegmove::testing::SimClock;
using pegmove::testing::TestClusterOptions;
using pegmove::testing::TwoClusters;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kCountBefore = 4;
constexpr int kCountAfter = 6;
constexpr int kRowsBefore = 60;
constexpr const char* kRelayRoot = "/pegmove/relay";

// The servers' time; no sleep is longer than a millisecond of real time.
class ServersClock : public Clock {
 public:
  explicit ServersClock(const SimClock& servers) : servers_(servers) {}
  async::Instant now() const override { return servers_.now(); }
  int64_t unix_us() const override { return servers_.unix_us(); }
  Routine<> sleep_until(async::Instant) override {
    return system_.sleep_until(system_.now() + milliseconds(1));
  }

 private:
  const SimClock& servers_;
  async::SystemClock system_;
};

// A relay on the clusters' context: it works while that runs.
class RelayHere {
 public:
  RelayHere(TwoClusters& clusters, FakeNodes& nodes, relay::RelayOptions options,
            net::Address target_meta)
      : clusters_(clusters), clock_(clusters.target_time), nodes_(nodes.tree()) {
    const auto executor = clusters.context().get_executor();
    target_ = std::make_unique<relay::ClusterTarget>(
        executor, *client_,
        relay::ClusterTargetOptions{.cluster = options.target,
                                    .metas = {*net::parse_host_port(target_meta.to_string())},
                                    .table = options.target_table,
                                    .app_id = options.target_app_id},
        Logger("test"));
    relay_ = good(relay::Relay::listen(executor, clock_, nodes_, *target_, std::move(options),
                                       Logger("test")));
    nodes_.listen(&relay_->ownership());
    target_->start();
    relay_->start();
  }
  ~RelayHere() { clusters_.run(end()); }

 private:
  Routine<bool> end() {
    co_await relay_->end();  // no result
    nodes_.listen(nullptr);
    target_->stop();
    co_await (*client_).close();  // no result
    co_await target_->join();     // no result
    co_return true;
  }

  TwoClusters& clusters_;
  ServersClock clock_;
  FakeNodes nodes_;
  pegmove::testing::ClosingClient client_{clusters_.context(), clock_};
  std::unique_ptr<relay::ClusterTarget> target_;
  std::unique_ptr<relay::Relay> relay_;
};

class HotRelayTest : public ::testing::Test {
 protected:
  HotRelayTest() {
    runs.nodes.set(
        "/p/t",
        routes::route_text(
            {.cluster = "A", .metas = *net::parse_host_port_list(clusters->source->meta_list())}));
    runs.events.at = [this](std::string_view point) {
      passed.emplace_back(point);
      if (point == stop_at) runs.stop.request();
    };
    runs.events.warn = [this](const std::string& text) { warned.push_back(text); };
    servers_time.spawn(pass_servers_time());
    table = clusters->create_table(clusters->source, "t", kCountBefore);
  }
  ~HotRelayTest() override {
    relay_forward.reset();  // in the servers' time
    relay_back.reset();
    servers_time.stop();
    clusters->run(time_ended());
  }
  Routine<bool> time_ended() {
    co_await servers_time.join();  // no result
    co_return true;
  }
  // Ten times as fast as the test's.
  Routine<> pass_servers_time() {
    async::SystemClock system;
    while (!servers_time.stopped()) {
      co_await system.sleep_for(milliseconds(1));  // no result
      clusters->source_time.advance(milliseconds(10));
      clusters->target_time.advance(milliseconds(10));
    }
  }

  TestClusterOptions options_of(const std::string& name, const std::string& relay, uint16_t port) {
    TestClusterOptions options{.name = name};
    options.duplication_group = {{"A", 1}, {"B", 2}, {"RA", 3}, {"RB", 4}};
    options.clusters = {{relay, {{"127.0.0.1", port}}}};
    options.providers["disk"] = {.name = "disk", .type = "local_service", .args = store / ""};
    return options;
  }
  HotRequest request() const {
    return {.source = {.metas = clusters->source->meta_list(),
                       .table = "t",
                       .name = "A",
                       .cluster = "A",
                       .is_embedded = true},
            .target = {.metas = clusters->target->meta_list(),
                       .table = "t",
                       .name = "B",
                       .cluster = "B",
                       .is_embedded = true},
            .zookeeper = "127.0.0.1:2181",
            .zk_root = "/p",
            .cuts_over_alone = true,
            .max_write_hold = milliseconds(30'000),
            .other = {.partitions = kCountAfter,
                      .relay = "RB",
                      .relay_back = "RA",
                      .relay_root = kRelayRoot,
                      .store = "disk",
                      .path = "moves",
                      .split_path = "moves/split",
                      .limits = {.units_at_once = 1, .work_folder = folder / ""}}};
  }
  int32_t app_id(const std::shared_ptr<client::Cluster>& cluster) {
    return clusters->must(cluster->table_info("t", clusters->deadline())).app_id;
  }
  void begin_relay(bool goes_back) {
    const auto& from = goes_back ? clusters->target : clusters->source;
    const auto port = goes_back ? port_back : port_forward;
    auto& relay = goes_back ? relay_back : relay_forward;
    const auto& to = goes_back ? clusters->source_servers : clusters->target_servers;
    relay = std::make_unique<RelayHere>(
        *clusters, runs.nodes,
        relay::RelayOptions{
            .listen = {0x7f000001, port},
            .address = {"127.0.0.1", port},
            .source = goes_back ? "B" : "A",
            .table = "t",
            .app_id = app_id(from),
            .partitions = goes_back ? kCountAfter : kCountBefore,
            .target = goes_back ? "A" : "B",
            .target_table = "t",
            .target_app_id = app_id(goes_back ? clusters->source : clusters->target),
            .root = kRelayRoot},
        to.meta_address());
  }
  // A run whose target is made, and whose relays are there.
  std::string begin_with_relays(HotRequest wanted, int rows = kRowsBefore) {
    for (int i = 0; i < rows; ++i) put(table, i, "before");
    const auto id = runs.begin("hot", to_json(wanted));
    run_until(id, "await-relay.begun");
    begin_relay(false);
    begin_relay(true);
    return id;
  }
  void run_until(const std::string& id, std::string point) {
    stop_at = std::move(point);
    const auto ending = good(runs.resume(id));
    EXPECT_EQ(ending.state, RunState::kInterrupted) << ending.reason;
  }

  void put(const std::shared_ptr<client::Table>& to, int i, const std::string& value) {
    clusters->must(to->set("h" + std::to_string(i), "s", value, 0, clusters->deadline()));
  }
  void remove(const std::shared_ptr<client::Table>& from, int i) {
    clusters->must(from->del("h" + std::to_string(i), "s", clusters->deadline()));
  }
  std::optional<std::string> value(const std::shared_ptr<client::Table>& in, int i) {
    return clusters->must(in->get("h" + std::to_string(i), "s", clusters->deadline())).value;
  }
  std::string serves() const {
    const auto found = routes::parse_route(runs.nodes.at("/p/t").data);
    return found ? found->cluster : "";
  }
  std::string env(const std::shared_ptr<client::Cluster>& cluster, const std::string& name) {
    const auto envs = clusters->must(cluster->table_info("t", clusters->deadline())).envs;
    const auto found = envs.find(name);
    return found == envs.end() ? "" : found->second;
  }
  size_t duplications(const std::shared_ptr<client::Cluster>& cluster) {
    return clusters->must(client::table_duplications(*cluster, "t", clusters->deadline()))
        .duplications.size();
  }
  journal::StepRecord step(const std::string& id, const std::string& name) {
    for (auto& record : good(runs.open_journal().steps(id)))
      if (record.name == name) return record;
    return {.name = "there is none"};
  }

  const uint16_t port_forward = pegmove::testing::find_free_port();
  const uint16_t port_back = pegmove::testing::find_free_port();
  journal::TestFolder store, folder;
  std::unique_ptr<TwoClusters> clusters = std::make_unique<TwoClusters>(
      options_of("A", "RB", port_forward), options_of("B", "RA", port_back));
  async::TaskGroup servers_time{clusters->context().get_executor()};
  TestRuns runs{*clusters};
  std::vector<std::string> passed, warned;
  std::string stop_at;
  std::shared_ptr<client::Table> table;
  std::unique_ptr<RelayHere> relay_forward, relay_back;
};

TEST_F(HotRelayTest, MovesATableToAnotherCountAndBack) {
  const auto id = begin_with_relays(request());
  EXPECT_THAT(warned, Contains(AllOf(HasSubstr("the relay RB is not there yet"),
                                     HasSubstr("pegmove relay --from "))));
  EXPECT_EQ(env(clusters->target, "rocksdb.usage_scenario"), "bulk_load");
  run_until(id, "await-shipping.done");
  put(table, 1, "shipped");  // the backup has both, too
  remove(table, 2);
  run_until(id, "wait-for-backup.done");
  put(table, 3, "newer than the backup");
  remove(table, 4);
  put(table, kRowsBefore, "new");
  run_until(id, "cutover.done");
  EXPECT_EQ(serves(), "B");
  EXPECT_EQ(env(clusters->source, "replica.deny_client_request"), "reconfig*all");
  EXPECT_EQ(env(clusters->target, "rocksdb.usage_scenario"), "normal");
  EXPECT_TRUE(runs.nodes.has("/pegmove/relay/A/t/B/sealed")) << "the proof of the cutover";

  const auto moved = clusters->open_table(clusters->target, "t");
  EXPECT_EQ(moved->partition_count(), kCountAfter);
  EXPECT_EQ(value(moved, 0), "before");
  EXPECT_EQ(value(moved, 1), "shipped");
  EXPECT_EQ(value(moved, 2), std::nullopt);
  EXPECT_EQ(value(moved, 3), "newer than the backup");
  EXPECT_EQ(value(moved, 4), std::nullopt) << "its row in the files is behind the remove";
  for (int i = 5; i < kRowsBefore; ++i) EXPECT_EQ(value(moved, i), "before") << i;
  EXPECT_EQ(value(moved, kRowsBefore), "new");

  put(moved, 5, "on B");
  stop_at = "wait-for-cutover.repeats";
  const auto back = good(runs.ask(id, Request::kRollback));
  EXPECT_EQ(back.state, RunState::kInterrupted) << back.reason;
  EXPECT_EQ(serves(), "A");
  EXPECT_EQ(value(table, 5), "on B");
  EXPECT_TRUE(runs.nodes.has("/pegmove/relay/B/t/A/sealed"));

  put(table, 6, "on A again");
  passed.clear();
  stop_at = "cutover.done";
  const auto again = good(runs.ask(id, Request::kCutover));
  EXPECT_EQ(again.state, RunState::kInterrupted) << again.reason;
  EXPECT_EQ(serves(), "B");
  EXPECT_EQ(value(moved, 6), "on A again") << "the relay took writes again";
  EXPECT_THAT(passed, Contains("cutover.compared")) << "the clusters' clocks may differ";

  stop_at = "";
  const auto ending = good(runs.ask(id, Request::kComplete));
  EXPECT_EQ(ending.state, RunState::kDone) << ending.reason;
  EXPECT_THAT(ending.report->text, HasSubstr("6 partitions now; the relays have nothing to do"));
  EXPECT_EQ(duplications(clusters->source), 0u);
  EXPECT_EQ(duplications(clusters->target), 0u);
}

// What B writes by its clock then would be left out on the way back to A.
TEST_F(HotRelayTest, ACutoverIsGivenBackWhereTheTargetsClocksAreBehind) {
  const auto id = begin_with_relays(request());
  runs.events.at = [this](std::string_view point) {
    auto& time = clusters->source_time;
    if (point == "cutover.relay_sealed") time.set_unix_seconds(time.unix_us() / 1'000'000 + 3'600);
  };
  const auto ending = good(runs.resume(id));
  EXPECT_TRUE(ending.has_given_back) << ending.reason;
  EXPECT_THAT(ending.reason, AllOf(HasSubstr("behind that of server"),
                                   HasSubstr("relays keep the later one of two writes")));
  EXPECT_EQ(serves(), "A");
  EXPECT_EQ(env(clusters->source, "replica.deny_client_request"), "");
  EXPECT_FALSE(runs.nodes.has("/pegmove/relay/A/t/B/sealed"));
}

TEST_F(HotRelayTest, EveryPartitionOfTheSourceIsWrittenToBeforeItIsDuplicated) {
  const auto id = begin_with_relays(request(), 0);
  run_until(id, "await-shipping.done");
  const auto decrees = good(decrees_from_json(step(id, "await-shipping").product));
  ASSERT_EQ(decrees.size(), size_t(kCountBefore));
  EXPECT_THAT(decrees, Each(Ge(1)));
}

TEST_F(HotRelayTest, ABackupThatIsOlderThanWhatIsShippedIsMadeAgain) {
  const auto id = begin_with_relays(request());
  run_until(id, "await-shipping.done");
  good(runs.open_journal().save_step(id, {.name = "await-shipping",
                                          .state = StepState::kDone,
                                          .product = decrees_to_json({1, 1, 1'000'000, 1})}));
  stop_at = "";
  const auto ending = good(runs.resume(id));
  EXPECT_EQ(ending.state, RunState::kFailed);
  EXPECT_THAT(ending.reason, HasSubstr("of partition 2, and shipping began at 1000000"));
  EXPECT_EQ(std::ranges::count(passed, "start-backup.acted"), 3);
  EXPECT_THAT(passed, Not(Contains("choose-split.begun")));
}

TEST_F(HotRelayTest, ACancelDropsTheTargetThoughItsRowsAreLoaded) {
  auto wanted = request();
  wanted.cuts_over_alone = false;
  wanted.drops_target = true;
  const auto id = begin_with_relays(wanted);
  run_until(id, "wait-for-cutover.begun");
  EXPECT_EQ(duplications(clusters->source), 1u);
  EXPECT_EQ(duplications(clusters->target), 1u);
  stop_at = "";
  const auto cancelled = good(runs.cancel(id));
  EXPECT_EQ(cancelled.state, RunState::kCancelled) << cancelled.reason;
  EXPECT_EQ(duplications(clusters->source), 0u);
  EXPECT_FALSE(clusters->run(clusters->target->table_info("t", clusters->deadline())));
  put(table, 1, "the source serves");
}

TEST_F(HotRelayTest, WithoutAWayBackThereIsNoRollback) {
  auto wanted = request();
  wanted.other.relay_back.clear();
  wanted.other.no_way_back = true;
  const auto id = begin_with_relays(wanted);
  run_until(id, "cutover.done");
  EXPECT_EQ(serves(), "B");
  EXPECT_EQ(step(id, kDuplicateBackStep).name, "there is none");
  runs.events.warn = [this](const std::string& text) {
    warned.push_back(text);
    if (text == kNoWayBack) runs.stop.request();
  };
  const auto asked = good(runs.ask(id, Request::kRollback));
  EXPECT_EQ(asked.state, RunState::kInterrupted) << asked.reason;
  EXPECT_THAT(warned, Contains(kNoWayBack));
  EXPECT_EQ(serves(), "B");
}

}  // namespace
}  // namespace pegmove::migration::hot
