// A hot migration between two embedded clusters that know each other, with a ZooKeeper in memory.
// The servers' time passes by itself, a hundred times as fast as the test's.
#include "migration/hot/hot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "async/task_group.h"
#include "migration/runs_test.h"

namespace pegmove::migration::hot {
namespace {

using async::milliseconds;
using journal::good;
using journal::Request;
using journal::RunState;
using journal::StepState;
using pegmove::testing::TestClusterOptions;
using pegmove::testing::TwoClusters;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kHotPartitions = 4;
constexpr milliseconds kServerStep{100};

TestClusterOptions side_of(const std::string& name, const std::string& other, uint16_t port,
                           uint16_t other_port) {
  TestClusterOptions options{.name = name};
  options.meta_port = port;
  options.duplication_group = {{"A", 1}, {"B", 2}};
  options.clusters = {{other, {{"127.0.0.1", other_port}}}};
  return options;
}

// Another process may take a port before a cluster does.
std::unique_ptr<TwoClusters> make_clusters() {
  for (int attempt = 0;; ++attempt) try {
      const auto a = pegmove::testing::find_free_port(), b = pegmove::testing::find_free_port();
      return std::make_unique<TwoClusters>(side_of("A", "B", a, b), side_of("B", "A", b, a));
    } catch (const std::runtime_error&) {
      if (attempt == 5) throw;
    }
}

class HotMigrationTest : public ::testing::Test {
 protected:
  HotMigrationTest() {
    runs.nodes.set("/p/t", routes::route_text(route(*clusters->source)));
    runs.events.at = [this](std::string_view point) {
      passed.emplace_back(point);
      if (point == stop_at) runs.stop.request();
    };
    runs.events.warn = [this](const std::string& text) { warned.push_back(text); };
    servers_time.spawn(pass_time());
    table = clusters->create_table(clusters->source, "t", kHotPartitions);
    for (int i = 0; i < 40; ++i) put(table, i, "before");
  }
  ~HotMigrationTest() override {
    servers_time.stop();
    clusters->run(joined());
  }
  Routine<bool> joined() {
    co_await servers_time.join();  // no result
    co_return true;
  }
  Routine<> pass_time() {
    async::SystemClock system;
    while (!servers_time.stopped()) {
      co_await system.sleep_for(milliseconds(1));  // no result
      clusters->source_time.advance(kServerStep);
      clusters->target_time.advance(kServerStep);
    }
  }

  static routes::Route route(client::Cluster& cluster) {
    return {.cluster = cluster.name(), .metas = *net::parse_host_port_list(cluster.meta_list())};
  }
  HotRequest request() const {
    return {.source = {.metas = clusters->source->meta_list(),
                       .table = "t",
                       .name = "A",
                       .id = 1,
                       .cluster = "A",
                       .is_embedded = true},
            .target = {.metas = clusters->target->meta_list(),
                       .table = "t",
                       .name = "B",
                       .id = 2,
                       .cluster = "B",
                       .is_embedded = true},
            .zookeeper = "127.0.0.1:2181",
            .zk_root = "/p",
            .no_direct_clients = true,
            .cuts_over_alone = true,
            .max_write_hold = milliseconds(20'000),
            .drops_target = drops_target};
  }
  std::string begin(HotRequest wanted) { return runs.begin("hot", to_json(wanted)); }
  void put(const std::shared_ptr<client::Table>& to, int i, const std::string& value) {
    clusters->must(to->set("h" + std::to_string(i), "s", value, 0, clusters->deadline()));
  }
  std::optional<std::string> value(const std::shared_ptr<client::Table>& in, int i) {
    return clusters->must(in->get("h" + std::to_string(i), "s", clusters->deadline())).value;
  }
  // What the node names; "" when it is no route.
  std::string serves() const {
    const auto found = routes::parse_route(runs.nodes.at("/p/t").data);
    return found ? found->cluster : "";
  }
  std::string denied(const std::shared_ptr<client::Cluster>& cluster) {
    const auto envs = clusters->must(cluster->table_info("t", clusters->deadline())).envs;
    const auto found = envs.find("replica.deny_client_request");
    return found == envs.end() ? "" : found->second;
  }
  size_t duplications(const std::shared_ptr<client::Cluster>& cluster) {
    return clusters->must(client::table_duplications(*cluster, "t", clusters->deadline()))
        .duplications.size();
  }
  journal::StepRecord step(const std::string& id, const char* name) {
    for (auto& record : good(runs.open_journal().steps(id)))
      if (record.name == name) return record;
    return {.name = "there is none"};
  }
  // Until the target serves.
  std::string cut_over() {
    const auto id = begin(request());
    stop_at = "cutover.done";
    const auto ending = good(runs.resume(id));
    EXPECT_EQ(ending.state, RunState::kInterrupted) << ending.reason;
    return id;
  }

  std::unique_ptr<TwoClusters> clusters = make_clusters();
  async::TaskGroup servers_time{clusters->context().get_executor()};
  TestRuns runs{*clusters};
  std::vector<std::string> passed, warned;
  std::string stop_at;
  std::shared_ptr<client::Table> table;
  bool drops_target = false;
};

TEST_F(HotMigrationTest, MovesATableAndLeavesTheSourceDenied) {
  const auto id = cut_over();
  EXPECT_EQ(serves(), "B");
  EXPECT_EQ(runs.nodes.at("/p/t").version, 2) << "claimed, and switched";
  EXPECT_EQ(denied(clusters->source), "reconfig*all");
  EXPECT_EQ(denied(clusters->target), "");
  const auto moved = clusters->open_table(clusters->target, "t");
  for (int i = 0; i < 40; ++i) EXPECT_EQ(value(moved, i), "before") << i;
  EXPECT_EQ(step(id, "cutover").state, StepState::kDone);
  EXPECT_THAT(step(id, "cutover").product, HasSubstr(R"("version":2)"));
  EXPECT_THAT(step(id, "cutover").before, HasSubstr(R"("served":{"reads_per_second":)"));
  EXPECT_THAT(step(id, "cutover").product, HasSubstr(R"("served_before":{"reads_per_second":)"));

  put(moved, 1, "after");
  stop_at = "";
  const auto ending = runs.ask(id, Request::kComplete);
  ASSERT_TRUE(ending) << ending.error().to_string();
  EXPECT_EQ(ending->state, RunState::kDone) << ending->reason;
  EXPECT_THAT(ending->report->text, AllOf(HasSubstr("has moved from cluster A to cluster B"),
                                          HasSubstr("40 rows compared"),
                                          HasSubstr("writes/s on the source before the cutover")));
  EXPECT_EQ(duplications(clusters->source), 0u);
  EXPECT_EQ(duplications(clusters->target), 0u);
  EXPECT_EQ(denied(clusters->source), "reconfig*all") << "it is kept";
  for (const auto& [name, value] :
       clusters->must(clusters->target->table_info("t", clusters->deadline())).envs)
    EXPECT_THAT(name, Not(HasSubstr("duplication.")));
  EXPECT_EQ(value(moved, 1), "after");
}

TEST_F(HotMigrationTest, IsReadyWithACertificateAndVerifiesAgainWithoutIt) {
  auto wanted = request();
  wanted.cuts_over_alone = false;
  const auto id = begin(wanted);
  std::string shown;
  const auto stop_when_ready = [&](const std::string& line) {
    if (!line.starts_with("ready for")) return;
    shown = line;
    runs.stop.request();
  };
  runs.events.show = stop_when_ready;
  EXPECT_EQ(good(runs.resume(id)).state, RunState::kInterrupted);
  const auto verified = good(hot_verification_from_json(step(id, "verify-live").product));
  EXPECT_EQ(verified.rows, 40);
  EXPECT_EQ(verified.ranges, kHotPartitions);
  EXPECT_THAT(shown, HasSubstr("; certificate " + verified.certificate + ": 40 rows compared"));
  EXPECT_THAT(journal::read_file(verified.certificate),
              AllOf(HasSubstr(R"("verdict": "equal")"), HasSubstr("\"" + id + "\"")));

  // By hand, or since the journal was moved here alone.
  std::filesystem::remove(verified.certificate);
  passed.clear();
  runs.events.show = nullptr;
  stop_at = "verify-live.done";
  EXPECT_EQ(good(runs.resume(id)).state, RunState::kInterrupted);
  EXPECT_THAT(passed, ::testing::Contains("verify-live.repeats"));
  EXPECT_THAT(warned, ::testing::Contains(AllOf(HasSubstr(verified.certificate + " is missing"),
                                                HasSubstr("are verified again"))));
  EXPECT_TRUE(std::filesystem::exists(verified.certificate));
  stop_at = "";
  runs.events.show = stop_when_ready;
  EXPECT_EQ(good(runs.resume(id)).state, RunState::kInterrupted);
  EXPECT_EQ(duplications(clusters->target), 1u) << "the way back is there again";
}

TEST_F(HotMigrationTest, ACutoverWithoutItsCertificateIsRefused) {
  const auto id = begin(request());
  runs.events.at = [this, &id](std::string_view point) {
    if (point != "wait-for-cutover.done") return;
    const auto verified = good(hot_verification_from_json(step(id, "verify-live").product));
    std::filesystem::remove(verified.certificate);
  };
  const auto ending = good(runs.resume(id));
  EXPECT_TRUE(ending.has_given_back) << ending.reason;
  EXPECT_THAT(ending.reason, AllOf(HasSubstr("nothing was changed"), HasSubstr("is missing")));
  EXPECT_EQ(serves(), "A");
  EXPECT_EQ(denied(clusters->source), "");

  passed.clear();
  runs.events.at = [this](std::string_view point) {
    passed.emplace_back(point);
    if (point == "cutover.done") runs.stop.request();
  };
  EXPECT_EQ(good(runs.resume(id)).state, RunState::kInterrupted);
  EXPECT_THAT(passed, ::testing::Contains("verify-live.repeats"));
  EXPECT_EQ(serves(), "B");
}

TEST_F(HotMigrationTest, ARollbackBringsBackWhatWasWrittenToTheTarget) {
  const auto id = cut_over();
  const auto moved = clusters->open_table(clusters->target, "t");
  put(moved, 1, "after");
  clusters->must(moved->del("h2", "s", clusters->deadline()));
  stop_at = "wait-for-cutover.repeats";
  const auto ending = runs.ask(id, Request::kRollback);
  ASSERT_TRUE(ending) << ending.error().to_string();
  EXPECT_EQ(ending->state, RunState::kInterrupted) << ending->reason;
  EXPECT_EQ(serves(), "A");
  EXPECT_EQ(denied(clusters->source), "");
  EXPECT_EQ(denied(clusters->target), "reconfig*all");
  EXPECT_EQ(step(id, "cutover").outcome, kRolledBack);
  EXPECT_THAT(step(id, "cutover").product, HasSubstr(R"("back":true)"));
  EXPECT_EQ(value(table, 1), "after");
  EXPECT_EQ(value(table, 2), std::nullopt);

  // --auto does not cut over once more by itself.
  stop_at = "wait-for-cutover.begun";
  passed.clear();
  EXPECT_EQ(good(runs.resume(id)).state, RunState::kInterrupted);
  EXPECT_EQ(serves(), "A");

  put(table, 3, "again");
  stop_at = "cutover.done";
  const auto again = runs.ask(id, Request::kCutover);
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_EQ(serves(), "B");
  EXPECT_EQ(value(moved, 3), "again");
}

TEST_F(HotMigrationTest, ACutoverThatLosesTheCompareAndSetIsGivenBack) {
  const auto id = begin(request());
  stop_at = "";
  runs.events.at = [this](std::string_view point) {
    // Somebody writes the same route by hand.
    if (point == "cutover.checked") runs.nodes.set("/p/t", runs.nodes.at("/p/t").data);
  };
  const auto ending = runs.resume(id);
  ASSERT_TRUE(ending) << ending.error().to_string();
  EXPECT_EQ(ending->state, RunState::kFailed);
  EXPECT_TRUE(ending->has_given_back);
  EXPECT_EQ(serves(), "A");
  EXPECT_EQ(denied(clusters->source), "");
  EXPECT_EQ(step(id, "cutover").state, StepState::kUndone);
  EXPECT_THAT(step(id, "cutover").outcome, HasSubstr(kGivenBack));
  put(table, 1, "still here");

  runs.events.at = [this](std::string_view point) {
    if (point == "cutover.done") runs.stop.request();
  };
  EXPECT_EQ(good(runs.resume(id)).state, RunState::kInterrupted);
  EXPECT_EQ(serves(), "B");
  EXPECT_EQ(value(clusters->open_table(clusters->target, "t"), 1), "still here");
}

TEST_F(HotMigrationTest, ASwitchWhoseAnswerIsLostHasHappened) {
  const auto id = begin(request());
  runs.events.at = [this](std::string_view point) {
    if (point == "cutover.checked") runs.nodes.lost = pegmove::testing::FakeNodes::Lost::kAfter;
    if (point == "cutover.switched") runs.nodes.lost = pegmove::testing::FakeNodes::Lost::kNothing;
    if (point == "cutover.done") runs.stop.request();
  };
  EXPECT_EQ(good(runs.resume(id)).state, RunState::kInterrupted);
  EXPECT_EQ(serves(), "B");
  EXPECT_EQ(denied(clusters->source), "reconfig*all");
}

TEST_F(HotMigrationTest, ACancelRemovesTheDuplicationsAndIsRefusedAfterTheCutover) {
  auto wanted = request();
  wanted.cuts_over_alone = false;
  wanted.drops_target = true;
  const auto id = begin(wanted);
  stop_at = "wait-for-cutover.begun";
  EXPECT_EQ(good(runs.resume(id)).state, RunState::kInterrupted);
  EXPECT_EQ(duplications(clusters->source), 1u);
  EXPECT_EQ(duplications(clusters->target), 1u);
  stop_at = "";
  const auto cancelled = runs.cancel(id);
  ASSERT_TRUE(cancelled) << cancelled.error().to_string();
  EXPECT_EQ(cancelled->state, RunState::kCancelled) << cancelled->reason;
  EXPECT_EQ(duplications(clusters->source), 0u);
  EXPECT_FALSE(clusters->run(clusters->target->table_info("t", clusters->deadline())));
  put(table, 1, "the source serves");
}

TEST_F(HotMigrationTest, ACancelAfterTheCutoverIsTooLate) {
  const auto id = cut_over();
  stop_at = "";
  const auto cancelled = runs.cancel(id);
  ASSERT_TRUE(cancelled) << cancelled.error().to_string();
  EXPECT_EQ(cancelled->state, RunState::kInterrupted);
  EXPECT_THAT(warned, ::testing::Contains(HasSubstr("too late to cancel")));
  EXPECT_EQ(serves(), "B");
  EXPECT_EQ(duplications(clusters->source), 1u);
}

// By then the cutover counts as not done, and the target serves.
TEST_F(HotMigrationTest, ACancelOfARollbackThatWasAskedForDropsNothing) {
  drops_target = true;
  const auto id = cut_over();
  stop_at = "cutover.repeats";
  const auto asked = runs.ask(id, Request::kRollback);
  ASSERT_TRUE(asked) << asked.error().to_string();
  EXPECT_EQ(asked->state, RunState::kInterrupted);
  EXPECT_EQ(serves(), "B");
  stop_at = "";
  const auto cancelled = runs.cancel(id);
  ASSERT_TRUE(cancelled) << cancelled.error().to_string();
  EXPECT_EQ(cancelled->state, RunState::kInterrupted) << cancelled->reason;
  EXPECT_THAT(warned, ::testing::Contains(HasSubstr("too late to cancel")));
  EXPECT_EQ(serves(), "A") << "what was asked for is done";
  EXPECT_TRUE(clusters->run(clusters->target->table_info("t", clusters->deadline())));
  EXPECT_EQ(duplications(clusters->source), 1u);
}

TEST_F(HotMigrationTest, ACancelIsRefusedWhenSomebodyElseHasWrittenTheNodeBack) {
  const auto id = cut_over();
  put(clusters->open_table(clusters->target, "t"), 1, "on B only");
  runs.nodes.set("/p/t", routes::route_text(route(*clusters->source)));
  stop_at = "";
  const auto cancelled = runs.cancel(id);
  ASSERT_TRUE(cancelled) << cancelled.error().to_string();
  EXPECT_EQ(cancelled->state, RunState::kCancelling);
  EXPECT_THAT(cancelled->reason, HasSubstr("somebody else has made the node"));
  EXPECT_EQ(denied(clusters->source), "reconfig*all");
  EXPECT_EQ(duplications(clusters->target), 1u);
}

TEST_F(HotMigrationTest, ACutoverThatCannotBeginWaitsForTheNextOne) {
  const auto id = begin(request());
  runs.events.at = [this](std::string_view point) {
    if (point == "wait-for-cutover.done")
      runs.nodes.set("/p/t", routes::route_text({.cluster = "C", .metas = {{"c.example", 1}}}));
  };
  const auto ending = good(runs.resume(id));
  EXPECT_EQ(ending.state, RunState::kFailed);
  EXPECT_THAT(ending.reason, AllOf(HasSubstr("nothing was changed"), HasSubstr("does not name")));
  EXPECT_EQ(denied(clusters->source), "");
  EXPECT_EQ(step(id, "wait-for-cutover").state, StepState::kUndone);
}

// An operator's own deny is not taken for ours.
TEST_F(HotMigrationTest, ADenyOfSomebodyElseIsLeftAlone) {
  const auto id = begin(request());
  stop_at = "wait-for-cutover.done";
  EXPECT_EQ(good(runs.resume(id)).state, RunState::kInterrupted);
  clusters->must(clusters->source->set_envs("t", {{"replica.deny_client_request", "timeout*write"}},
                                            clusters->deadline()));
  stop_at = "";
  EXPECT_EQ(good(runs.resume(id)).state, RunState::kFailed);
  EXPECT_EQ(denied(clusters->source), "timeout*write");
}

TEST_F(HotMigrationTest, ADuplicationThatIsRemovedByHandEndsTheRun) {
  auto wanted = request();
  wanted.cuts_over_alone = false;
  const auto id = begin(wanted);
  stop_at = "wait-for-cutover.begun";
  EXPECT_EQ(good(runs.resume(id)).state, RunState::kInterrupted);
  const auto known =
      clusters->must(client::table_duplications(*clusters->source, "t", clusters->deadline()));
  clusters->must(client::set_duplication_status(*clusters->source, "t", known.duplications.at(0).id,
                                                client::DuplicationStatus::kRemoved,
                                                clusters->deadline()));
  stop_at = "";
  const auto ending = good(runs.resume(id));
  EXPECT_EQ(ending.state, RunState::kFailed);
  EXPECT_THAT(ending.reason, HasSubstr("was removed by somebody else"));
}

TEST_F(HotMigrationTest, ThePreflightFindsTheClustersReady) {
  auto wanted = request();
  wanted.source = {.metas = clusters->source->meta_list(), .table = "t"};
  wanted.target = {.metas = clusters->target->meta_list(), .table = "t"};
  wanted.max_write_hold = milliseconds(0);
  const auto look = clusters->run(
      look_before_hot(runs.ports, {"a", clusters->source}, {"b", clusters->target}, wanted));
  EXPECT_FALSE(look.findings.has_errors()) << inspect::to_error(look.findings.all).to_string();
  EXPECT_EQ(look.request.source.name, "A");
  EXPECT_EQ(look.request.target.name, "B");
  EXPECT_TRUE(look.request.source.is_embedded);
}

TEST_F(HotMigrationTest, TheChecksAreThereForPrograms) {
  clusters->must(table->incr("h", "counter", 1, client::kNeverExpires, clusters->deadline()));
  auto wanted = request();
  wanted.no_direct_clients = false;
  HotMigration hot(wanted, runs.ports);
  const auto assessment = clusters->must(hot.open(runs::Purpose::kBegin));
  ASSERT_TRUE(assessment.refusal);
  EXPECT_THAT(assessment.refusal->to_string(), HasSubstr("--no-direct-clients"));
  const auto json = nlohmann::json::parse(assessment.checks_json);
  EXPECT_FALSE(json.at("can_begin").get<bool>());
  EXPECT_FALSE(json.at("ships_in_batches").get<bool>());
  EXPECT_FALSE(json.at("no_direct_clients").get<bool>());
  EXPECT_EQ(json.at("ships_per_second").get<int64_t>(), kShippedPerSecond);
  EXPECT_EQ(json.at("writes").at("atomic_writes_since_start").get<int64_t>(), 1);
  EXPECT_EQ(json.at("writes").at("silent_partitions").get<int64_t>(), 0);
  std::map<std::string, std::string> severities;
  for (const auto& finding : json.at("findings"))
    severities[finding.at("kind").get<std::string>()] = finding.at("severity").get<std::string>();
  EXPECT_EQ(severities["direct-clients"], "error");
  EXPECT_EQ(severities["atomic-writes"], "warning");
  EXPECT_EQ(severities["write-rate"], "note");
}

TEST_F(HotMigrationTest, ARunThatWaitsForARestartContinuesWithWhatTheServersSay) {
  auto wanted = request();
  wanted.restart_within = milliseconds(600'000);
  // As it began: without ids.
  wanted.source.id = wanted.target.id = 0;
  const auto id = begin(wanted);
  stop_at = "await-restart.done";
  EXPECT_EQ(good(runs.resume(id)).state, RunState::kInterrupted);
  EXPECT_EQ(step(id, "await-restart").state, StepState::kDone);
  const auto found = hot_request_from_json(step(id, "await-restart").product);
  ASSERT_TRUE(found) << found.error().to_string();
  EXPECT_EQ(found->source.id, 1);
  EXPECT_EQ(found->target.id, 2);
  EXPECT_EQ(found->target.name, "B");

  HotMigration hot(wanted, runs.ports);
  ASSERT_TRUE(hot.take_restart(step(id, "await-restart")));
  EXPECT_EQ(hot.request().source.id, 1);
  EXPECT_TRUE(hot.request().waits_for_restart()) << "what was asked for stays";

  stop_at = "cutover.done";
  EXPECT_EQ(good(runs.resume(id)).state, RunState::kInterrupted);
  EXPECT_EQ(serves(), "B");
}

TEST_F(HotMigrationTest, AfterARestartAllIsCheckedOnceMore) {
  auto wanted = request();
  wanted.restart_within = milliseconds(600'000);
  const auto id = begin(wanted);
  clusters->create_table(clusters->target, "t", kHotPartitions);
  const auto ending = good(runs.resume(id));
  EXPECT_EQ(ending.state, RunState::kFailed);
  EXPECT_THAT(ending.reason, HasSubstr("it already exists"));
}

// Such as a proxy that is restarted, too.
TEST_F(HotMigrationTest, WhatPassesByItselfIsWaitedForAfterARestart) {
  auto wanted = request();
  wanted.restart_within = milliseconds(600'000);
  wanted.proxies = {"p"};
  const auto id = begin(wanted);
  std::string shown;
  runs.events.show = [&](const std::string& line) {
    shown = line;
    runs.stop.request();
  };
  const auto ending = good(runs.resume(id));
  EXPECT_EQ(ending.state, RunState::kInterrupted) << ending.reason;
  EXPECT_THAT(shown,
              AllOf(HasSubstr("waiting for a restart, 1 to do"), HasSubstr("cluster p is away")));
  EXPECT_EQ(step(id, "await-restart").state, StepState::kBegun);
}

TEST_F(HotMigrationTest, ARunThatShipsInBatchesLeavesTheSettingOfTheServers) {
  auto wanted = request();
  wanted.source.is_embedded = false;
  wanted.ships_in_batches = true;
  const auto id = begin(wanted);
  stop_at = "verify-live.done";
  const auto ending = good(runs.resume(id));
  EXPECT_EQ(ending.state, RunState::kInterrupted) << ending.reason;
  EXPECT_EQ(step(id, "ship-one-by-one").product, R"({"in_batches":true})");
  EXPECT_EQ(step(id, "verify-live").state, StepState::kDone);
  const auto values = clusters->must(
      find_settings(servers_of(*clusters->source), kBatchSetting, clusters->deadline()));
  ASSERT_EQ(values.size(), 1u);
  EXPECT_EQ(values[0].value, "4096");
}

// Of real clusters; the plan says it from the beginning.
TEST_F(HotMigrationTest, WhereClientsWriteTooFastThePlanComparesTheTablesUnderTheFence) {
  auto wanted = request();
  wanted.source.is_embedded = wanted.target.is_embedded = false;
  wanted.max_write_hold = milliseconds(0);
  wanted.ships_in_batches = true;
  HotMigration hot(wanted, runs.ports);
  std::map<std::string, std::string> does;
  for (const auto& each : hot.steps()) does[each.name] = each.does;
  EXPECT_THAT(does.at("ship-one-by-one"),
              HasSubstr("leave duplicate_log_batch_bytes at its default"));
  EXPECT_THAT(does.at("cutover"), AllOf(HasSubstr("compare and repair both tables"),
                                        HasSubstr("give back within 2 m 00 s")));
  EXPECT_EQ(does.count("await-restart"), 0u);
}

TEST_F(HotMigrationTest, AComparisonUnderTheFenceIsGivenTheTimeThatTheLiveOneTook) {
  auto wanted = request();
  wanted.max_write_hold = milliseconds(0);
  HotMigration hot(wanted, runs.ports);
  EXPECT_EQ(hot.write_hold(FenceKind::kAll, false), usual_write_hold(true, FenceKind::kAll));
  journal::StepRecord verified{.name = "verify-live"};
  verified.product = to_json(HotVerification{.took_ms = 40'000});
  ASSERT_TRUE(hot.take_verification(verified));
  EXPECT_EQ(hot.write_hold(FenceKind::kAll, false), usual_write_hold(true, FenceKind::kAll));
  EXPECT_EQ(hot.write_hold(FenceKind::kWrites, true),
            usual_write_hold(true, FenceKind::kWrites) + milliseconds(80'000));
  wanted.max_write_hold = milliseconds(7'000);
  HotMigration given(wanted, runs.ports);
  ASSERT_TRUE(given.take_verification(verified));
  EXPECT_EQ(given.write_hold(FenceKind::kWrites, true), milliseconds(7'000)) << "as asked";
}

TEST(JournaledSwitchTest, IsReadAsItWasWritten) {
  const JournaledSwitch written{.before = {.version = 7, .text = "{}", .began_ms = 5},
                                .goes_back = true,
                                .opens_target = true,
                                .served = ServedRate{8, 9}};
  const auto read = journaled_switch_from_json(to_json(written));
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(read->before, written.before);
  EXPECT_TRUE(read->goes_back);
  EXPECT_TRUE(read->opens_target);
  EXPECT_EQ(read->served, written.served);
  EXPECT_FALSE(journaled_switch_from_json("{}"));
  EXPECT_FALSE(journaled_switch_from_json(R"({"before":1,"back":true,"opens_target":false})"));
}

}  // namespace
}  // namespace pegmove::migration::hot
