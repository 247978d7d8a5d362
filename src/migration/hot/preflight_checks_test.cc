#include "migration/hot/preflight_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace pegmove::migration::hot {
namespace {

using async::milliseconds;
using inspect::Findings;
using inspect::Severity;
using ::testing::AllOf;
using ::testing::HasSubstr;

inspect::ServerConfig config_of(const std::string& own, const std::string& other) {
  return {.duplication_group = {{"A", 1}, {"B", 2}},
          .cluster_name = own,
          .clusters = {{other, "10.0.0.1:34601"}}};
}

inspect::SideFacts side_facts(const std::string& own, const std::string& other) {
  inspect::SideFacts side{.cluster = own, .table = "t"};
  side.nodes = {{.node = own + ":34801",
                 .clock = inspect::ClockOffset{-500, 500},
                 .config = config_of(own, other),
                 .data_versions = {{0, 1}}}};
  side.alive_nodes = 1;
  side.level = client::MetaLevel::kLively;
  return side;
}

// Two real clusters that are ready.
HotFacts good_facts() {
  HotFacts facts;
  facts.inspection.source = side_facts("A", "B");
  facts.inspection.target = side_facts("B", "A");
  auto& source = facts.inspection.source;
  source.info.emplace();
  source.info->app_id = 3;
  source.info->name = "t";
  source.info->partition_count = source.info->replica_count = 1;
  source.partitions = {{.has_primary = true, .rows = inspect::Rows::kSome}};
  source.duplications.emplace();
  facts.source_metas = {{.node = "a:34601", .config = config_of("A", "B")}};
  facts.target_metas = {{.node = "b:34601", .config = config_of("B", "A")}};
  facts.route = routes::RouteNode{.table = "t",
                                  .path = "/p/t",
                                  .node = {},
                                  .route = routes::Route{.cluster = "A", .metas = {{"a", 34601}}}};
  facts.source_primaries = {"A:34801"};
  facts.proxies = {{.proxy = "p:34601", .app_id = 3, .primaries = {"A:34801"}}};
  return facts;
}

HotRequest good_request() {
  return {.source = {.metas = "a:34601", .table = "t", .name = "A", .cluster = "A"},
          .target = {.metas = "b:34601", .table = "t", .name = "B", .cluster = "B"},
          .zookeeper = "z:2181",
          .zk_root = "/p",
          .proxies = {"p:34601"},
          .no_direct_clients = true,
          .max_write_hold = milliseconds(75'000)};
}

// The errors' kinds, in order, separated by blanks.
std::string errors_of(const Findings& findings) {
  std::string kinds;
  for (const auto& finding : findings.all)
    if (finding.severity == Severity::kError) kinds += (kinds.empty() ? "" : " ") + finding.kind;
  return kinds;
}
std::string errors_of(const HotFacts& facts) { return errors_of(check_hot(facts, good_request())); }

const inspect::Finding* find(const Findings& findings, const std::string& kind) {
  const auto found = std::ranges::find(findings.all, kind, &inspect::Finding::kind);
  return found == findings.all.end() ? nullptr : &*found;
}

TEST(HotPreflight, ClustersThatAreReadyHaveNoErrors) {
  const auto findings = check_hot(good_facts(), good_request());
  EXPECT_EQ(errors_of(findings), "");
  EXPECT_NE(find(findings, "direct-clients"), nullptr);
  EXPECT_NE(find(findings, "two-writes-at-once"), nullptr);
}

TEST(HotPreflight, EachServerMustKnowBothIdsAndTheOtherCluster) {
  auto facts = good_facts();
  facts.inspection.target.nodes[0].config->duplication_group.erase("A");
  auto findings = check_groups(facts, good_request());
  EXPECT_EQ(errors_of(findings), "duplication-config");
  EXPECT_THAT(findings.all[0].where, HasSubstr("replica server B:34801"));
  EXPECT_THAT(findings.all[0].what, HasSubstr("no id of cluster A"));
  EXPECT_THAT(findings.all[0].next_step, HasSubstr("[duplication-group]\n    B = 2\n    A = 1\n"));
  EXPECT_THAT(findings.all[0].next_step, HasSubstr("[pegasus.clusters]\n    A = a:34601"));

  facts = good_facts();
  facts.source_metas[0].config->clusters.clear();
  findings = check_groups(facts, good_request());
  EXPECT_EQ(errors_of(findings), "duplication-config");
  EXPECT_THAT(findings.all[0].where, HasSubstr("meta server a:34601"));
  EXPECT_THAT(findings.all[0].what, HasSubstr("no address of cluster B"));
}

TEST(HotPreflight, AnEmbeddedClusterDoesNotShowTheOthersAddress) {
  auto facts = good_facts();
  facts.source_is_embedded = true;
  facts.source_metas.clear();
  facts.inspection.source.nodes[0].config->clusters.clear();
  EXPECT_EQ(errors_of(check_groups(facts, good_request())), "");
}

TEST(HotPreflight, OneClusterHasOneId) {
  auto facts = good_facts();
  facts.inspection.target.nodes[0].config->duplication_group["A"] = 9;
  EXPECT_EQ(errors_of(check_groups(facts, good_request())), "duplication-id");
}

TEST(HotPreflight, ClustersWithoutAnyIdAreShownFreeOnes) {
  auto facts = good_facts();
  for (auto* config :
       {&*facts.source_metas[0].config, &*facts.target_metas[0].config,
        &*facts.inspection.source.nodes[0].config, &*facts.inspection.target.nodes[0].config})
    config->duplication_group.clear();
  const auto findings = check_groups(facts, good_request());
  EXPECT_EQ(findings.count(Severity::kError), 4);
  EXPECT_THAT(findings.all[0].next_step, HasSubstr("A = 1\n    B = 2"));
}

TEST(HotPreflight, AServerThatHidesItsConfigurationIsAnError) {
  auto facts = good_facts();
  facts.target_metas[0].config.reset();
  facts.inspection.source.nodes[0].config.reset();
  EXPECT_EQ(errors_of(check_groups(facts, good_request())), "config-unknown config-unknown");
}

TEST(HotPreflight, TheNodeMustNameTheSource) {
  const auto error_with = [](std::optional<routes::Route> route) {
    auto facts = good_facts();
    facts.route->route = std::move(route);
    return errors_of(check_route(facts, good_request()));
  };
  EXPECT_EQ(error_with(routes::Route{"B", {}}), "already-moved");
  EXPECT_EQ(error_with(routes::Route{"C", {}}), "other-route");
  EXPECT_EQ(error_with(std::nullopt), "bad-route");
  auto facts = good_facts();
  facts.route.reset();
  facts.route_error = Error(Code::kNotFound, "there is no node /p/t");
  const auto findings = check_route(facts, good_request());
  EXPECT_EQ(errors_of(findings), "no-route");
  EXPECT_THAT(findings.all[0].next_step, HasSubstr("pegmove routes set"));
}

TEST(HotPreflight, EachProxyMustFollowTheNode) {
  auto facts = good_facts();
  facts.proxies[0].primaries = {"elsewhere:34801"};
  EXPECT_EQ(errors_of(check_route(facts, good_request())), "proxy-route");
  facts.proxies[0].error = Error(Code::kTimeout, "no answer");
  EXPECT_EQ(errors_of(check_route(facts, good_request())), "proxy");
  facts.proxies.clear();
  EXPECT_NE(find(check_route(facts, good_request()), "proxies-unknown"), nullptr);
}

TEST(HotPreflight, ClientsFindTheirTableByItsName) {
  auto request = good_request();
  request.target.table = "u";
  EXPECT_EQ(errors_of(check_route(good_facts(), request)), "other-table-name");
}

TEST(HotPreflight, TheTargetMustNotExistAndMustBePossible) {
  auto facts = good_facts();
  facts.inspection.target.info = facts.inspection.source.info;
  EXPECT_EQ(errors_of(facts), "target-exists");
  facts = good_facts();
  facts.inspection.source.info->replica_count = 3;
  EXPECT_EQ(errors_of(facts), "too-few-servers");
  facts = good_facts();
  facts.inspection.target.level = client::MetaLevel::kFreezed;
  EXPECT_EQ(errors_of(facts), "meta-level");
  facts = good_facts();
  facts.inspection.target.nodes = facts.inspection.source.nodes;
  EXPECT_THAT(errors_of(facts), HasSubstr("same-cluster"));
}

TEST(HotPreflight, TheSourceMustBeATableThatCanBeDuplicated) {
  auto facts = good_facts();
  facts.inspection.source.info.reset();
  EXPECT_EQ(errors_of(facts), "no-source-table");
  facts = good_facts();
  facts.inspection.source.nodes[0].data_versions[0] = 0;
  EXPECT_EQ(errors_of(facts), "data-version");
  facts = good_facts();
  facts.inspection.source.info->envs = {{"replica.write_throttling", "20K*delay*100"}};
  EXPECT_EQ(errors_of(facts), "throttle");
  facts = good_facts();
  facts.inspection.source.info->envs = {{"duplication.master_cluster", "C"}};
  EXPECT_EQ(errors_of(facts), "was-follower");
  facts = good_facts();
  facts.inspection.source.duplications = {{.remote = "B", .remote_table = "t", .status = "DS_LOG"}};
  EXPECT_EQ(errors_of(facts), "duplication-exists");
  facts.inspection.source.duplications->at(0).remote = "C";
  EXPECT_EQ(errors_of(facts), "");
  EXPECT_NE(find(check_hot(facts, good_request()), "duplicated-elsewhere"), nullptr);
  facts.inspection.source.duplications.reset();
  EXPECT_EQ(errors_of(facts), "duplications-unknown");
}

TEST(HotPreflight, ATableThatDeniesItsClientsIsNotMoved) {
  auto facts = good_facts();
  facts.inspection.source.info->envs = {{"replica.deny_client_request", "reconfig*all"}};
  EXPECT_NE(errors_of(facts), "");
}

TEST(HotPreflight, ARealTargetAbortsOnWritesFromTheFuture) {
  auto facts = good_facts();
  facts.inspection.source.nodes[0].clock = inspect::ClockOffset{3'000'000, 3'001'000};
  EXPECT_EQ(errors_of(check_hot_clocks(facts)), "clock-ahead");
  facts.target_is_embedded = true;
  EXPECT_EQ(errors_of(check_hot_clocks(facts)), "");
  facts = good_facts();
  facts.inspection.source.nodes[0].clock = inspect::ClockOffset{-3'000'000, -2'999'000};
  EXPECT_EQ(errors_of(check_hot_clocks(facts)), "clock-ahead") << "the way back";
  facts.source_is_embedded = true;
  EXPECT_EQ(errors_of(check_hot_clocks(facts)), "") << "it is behind";
}

TEST(HotPreflight, TheHoldMustBeLongEnoughForRealServers) {
  auto request = good_request();
  request.max_write_hold = milliseconds(20'000);
  EXPECT_EQ(errors_of(check_hold(good_facts(), request)), "write-hold");
  auto facts = good_facts();
  facts.source_is_embedded = facts.target_is_embedded = true;
  EXPECT_EQ(errors_of(check_hold(facts, request)), "");
  request.max_write_hold = milliseconds(100);
  EXPECT_EQ(errors_of(check_hold(facts, request)), "write-hold");
}

TEST(HotPreflight, WhereTheTablesAreComparedUnderTheFenceTheHoldIsThatOfDeniedWrites) {
  auto request = good_request();
  request.max_write_hold = least_write_hold(false, FenceKind::kAll);
  EXPECT_EQ(errors_of(check_hold(good_facts(), request)), "");
  request.ships_in_batches = true;
  EXPECT_EQ(errors_of(check_hold(good_facts(), request)), "write-hold");
  request.max_write_hold = milliseconds(0);
  const auto findings = check_hold(good_facts(), request);
  EXPECT_EQ(errors_of(findings), "");
  EXPECT_THAT(find(findings, "write-hold")->what,
              HasSubstr("and for twice the time that the verification takes"));
}

// What a restart corrects, and nothing else.
TEST(HotPreflight, ARunThatWaitsForARestartMayBeginBeforeIt) {
  auto facts = good_facts();
  facts.source_metas[0].config->clusters.clear();
  facts.target_metas[0].config.reset();
  EXPECT_EQ(errors_of(facts), "duplication-config config-unknown");
  auto request = good_request();
  request.restart_within = milliseconds(60'000);
  auto findings = check_hot(facts, request);
  EXPECT_EQ(errors_of(findings), "");
  ASSERT_NE(find(findings, "duplication-config"), nullptr);
  EXPECT_EQ(find(findings, "duplication-config")->severity, Severity::kWarning);
  EXPECT_THAT(find(findings, "duplication-config")->next_step,
              AllOf(HasSubstr("the run waits for it"), HasSubstr("[pegasus.clusters]\n    B = ")));
  facts.inspection.target.info = facts.inspection.source.info;
  EXPECT_EQ(errors_of(check_hot(facts, request)), "target-exists");
}

TEST(HotPreflight, TheNameInTheGroupIsThatOfAllServers) {
  auto facts = good_facts();
  EXPECT_EQ(name_in_group(facts.inspection.source, facts.source_metas), "A");
  facts.source_metas[0].config->cluster_name = "X";
  EXPECT_EQ(name_in_group(facts.inspection.source, facts.source_metas), "");
}

// To another partition count, and ready for it.
HotRequest relay_request() {
  auto request = good_request();
  request.other = {.partitions = 4,
                   .relay = "RB",
                   .relay_back = "RA",
                   .relay_root = "/pegmove/relay",
                   .store = "disk"};
  request.replica_count = 3;
  return request;
}
HotFacts relay_facts() {
  auto facts = good_facts();
  for (auto* config : {&*facts.source_metas[0].config, &*facts.inspection.source.nodes[0].config}) {
    config->duplication_group["RB"] = 3;
    config->clusters = {{"RB", "10.0.3.1:36601"}};
  }
  for (auto* config : {&*facts.target_metas[0].config, &*facts.inspection.target.nodes[0].config}) {
    config->duplication_group["RA"] = 4;
    config->clusters = {{"RA", "10.0.3.1:36602"}};
  }
  return facts;
}

TEST(HotPreflight, AnotherPartitionCountNeedsARelay) {
  auto request = good_request();
  request.other.partitions = 1;
  EXPECT_EQ(errors_of(check_other_count(good_facts(), request)), "") << "as the source has";
  request.other.partitions = 4;
  const auto findings = check_other_count(good_facts(), request);
  EXPECT_EQ(errors_of(findings), "no-relay");
  EXPECT_THAT(findings.all[0].what, HasSubstr("4 partitions, and the source has 1"));
  EXPECT_THAT(findings.all[0].next_step,
              HasSubstr("pegmove relay --from a:34601 --to b:34601 --table t --zookeeper z:2181"));
  EXPECT_THAT(findings.all[0].next_step, HasSubstr("pegmove relay --from b:34601 --to a:34601"));
  request.other.partitions = 0;
  request.other.relay_back = "RA";
  EXPECT_EQ(errors_of(check_other_count(good_facts(), request)), "needs-relay");
}

TEST(HotPreflight, ARelayIsForAnotherCountAndHasAWayBack) {
  const auto error_with = [](auto change) {
    auto request = relay_request();
    change(request.other);
    return errors_of(check_other_count(relay_facts(), request));
  };
  EXPECT_EQ(error_with([](OtherCount&) {}), "");
  EXPECT_EQ(error_with([](OtherCount& other) { other.partitions = 1; }), "same-count");
  EXPECT_EQ(error_with([](OtherCount& other) { other.partitions = 0; }), "same-count");
  EXPECT_EQ(error_with([](OtherCount& other) { other.relay_back.clear(); }), "no-way-back");
  EXPECT_EQ(error_with([](OtherCount& other) { other.relay_back = "RB"; }), "one-relay");
  EXPECT_EQ(error_with([](OtherCount& other) { other.no_way_back = true; }), "two-ways");
  EXPECT_EQ(error_with([](OtherCount& other) { other.store.clear(); }), "no-store");
  EXPECT_EQ(error_with([](OtherCount& other) {
              other.relay_back.clear();
              other.no_way_back = true;
            }),
            "");
}

TEST(HotPreflight, WhatTheOlderRowsNeed) {
  auto facts = relay_facts();
  facts.store_error = Error(Code::kNotFound, "no [block_service.disk]");
  EXPECT_EQ(errors_of(check_other_count(facts, relay_request())), "store");
  auto request = relay_request();
  request.replica_count = 0;
  EXPECT_EQ(errors_of(check_other_count(relay_facts(), request)), "one-replica");
  facts = relay_facts();
  facts.target_is_embedded = true;
  EXPECT_EQ(errors_of(check_other_count(facts, request)), "");
}

TEST(HotPreflight, ARelayIsAClusterToTheOneThatShipsToIt) {
  EXPECT_EQ(errors_of(check_groups(relay_facts(), relay_request())), "");
  const auto findings = check_groups(good_facts(), relay_request());
  EXPECT_EQ(findings.count(Severity::kError), 4);
  EXPECT_THAT(findings.all[0].what, HasSubstr("no id of cluster RB"));
  EXPECT_THAT(findings.all[0].what, HasSubstr("no address of cluster RB"));
  EXPECT_THAT(findings.all[0].next_step,
              HasSubstr("A = 1\n    B = 2\n    RB = 3\n\n    [pegasus.clusters]\n    RB = "));
  // Without a way back the source gets nothing from the target, which ships nothing.
  auto request = relay_request();
  request.other.relay_back.clear();
  request.other.no_way_back = true;
  auto facts = relay_facts();
  for (auto* config : {&*facts.source_metas[0].config, &*facts.inspection.source.nodes[0].config})
    config->duplication_group.erase("B");
  for (auto* config : {&*facts.target_metas[0].config, &*facts.inspection.target.nodes[0].config}) {
    config->duplication_group.erase("RA");
    config->clusters.clear();
  }
  EXPECT_EQ(errors_of(check_groups(facts, request)), "");
}

}  // namespace
}  // namespace pegmove::migration::hot
