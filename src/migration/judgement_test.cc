#include "migration/judgement.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "wire/error_code.h"

namespace pegmove::migration {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr int64_t kSecond = 1'000'000;

auto is_finding(Severity severity, const std::string& kind, const std::string& says = "") {
  return AllOf(Field(&Finding::severity, severity), Field(&Finding::kind, kind),
               Field(&Finding::what, HasSubstr(says)));
}

SideFacts healthy_side(const std::string& cluster) {
  SideFacts side{.cluster = cluster, .table = "t"};
  side.info.emplace();
  side.info->app_id = 1;
  side.info->name = "t";
  side.info->partition_count = 2;
  side.info->replica_count = 1;
  side.partitions.assign(2, {.has_primary = true, .rows = Rows::kNone});
  ServerConfig config;
  config.cluster_name = cluster;
  side.nodes.push_back({.node = cluster + ":1",
                        .version = ServerVersion{2, 6, "2.6.0"},
                        .clock = ClockOffset{0, 1000},
                        .config = config,
                        .data_versions = {{0, 1}, {1, 1}},
                        .atomic_writes = 0});
  side.alive_nodes = 1;
  side.level = client::MetaLevel::kLively;
  side.duplications.emplace();
  return side;
}

// Two healthy clusters; each test spoils something.
class JudgementTest : public ::testing::Test {
 protected:
  JudgementTest() {
    facts.source = healthy_side("A");
    facts.target = healthy_side("B");
    facts.now_us = 1'700'000'000 * kSecond;
  }
  void remove_target() {
    facts.target.info.reset();
    facts.target.partitions.clear();
    facts.target.nodes[0].data_versions.clear();
    facts.target.duplications.reset();
  }
  void group_both() {
    for (auto* side : {&facts.source, &facts.target})
      side->nodes[0].config->duplication_group = {{"A", 1}, {"B", 2}};
  }
  // --live, with everything that it needs.
  void make_live() {
    group_both();
    facts.source.duplications->push_back({"B", "t", "DS_LOG"});
    options.live = true;
  }
  std::vector<Finding> findings() const { return judge(facts, options).findings.all; }
  int errors() const { return judge(facts, options).findings.count(Severity::kError); }
  void expect(Severity severity, const std::string& kind, const std::string& says = "") {
    EXPECT_THAT(findings(), Contains(is_finding(severity, kind, says)));
    if (severity != Severity::kError) EXPECT_EQ(errors(), 0);
  }
  void expect_error(const std::string& kind, const std::string& says = "") {
    expect(Severity::kError, kind, says);
    EXPECT_EQ(errors(), 1);
    for (const auto& finding : findings())
      if (finding.severity == Severity::kError && kind != "cluster-unreachable" &&
          kind != "authentication-demanded")
        EXPECT_NE(finding.next_step, "") << "the next step";
  }

  PreflightFacts facts;
  CopyOptions options{.table = "t", .to_table = "t"};
};

TEST_F(JudgementTest, HealthyClustersAreNoProblem) {
  for (const auto& finding : findings())
    EXPECT_EQ(finding.severity, Severity::kNote) << to_line(finding);
}

TEST_F(JudgementTest, BothClustersThatAreNotReachedAreTold) {
  facts.source = {.cluster = "A", .table = "t"};
  facts.target = {.cluster = "B", .table = "t"};
  facts.source.unreachable = Error(Code::kUnreachable, "no meta server answers");
  facts.target.unreachable = Error(Code::kUnauthenticated, "demands authentication");
  EXPECT_EQ(errors(), 2);
  EXPECT_THAT(findings(), Contains(is_finding(Severity::kError, "cluster-unreachable", "no meta")));
  EXPECT_THAT(findings(), Contains(is_finding(Severity::kError, "authentication-demanded")));
}

TEST_F(JudgementTest, EverythingIsToldAtOnce) {
  facts.source.info.reset();
  facts.source.partitions.clear();
  facts.target.partitions[0].rows = Rows::kSome;
  facts.target.partitions[1].has_primary = false;
  facts.target.info->envs["replica.deny_client_request"] = "reconfig*all";
  options.through = Through::kDuplicate;
  EXPECT_EQ(errors(), 5);
  auto error = to_error(findings());
  EXPECT_EQ(error.code(), Code::kNotFound);
  EXPECT_THAT(error.message(), AllOf(StartsWith("5 things stand in the way:\n"),
                                     HasSubstr("has rows"), HasSubstr("no primary")));
}

TEST_F(JudgementTest, ATargetThatIsMissingOrInTheWayIsTold) {
  options.create = true;
  expect_error("target-exists");
  remove_target();
  EXPECT_EQ(errors(), 0);
  options.create = false;
  expect_error("no-target-table");
}

TEST_F(JudgementTest, TheSourceItselfIsNoTarget) {
  facts.is_same_table = true;
  expect_error("same-table");
}

TEST_F(JudgementTest, ATargetWithRowsNeedsAWord) {
  facts.target.partitions[1].rows = Rows::kSome;
  expect_error("target-not-empty", "in 1 of 2 partitions");
  options.into_nonempty = true;
  expect(Severity::kNote, "target-not-empty", "overwritten");
}

TEST_F(JudgementTest, ATargetThatThisRunMadeIsGoneOnWith) {
  options.create = options.made_by_this_run = true;
  EXPECT_EQ(errors(), 0);
  facts.target.partitions[0].rows = Rows::kSome;
  expect_error("target-not-empty", "it has rows");  // of others: this run has written none yet
  facts.target.partitions[0].rows = Rows::kNone;
  options.partitions = 3;
  expect_error("target-exists", "it has 2 partitions");
}

TEST_F(JudgementTest, PartitionsThatDoNotServeAreListed) {
  facts.source.partitions[1].has_primary = false;
  expect_error("no-primary", "1 of 2 partitions have no primary: 1");
}

TEST_F(JudgementTest, PartitionsThatCannotBeReadAreListed) {
  facts.target.partitions[0].error = Error(Code::kTimeout, "did not answer in time");
  facts.target.partitions[0].rows = Rows::kUnknown;
  expect_error("no-reads", "did not answer in time");
}

TEST_F(JudgementTest, AccessControlIsToldApart) {
  facts.target.partitions[0].error = wire::to_error(wire::ErrorCode::kAclDeny, "GET_SCANNER");
  facts.target.partitions[0].rows = Rows::kUnknown;
  expect_error("access-denied");
}

TEST_F(JudgementTest, AccessControlThatReadsDoNotShowIsAWarning) {
  facts.target.nodes[0].config->enable_ranger_acl = true;
  expect(Severity::kWarning, "access-control", "Ranger");
  facts.target.nodes[0].config->enable_ranger_acl = false;
  facts.target.info->envs["replica_access_controller.allowed_users"] = "me";
  expect(Severity::kNote, "access-control", "replica_access_controller.allowed_users is set");
}

TEST_F(JudgementTest, DeniedRequestsAreErrorsWhereTheyAreNeeded) {
  auto& source = facts.source.info->envs["replica.deny_client_request"];
  auto& target = facts.target.info->envs["replica.deny_client_request"];
  source = "reconfig*write";
  EXPECT_EQ(errors(), 0);
  source = "timeout*read";
  expect_error("denied", "timeout*read denies reads");
  source = "";
  target = "reconfig*all";
  expect_error("denied", "denies writes");
  target = "timeout*read";
  expect(Severity::kWarning, "denied", "denies reads");
}

TEST_F(JudgementTest, ThrottlesAreToldWithWhatTheyLeave) {
  facts.source.info->envs["replica.read_throttling_by_size"] = "20M";
  facts.source.info->envs["replica.write_throttling"] = "1*reject*1";
  facts.target.info->envs["replica.write_throttling"] = "20K*delay*100,30K*reject*200";
  expect(Severity::kWarning, "throttled", "from 20.0 MiB/s on requests are refused");
  expect(Severity::kWarning, "throttled",
         "from 20,480 requests/s on each request waits 100 ms, from 30,720 requests/s on requests "
         "are refused");
  EXPECT_THAT(findings(), Not(Contains(is_finding(Severity::kWarning, "throttled", "1*reject*1"))));
}

TEST_F(JudgementTest, WhatChangesRowsOnTheTargetIsTold) {
  facts.target.info->envs = {{"default_ttl", "86400"},
                             {"user_specified_compaction", "{\"ops\":[]}"},
                             {"rocksdb.usage_scenario", "bulk_load"},
                             {"duplication.master_cluster", "X"}};
  expect(Severity::kWarning, "default-ttl", "default_ttl=86400");
  expect(Severity::kWarning, "compaction-rules");
  expect(Severity::kWarning, "no-compaction");
  expect(Severity::kNote, "duplication-follower", "from cluster X");
}

TEST_F(JudgementTest, ATableThatIsMadeGetsTheSourcesEnvsAndSaysSo) {
  remove_target();
  options.create = true;
  facts.source.info->envs = {{"default_ttl", "60"},
                             {"rocksdb.num_levels", "4"},
                             {"replica.write_throttling", "1*reject*1"},
                             {"replica_access_controller.allowed_users", "me"},
                             {"of.the.future", "x"}};
  expect(Severity::kNote, "env-carried", "is made with rocksdb.num_levels=4");
  expect(Severity::kNote, "env-carried", "gets default_ttl=60 when all rows are copied");
  expect(Severity::kNote, "env-left-out", "replica.write_throttling=1*reject*1");
  expect(Severity::kNote, "env-left-out", "of.the.future");
  expect(Severity::kWarning, "env-left-out", "nothing protects");
  EXPECT_THAT(findings(), Not(Contains(is_finding(Severity::kWarning, "default-ttl"))));
  EXPECT_THAT(findings(), Not(Contains(is_finding(Severity::kWarning, "throttled"))));
}

TEST_F(JudgementTest, AClusterThatMakesNoTablesIsTold) {
  remove_target();
  options.create = true;
  facts.target.level = client::MetaLevel::kFreezed;
  expect_error("meta-level", "fl_freezed");
  facts.target.level = client::MetaLevel::kSteady;
  facts.source.info->replica_count = 3;
  expect(Severity::kWarning, "too-few-servers", "the source has 3 replicas");
  facts.target.nodes[0].config->enable_acl = true;
  expect(Severity::kWarning, "access-control", "making a table may be refused");
}

TEST_F(JudgementTest, VersionsAreToldWithWhatTheyLack) {
  expect(Severity::kNote, "server-version", "2.6.0");
  facts.target.nodes[0].version = ServerVersion{2, 4, "2.4.0"};
  expect(Severity::kWarning, "server-version", "2.4.0, without /metrics");
  facts.target.nodes[0].version = ServerVersion{2, 0, "2.0.1"};
  expect(Severity::kWarning, "server-version", "2.0.1, without DUPLICATE");
  facts.target.nodes.push_back(facts.source.nodes[0]);
  expect(Severity::kNote, "mixed-versions", "2 versions");
}

TEST_F(JudgementTest, DataVersionsAreTold) {
  facts.source.nodes[0].data_versions = {{0, 0}, {1, 0}};
  expect(Severity::kNote, "data-version", "is 0");
  facts.source.nodes[0].data_versions[1] = 1;
  expect(Severity::kWarning, "data-version", "0 and 1");
  facts.source.nodes[0].data_versions.clear();
  expect(Severity::kWarning, "data-version", "not known");
  facts.source.nodes[0].data_versions[0] = 2;
  expect_error("data-version", "is 2");
}

TEST_F(JudgementTest, ServersThatDoNotAnswerAreTold) {
  facts.source.silent = {"the list of nodes: no answer"};
  facts.target.nodes[0].silent = {"GET /version: no whole reply in time"};
  expect(Severity::kWarning, "no-answer", "the list of nodes");
  expect(Severity::kWarning, "no-answer", "GET /version");
}

TEST_F(JudgementTest, ClocksTooFarApartAreAWarningAndForDuplicateAnError) {
  group_both();
  facts.target.nodes[0].clock = ClockOffset{-3600 * kSecond, -3599 * kSecond};
  expect(Severity::kWarning, "clock-skew", "behind");
  expect(Severity::kNote, "way", "as a client writes them, since the clock of replica server B:1");
  options.through = Through::kDuplicate;
  EXPECT_THAT(findings(), Contains(is_finding(Severity::kError, "clock-skew")));
  EXPECT_THAT(findings(), Contains(is_finding(Severity::kError, "duplicate-impossible")));
}

TEST_F(JudgementTest, TheWayIsToldWithItsReason) {
  expect(Severity::kNote, "way", "as a client writes them, since the target is in no");
  group_both();
  expect(Severity::kNote, "way", "alarms on lagging duplicated writes may go off");
  group_both();
  facts.target.nodes[0].config->duplication_group.clear();
  options.through = Through::kDuplicate;
  expect_error("duplicate-impossible", "in no [duplication-group]");
}

TEST_F(JudgementTest, LiveNeedsWritesThatReachBothTables) {
  make_live();
  facts.target.partitions[0].rows = Rows::kSome;  // of the duplication
  expect(Severity::kNote, "live-duplicated");
  expect(Severity::kNote, "live-limits", "rows that clients remove");
  auto& duplication = facts.source.duplications->front();
  duplication.status = "DS_PAUSE";
  expect_error("live-not-duplicated", "DS_PAUSE");
  duplication = {"B", "another", "DS_LOG"};
  expect_error("live-not-duplicated", "not duplicated to the target");
  facts.source.duplications.reset();
  expect_error("live-not-duplicated", "not known");
  options.dual_written = true;
  expect(Severity::kNote, "live-dual-written");
}

TEST_F(JudgementTest, LiveNeedsDuplicate) {
  make_live();
  facts.target.nodes[0].config->duplication_group.clear();
  expect_error("live-needs-duplicate", "in no [duplication-group]");
}

TEST_F(JudgementTest, LiveRefusesAtomicWrites) {
  make_live();
  facts.source.nodes[0].atomic_writes = 7;
  expect_error("live-atomic-writes", "7 INCR");
  facts.source.nodes[0].atomic_writes.reset();
  expect(Severity::kWarning, "live-atomic-writes", "not known");
  facts.source.nodes[0].atomic_writes = 0;
  facts.target.nodes[0].atomic_writes = 1;
  expect_error("live-atomic-writes");
}

TEST_F(JudgementTest, LiveRefusesATargetThatIsDuplicatedOnward) {
  make_live();
  facts.target.duplications.reset();
  expect(Severity::kWarning, "live-onward", "not known");
  facts.target.duplications.emplace({DuplicationInfo{"C", "t", "DS_LOG"}});
  expect_error("live-onward", "onward, to C");
}

TEST_F(JudgementTest, LiveRefusesDataVersion0AndATableToBeMade) {
  make_live();
  facts.target.nodes[0].data_versions = {{0, 0}, {1, 0}};
  expect_error("live-data-version");
  facts.target.nodes[0].data_versions = {{0, 1}, {1, 1}};
  remove_target();
  options.create = true;
  expect_error("live-create");
}

TEST(Findings, AreShownErrorsFirst) {
  Findings findings;
  findings.note("n", "a note", "here");
  findings.error(Code::kRefused, "e", "an error", "there", "mend it");
  findings.warning("w", "a warning", "");
  EXPECT_THAT(to_lines(findings.all), ElementsAre("error: an error (there); mend it",
                                                  "warning: a warning", "note: a note (here)"));
  auto json = to_json(findings.all);
  ASSERT_EQ(json.size(), 3);
  EXPECT_EQ(json[0].dump(), R"({"severity":"error","kind":"e","what":"an error",)"
                            R"("where":"there","next_step":"mend it"})");
  EXPECT_EQ(to_error(findings.all).message(), "an error (there); mend it");
}

}  // namespace
}  // namespace pegmove::migration
