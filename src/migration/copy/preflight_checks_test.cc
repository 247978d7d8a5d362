#include "migration/copy/preflight_checks.h"

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

auto is_finding(inspect::Severity severity, const std::string& kind, const std::string& says = "") {
  return AllOf(Field(&inspect::Finding::severity, severity), Field(&inspect::Finding::kind, kind),
               Field(&inspect::Finding::what, HasSubstr(says)));
}

inspect::SideFacts healthy_side(const std::string& cluster) {
  inspect::SideFacts side{.cluster = cluster, .table = "t"};
  side.info.emplace();
  side.info->app_id = 1;
  side.info->name = "t";
  side.info->partition_count = 2;
  side.info->replica_count = 1;
  side.partitions.assign(2, {.has_primary = true, .rows = inspect::Rows::kNone});
  inspect::ServerConfig config;
  config.cluster_name = cluster;
  side.nodes.push_back({.node = cluster + ":1",
                        .version = inspect::ServerVersion{2, 6, "2.6.0"},
                        .clock = inspect::ClockOffset{0, 1000},
                        .config = config,
                        .data_versions = {{0, 1}, {1, 1}},
                        .atomic_writes = 0});
  side.alive_nodes = 1;
  side.level = client::MetaLevel::kLively;
  side.duplications.emplace();
  return side;
}

// Two healthy clusters; each test spoils something.
class PreflightChecksTest : public ::testing::Test {
 protected:
  PreflightChecksTest() {
    inspection.source = healthy_side("A");
    inspection.target = healthy_side("B");
    inspection.now_us = 1'700'000'000 * kSecond;
  }
  void remove_target() {
    inspection.target.info.reset();
    inspection.target.partitions.clear();
    inspection.target.nodes[0].data_versions.clear();
    inspection.target.duplications.reset();
  }
  void group_both() {
    for (auto* side : {&inspection.source, &inspection.target})
      side->nodes[0].config->duplication_group = {{"A", 1}, {"B", 2}};
  }
  // --live, with everything that it needs.
  void make_live() {
    group_both();
    inspection.source.duplications->push_back({"B", "t", "DS_LOG"});
    options.live = true;
  }
  std::vector<inspect::Finding> findings() const {
    return check_copy(inspection, options).findings.all;
  }
  int errors() const {
    return check_copy(inspection, options).findings.count(inspect::Severity::kError);
  }
  // The only error, if it is one; otherwise there is none.
  void expect(inspect::Severity severity, const std::string& kind, const std::string& says = "") {
    EXPECT_THAT(findings(), Contains(is_finding(severity, kind, says)));
    EXPECT_EQ(errors(), severity == inspect::Severity::kError ? 1 : 0);
  }
  void expect_error(const std::string& kind, const std::string& says = "") {
    expect(inspect::Severity::kError, kind, says);
    const bool names_it_itself = kind == "cluster-unreachable" || kind == "authentication-demanded";
    for (const auto& finding : findings())
      EXPECT_TRUE(finding.severity != inspect::Severity::kError || names_it_itself ||
                  !finding.next_step.empty())
          << "the next step";
  }

  inspect::Inspection inspection;
  CopyOptions options{.table = "t", .to_table = "t"};
};

TEST_F(PreflightChecksTest, HealthyClustersAreNoProblem) {
  for (const auto& finding : findings())
    EXPECT_EQ(finding.severity, inspect::Severity::kNote) << to_line(finding);
}

TEST_F(PreflightChecksTest, BothClustersThatAreNotReachedAreTold) {
  inspection.source = {.cluster = "A", .table = "t"};
  inspection.target = {.cluster = "B", .table = "t"};
  inspection.source.unreachable = Error(Code::kUnreachable, "no meta server answers");
  inspection.target.unreachable = Error(Code::kUnauthenticated, "demands authentication");
  EXPECT_EQ(errors(), 2);
  EXPECT_THAT(findings(),
              Contains(is_finding(inspect::Severity::kError, "cluster-unreachable", "no meta")));
  EXPECT_THAT(findings(),
              Contains(is_finding(inspect::Severity::kError, "authentication-demanded")));
}

TEST_F(PreflightChecksTest, EverythingIsToldAtOnce) {
  inspection.source.info.reset();
  inspection.source.partitions.clear();
  inspection.target.partitions[0].rows = inspect::Rows::kSome;
  inspection.target.partitions[1].has_primary = false;
  inspection.target.info->envs["replica.deny_client_request"] = "reconfig*all";
  options.through = Through::kDuplicate;
  EXPECT_EQ(errors(), 5);
  auto error = inspect::to_error(findings());
  EXPECT_EQ(error.code(), Code::kNotFound);
  EXPECT_THAT(error.message(), AllOf(StartsWith("5 problems were found:\n"), HasSubstr("has rows"),
                                     HasSubstr("no primary")));
}

TEST_F(PreflightChecksTest, ATargetThatIsMissingOrInTheWayIsTold) {
  options.create = true;
  expect_error("target-exists");
  remove_target();
  EXPECT_EQ(errors(), 0);
  options.create = false;
  expect_error("no-target-table");
}

TEST_F(PreflightChecksTest, TheSourceItselfIsNoTarget) {
  inspection.is_same_table = true;
  expect_error("same-table");
}

TEST_F(PreflightChecksTest, ATargetWithRowsNeedsAWord) {
  inspection.target.partitions[1].rows = inspect::Rows::kSome;
  expect_error("target-not-empty", "in 1 of 2 partitions");
  options.into_nonempty = true;
  expect(inspect::Severity::kNote, "target-not-empty", "overwritten");
}

TEST_F(PreflightChecksTest, ATargetThatThisRunMadeIsGoneOnWith) {
  options.create = options.made_by_this_run = true;
  EXPECT_EQ(errors(), 0);
  inspection.target.partitions[0].rows = inspect::Rows::kSome;
  expect_error("target-not-empty", "it has rows");  // of others: this run has written none yet
  inspection.target.partitions[0].rows = inspect::Rows::kNone;
  options.partitions = 3;
  expect_error("target-exists", "it has 2 partitions");
}

TEST_F(PreflightChecksTest, PartitionsThatDoNotServeAreListed) {
  inspection.source.partitions[1].has_primary = false;
  expect_error("no-primary", "1 of 2 partitions have no primary: 1");
}

TEST_F(PreflightChecksTest, PartitionsThatCannotBeReadAreListed) {
  inspection.target.partitions[0].error = Error(Code::kTimeout, "did not answer in time");
  inspection.target.partitions[0].rows = inspect::Rows::kUnknown;
  expect_error("no-reads", "did not answer in time");
}

TEST_F(PreflightChecksTest, ForeignRowsOfASampleAreAWarning) {
  inspection.source.partitions[0].sampled = 100;
  inspection.source.partitions[1].sampled = 60;
  EXPECT_EQ(check_copy(inspection, options).findings.count(inspect::Severity::kWarning), 0);
  inspection.source.partitions[1].foreign = 7;
  expect(inspect::Severity::kWarning, "foreign-rows", "of the first 160 rows of all partitions, 7");
}

// Real servers tell partitions by a mask of bits: the env would refuse requests of a table with
// another count.
TEST_F(PreflightChecksTest, TheEnvThatHidesForeignRowsIsNamedForPowersOfTwo) {
  auto& side = inspection.source;
  side.partitions[1].foreign = 1;
  EXPECT_THAT(findings(), Contains(Field(&inspect::Finding::next_step,
                                         HasSubstr("replica.split.validate_partition_hash"))));
  side.partitions.push_back({.has_primary = true});
  side.info->partition_count = 3;
  EXPECT_THAT(findings(), Not(Contains(Field(&inspect::Finding::next_step,
                                             HasSubstr("replica.split.validate_partition_hash")))));
}

TEST_F(PreflightChecksTest, ATableThatIsBeingSplitIsRefused) {
  inspection.source.is_being_split = true;
  inspection.source.partitions[1].has_primary = false;  // not yet
  expect_error("being-split", "being split");
}

TEST_F(PreflightChecksTest, AccessControlIsToldApart) {
  inspection.target.partitions[0].error = wire::to_error(wire::ErrorCode::kAclDeny, "GET_SCANNER");
  inspection.target.partitions[0].rows = inspect::Rows::kUnknown;
  expect_error("access-denied");
}

TEST_F(PreflightChecksTest, AccessControlThatReadsDoNotShowIsAWarning) {
  inspection.target.nodes[0].config->enable_ranger_acl = true;
  expect(inspect::Severity::kWarning, "access-control", "Ranger");
  inspection.target.nodes[0].config->enable_ranger_acl = false;
  inspection.target.info->envs["replica_access_controller.allowed_users"] = "me";
  expect(inspect::Severity::kNote, "access-control",
         "replica_access_controller.allowed_users is set");
}

TEST_F(PreflightChecksTest, DeniedRequestsAreErrorsWhereTheyAreNeeded) {
  auto& source = inspection.source.info->envs["replica.deny_client_request"];
  auto& target = inspection.target.info->envs["replica.deny_client_request"];
  source = "reconfig*write";
  EXPECT_EQ(errors(), 0);
  source = "timeout*read";
  expect_error("denied", "timeout*read denies reads");
  source = "";
  target = "reconfig*all";
  expect_error("denied", "denies writes");
  target = "timeout*read";
  expect(inspect::Severity::kWarning, "denied", "denies reads");
}

TEST_F(PreflightChecksTest, ThrottlesAreToldWithWhatTheyLeave) {
  inspection.source.info->envs["replica.read_throttling_by_size"] = "20M";
  inspection.source.info->envs["replica.write_throttling"] = "1*reject*1";
  inspection.target.info->envs["replica.write_throttling"] = "20K*delay*100,30K*reject*200";
  expect(inspect::Severity::kWarning, "throttled", "from 20.0 MiB/s on requests are refused");
  expect(inspect::Severity::kWarning, "throttled",
         "from 20,480 requests/s on each request waits 100 ms, from 30,720 requests/s on requests "
         "are refused");
  EXPECT_THAT(findings(),
              Not(Contains(is_finding(inspect::Severity::kWarning, "throttled", "1*reject*1"))));
}

TEST_F(PreflightChecksTest, WhatChangesRowsOnTheTargetIsTold) {
  inspection.target.info->envs = {{"default_ttl", "86400"},
                                  {"user_specified_compaction", "{\"ops\":[]}"},
                                  {"rocksdb.usage_scenario", "bulk_load"},
                                  {"duplication.master_cluster", "X"}};
  expect(inspect::Severity::kWarning, "default-ttl", "default_ttl=86400");
  expect(inspect::Severity::kWarning, "compaction-rules");
  expect(inspect::Severity::kWarning, "no-compaction");
  expect(inspect::Severity::kNote, "duplication-follower", "from cluster X");
}

TEST_F(PreflightChecksTest, ATableThatIsMadeGetsTheSourcesEnvsAndSaysSo) {
  remove_target();
  options.create = true;
  inspection.source.info->envs = {{"default_ttl", "60"},
                                  {"rocksdb.num_levels", "4"},
                                  {"replica.write_throttling", "1*reject*1"},
                                  {"replica_access_controller.allowed_users", "me"},
                                  {"of.the.future", "x"}};
  expect(inspect::Severity::kNote, "env-carried", "is created with rocksdb.num_levels=4");
  expect(inspect::Severity::kNote, "env-carried", "gets default_ttl=60 after all rows are copied");
  expect(inspect::Severity::kNote, "env-left-out", "replica.write_throttling=1*reject*1");
  expect(inspect::Severity::kNote, "env-left-out", "of.the.future");
  expect(inspect::Severity::kWarning, "env-left-out", "nothing protects");
  EXPECT_THAT(findings(), Not(Contains(is_finding(inspect::Severity::kWarning, "default-ttl"))));
  EXPECT_THAT(findings(), Not(Contains(is_finding(inspect::Severity::kWarning, "throttled"))));
}

TEST_F(PreflightChecksTest, AClusterThatMakesNoTablesIsTold) {
  remove_target();
  options.create = true;
  inspection.target.level = client::MetaLevel::kFreezed;
  expect_error("meta-level", "fl_freezed");
  inspection.target.level = client::MetaLevel::kSteady;
  inspection.source.info->replica_count = 3;
  expect_error("too-few-servers", "the source has 3 replicas");
  inspection.target.alive_nodes = 3;
  inspection.target.nodes[0].config->enable_acl = true;
  expect(inspect::Severity::kWarning, "access-control", "the creation of a table may be refused");
}

TEST_F(PreflightChecksTest, VersionsAreOneNote) {
  const auto note = [this] {
    std::vector<std::string> notes;
    for (const auto& finding : findings())
      if (finding.severity == inspect::Severity::kNote && finding.kind == "server-version")
        notes.push_back(to_line(finding));
    return notes;
  };
  EXPECT_THAT(note(), ElementsAre("note: the servers of clusters A and B are Pegasus 2.6.0"));
  inspection.target.nodes[0].version = inspect::ServerVersion{2, 4, "2.4.0"};
  inspection.target.nodes.push_back(inspection.source.nodes[0]);
  EXPECT_THAT(note(), ElementsAre("note: the servers of cluster A are Pegasus 2.6.0, those of "
                                  "cluster B are Pegasus 2.4.0 and 2.6.0 (2 different versions)"));
  inspection.target = inspection.source;
  EXPECT_THAT(note(), ElementsAre("note: the servers of cluster A are Pegasus 2.6.0"));
  inspection.source.nodes.clear();
  inspection.target.nodes.clear();
  EXPECT_THAT(note(), ElementsAre());
}

TEST_F(PreflightChecksTest, ANewTablesNameMustBeValid) {
  remove_target();
  options.create = true;
  options.to_table = "a/b";
  expect_error("table-name", "Only 0-9a-zA-Z.:_ are valid");
  options.create = false;
  EXPECT_THAT(findings(), Not(Contains(is_finding(inspect::Severity::kError, "table-name"))));
}

TEST_F(PreflightChecksTest, ATableThatExistsMayHaveAnyName) {
  options.create = true;
  options.to_table = "a-b";
  EXPECT_THAT(findings(), Not(Contains(is_finding(inspect::Severity::kError, "table-name"))));
}

TEST_F(PreflightChecksTest, OldVersionsAreToldWithWhatTheyLack) {
  inspection.target.nodes[0].version = inspect::ServerVersion{2, 4, "2.4.0"};
  expect(inspect::Severity::kWarning, "server-version", "2.4.0, without /metrics");
  inspection.target.nodes[0].version = inspect::ServerVersion{2, 0, "2.0.1"};
  expect(inspect::Severity::kWarning, "server-version", "2.0.1, without DUPLICATE");
  inspection.target.nodes.push_back(inspection.source.nodes[0]);
  expect(inspect::Severity::kNote, "server-version", "2 different versions");
}

TEST_F(PreflightChecksTest, DataVersionsAreTold) {
  inspection.source.nodes[0].data_versions = {{0, 0}, {1, 0}};
  expect(inspect::Severity::kNote, "data-version", "is 0");
  inspection.source.nodes[0].data_versions[1] = 1;
  expect(inspect::Severity::kWarning, "data-version", "0 and 1");
  inspection.source.nodes[0].data_versions.clear();
  expect(inspect::Severity::kWarning, "data-version", "not known");
  inspection.source.nodes[0].data_versions[0] = 2;
  expect_error("data-version", "is 2");
}

TEST_F(PreflightChecksTest, ServersThatDoNotAnswerAreTold) {
  inspection.source.silent = {"the list of nodes: no answer"};
  inspection.target.nodes[0].silent = {"GET /version: no whole reply in time"};
  expect(inspect::Severity::kWarning, "no-answer", "the list of nodes");
  expect(inspect::Severity::kWarning, "no-answer", "GET /version");
}

TEST_F(PreflightChecksTest, ClocksTooFarApartAreAWarningAndForDuplicateAnError) {
  group_both();
  inspection.target.nodes[0].clock = inspect::ClockOffset{-3600 * kSecond, -3599 * kSecond};
  expect(inspect::Severity::kWarning, "clock-skew", "behind");
  expect(inspect::Severity::kNote, "way",
         "as a client writes them, since the clock of replica server B:1");
  options.through = Through::kDuplicate;
  EXPECT_THAT(findings(), Contains(is_finding(inspect::Severity::kError, "clock-skew")));
  EXPECT_THAT(findings(), Contains(is_finding(inspect::Severity::kError, "duplicate-impossible")));
}

TEST_F(PreflightChecksTest, TheWayIsToldWithItsReason) {
  expect(inspect::Severity::kNote, "way", "as a client writes them, since the target is in no");
  group_both();
  expect(inspect::Severity::kNote, "way", "alarms on lagging duplicated writes may be triggered");
  group_both();
  inspection.target.nodes[0].config->duplication_group.clear();
  options.through = Through::kDuplicate;
  expect_error("duplicate-impossible", "in no [duplication-group]");
}

TEST_F(PreflightChecksTest, LiveNeedsWritesThatReachBothTables) {
  make_live();
  inspection.target.partitions[0].rows = inspect::Rows::kSome;  // of the duplication
  expect(inspect::Severity::kNote, "live-duplicated");
  expect(inspect::Severity::kNote, "live-limits", "rows that clients remove");
  auto& duplication = inspection.source.duplications->front();
  duplication.status = "DS_PAUSE";
  expect_error("live-not-duplicated", "DS_PAUSE");
  duplication = {"B", "another", "DS_LOG"};
  expect_error("live-not-duplicated", "not duplicated to the target");
  inspection.source.duplications.reset();
  expect_error("live-not-duplicated", "not known");
  options.dual_written = true;
  expect(inspect::Severity::kNote, "live-dual-written");
}

TEST_F(PreflightChecksTest, LiveNeedsDuplicate) {
  make_live();
  inspection.target.nodes[0].config->duplication_group.clear();
  expect_error("live-needs-duplicate", "in no [duplication-group]");
}

TEST_F(PreflightChecksTest, LiveRefusesAtomicWrites) {
  make_live();
  inspection.source.nodes[0].atomic_writes = 7;
  expect_error("live-atomic-writes", "7 INCR");
  inspection.source.nodes[0].atomic_writes.reset();
  expect(inspect::Severity::kWarning, "live-atomic-writes", "not known");
  inspection.source.nodes[0].atomic_writes = 0;
  inspection.target.nodes[0].atomic_writes = 1;
  expect_error("live-atomic-writes");
}

TEST_F(PreflightChecksTest, LiveRefusesATargetThatIsDuplicatedOnward) {
  make_live();
  inspection.target.duplications.reset();
  expect(inspect::Severity::kWarning, "live-onward", "not known");
  inspection.target.duplications.emplace({inspect::DuplicationInfo{"C", "t", "DS_LOG"}});
  expect_error("live-onward", "duplicated to cluster C");
}

TEST_F(PreflightChecksTest, LiveRefusesDataVersion0AndATableToBeMade) {
  make_live();
  inspection.target.nodes[0].data_versions = {{0, 0}, {1, 0}};
  expect_error("live-data-version");
  inspection.target.nodes[0].data_versions = {{0, 1}, {1, 1}};
  remove_target();
  options.create = true;
  expect_error("live-create");
}

}  // namespace
}  // namespace pegmove::migration
