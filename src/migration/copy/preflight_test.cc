#include "migration/copy/preflight.h"

#include <gmock/gmock.h>

#include "migration/copy/prepare_copy.h"
#include "record/expiry.h"
#include "testing/two_clusters.h"

namespace pegmove::migration {
namespace {

using async::milliseconds;
using ::testing::Contains;
using testing::TestClusterOptions;
using testing::TwoClusters;

const std::map<std::string, uint8_t> kGroup{{"A", 1}, {"B", 2}};

class PreflightTest : public ::testing::Test {
 protected:
  void make(std::map<std::string, uint8_t> group = {}) {
    clusters = std::make_unique<TwoClusters>(
        TestClusterOptions{.name = "A", .replica_servers = 2, .duplication_group = group},
        TestClusterOptions{.name = "B", .replica_servers = 2, .duplication_group = group});
  }
  inspect::Side source() { return {"A", clusters->source}; }
  inspect::Side target() { return {"B", clusters->target}; }
  Preflight look(CopyOptions options) {
    return clusters->run(look_before_copy(source(), target(), std::move(options)));
  }
  Result<PreparedCopy> prepare(CopyOptions options) {
    return clusters->run(prepare_copy(clusters->source, clusters->target, std::move(options)));
  }
  std::shared_ptr<client::Table> make_table(const std::shared_ptr<client::Cluster>& cluster,
                                            int partitions) {
    return clusters->create_table(cluster, "t", partitions);
  }
  void set_envs(const std::shared_ptr<client::Cluster>& cluster, EnvMap envs) {
    clusters->must(cluster->set_envs("t", std::move(envs), clusters->deadline()));
  }
  EnvMap envs_of_target() {
    return clusters->must(clusters->target->table_info("t", clusters->deadline())).envs;
  }
  void put_row(const std::shared_ptr<client::Table>& table) {
    clusters->must(table->set("h", "s", "v", 0, clusters->deadline()));
  }

  std::unique_ptr<TwoClusters> clusters;
};

std::vector<std::string> kinds_of(const Preflight& preflight, inspect::Severity severity) {
  std::vector<std::string> kinds;
  for (const auto& finding : preflight.result.findings.all)
    if (finding.severity == severity) kinds.push_back(finding.kind);
  return kinds;
}

TEST_F(PreflightTest, MeasuresHowFarClocksAreApart) {
  make(kGroup);
  make_table(clusters->source, 2);
  clusters->target_time.advance(milliseconds(3'600'000));
  auto preflight = look({.table = "t", .create = true, .through = Through::kDuplicate});
  for (const auto& node : preflight.inspection.target.nodes) {
    ASSERT_TRUE(node.clock);
    auto apart = clusters->target_time.unix_us() - clusters->source_time.unix_us();
    EXPECT_LE(node.clock->low_us, apart);
    EXPECT_GE(node.clock->high_us, apart);
  }
  EXPECT_THAT(kinds_of(preflight, inspect::Severity::kError), Contains("clock-skew"));
}

TEST_F(PreflightTest, WritesNothing) {
  make(kGroup);
  make_table(clusters->source, 2);
  make_table(clusters->target, 3);
  look({.table = "t"});
  look({.table = "t", .to_table = "u", .create = true});
  EXPECT_EQ(
      clusters->must(clusters->target->tables(client::ListedTables::kAll, clusters->deadline()))
          .size(),
      1);
  EXPECT_TRUE(envs_of_target().empty());
  auto table = clusters->open_table(clusters->target, "t");
  auto written = clusters->must(table->set("h", "s", "v", 0, clusters->deadline()));
  EXPECT_EQ(written.decree, 1) << "every write takes a decree";
}

TEST_F(PreflightTest, FindsSeveralThingsAtOnce) {
  make();
  make_table(clusters->source, 2);
  put_row(make_table(clusters->target, 2));
  set_envs(clusters->source, {{"replica.deny_client_request", "reconfig*read"}});
  set_envs(clusters->target, {{"replica.write_throttling", "100*reject*1"}, {"default_ttl", "5"}});
  auto preflight = look({.table = "t", .through = Through::kDuplicate});
  EXPECT_THAT(
      kinds_of(preflight, inspect::Severity::kError),
      ::testing::UnorderedElementsAre("target-not-empty", "denied", "duplicate-impossible"));
  EXPECT_THAT(kinds_of(preflight, inspect::Severity::kWarning), Contains("throttled"));
  EXPECT_THAT(kinds_of(preflight, inspect::Severity::kWarning), Contains("default-ttl"));
}

TEST_F(PreflightTest, AClusterThatIsGoneIsAFindingBesideOthers) {
  make();
  make_table(clusters->source, 2);
  clusters->target_servers.stop();
  auto preflight = look({.table = "nothing", .timeout = milliseconds(500)});
  EXPECT_THAT(kinds_of(preflight, inspect::Severity::kError),
              ::testing::UnorderedElementsAre("no-source-table", "cluster-unreachable"));
}

TEST_F(PreflightTest, ExpiredRowsAreNone) {
  make();
  make_table(clusters->source, 2);
  auto target = make_table(clusters->target, 2);
  auto expired = record::pegasus_seconds(clusters->target_time.unix_seconds()) - 10;
  for (int i = 0; i < 50; ++i)
    clusters->must(target->set("h" + std::to_string(i), "s", "v", expired, clusters->deadline()));
  EXPECT_TRUE(look({.table = "t"}).can_begin());
}

TEST_F(PreflightTest, DuplicateIsChosenInAGroupAndPlainElsewhere) {
  make(kGroup);
  make_table(clusters->source, 2);
  make_table(clusters->target, 2);
  auto copy = prepare({.table = "t"});
  ASSERT_TRUE(copy) << copy.error().to_string();
  ASSERT_TRUE(copy->options.duplicate);
  EXPECT_EQ(copy->options.duplicate->cluster_id, 1);
  EXPECT_FALSE(copy->options.duplicate->verify_timetag);
  auto plain = prepare({.table = "t", .through = Through::kPlain});
  ASSERT_TRUE(plain) << plain.error().to_string();
  EXPECT_FALSE(plain->options.duplicate);
  make();
  make_table(clusters->source, 2);
  make_table(clusters->target, 2);
  auto ungrouped = prepare({.table = "t"});
  ASSERT_TRUE(ungrouped) << ungrouped.error().to_string();
  EXPECT_FALSE(ungrouped->options.duplicate);
}

TEST_F(PreflightTest, CreatesTheTargetWithTheEnvsOfTheSource) {
  make();
  make_table(clusters->source, 2);
  set_envs(clusters->source, {{"default_ttl", "1000"},
                              {"business.info", "x"},
                              {"replica.write_throttling", "100*reject*1"},
                              {"rocksdb.write_buffer_size", "33554432"}});
  auto copy = prepare({.table = "t", .create = true, .partitions = 5});
  ASSERT_TRUE(copy) << copy.error().to_string();
  EXPECT_EQ(copy->target->partition_count(), 5);
  EnvMap wanted{{"business.info", "x"}, {"rocksdb.write_buffer_size", "33554432"}};
  EXPECT_EQ(envs_of_target(), wanted) << "rows would get an expiry while they are copied";
  ASSERT_TRUE(
      clusters->run(finish_target(*copy->target, envs_after_copy(*copy), milliseconds(10'000))));
  wanted["default_ttl"] = "1000";
  EXPECT_EQ(envs_of_target(), wanted);
}

TEST_F(PreflightTest, ATargetThatThisRunBeganToMakeIsFinished) {
  make();
  make_table(clusters->source, 2);
  set_envs(clusters->source, {{"default_ttl", "1000"}, {"business.info", "x"}});
  auto target = make_table(clusters->target, 2);  // and then it was killed
  CopyOptions options{.table = "t", .create = true};
  auto refused = prepare(options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kAlreadyExists);
  EXPECT_TRUE(envs_of_target().empty());
  options.made_by_this_run = true;
  for (int times = 0; times < 2; ++times) {
    auto copy = prepare(options);
    ASSERT_TRUE(copy) << copy.error().to_string();
    EXPECT_EQ(envs_of_target(), (EnvMap{{"business.info", "x"}}));
    EXPECT_EQ(envs_after_copy(*copy), (EnvMap{{"default_ttl", "1000"}}));
  }
  put_row(target);  // not its own: a run that has not stored its tables has written no row
  EXPECT_FALSE(prepare(options));
}

TEST_F(PreflightTest, AFrozenClusterMakesNoTable) {
  make();
  make_table(clusters->source, 2);
  clusters->must(
      clusters->target->set_meta_level(client::MetaLevel::kFreezed, clusters->deadline()));
  EXPECT_THAT(kinds_of(look({.table = "t", .create = true}), inspect::Severity::kError),
              Contains("meta-level"));
}

}  // namespace
}  // namespace pegmove::migration
