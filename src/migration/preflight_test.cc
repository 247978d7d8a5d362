#include "migration/preflight.h"

#include <gmock/gmock.h>

#include "migration/prepare_copy.h"
#include "migration/probes.h"
#include "record/expiry.h"
#include "testing/random_table.h"
#include "testing/two_clusters.h"

namespace pegmove::migration {
namespace {

using async::milliseconds;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using testing::Model;
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
  Side source() { return {"A", clusters->source}; }
  Side target() { return {"B", clusters->target}; }
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

std::vector<std::string> kinds_of(const Preflight& preflight, Severity severity) {
  std::vector<std::string> kinds;
  for (const auto& finding : preflight.judgement.findings.all)
    if (finding.severity == severity) kinds.push_back(finding.kind);
  return kinds;
}

TEST_F(PreflightTest, LearnsFromServersWhatTheyTell) {
  make(kGroup);
  auto table = make_table(clusters->source, 4);
  put_row(table);
  clusters->must(table->incr("h", "counter", 5, client::kNeverExpires, clusters->deadline()));
  auto preflight = look({.table = "t", .create = true});
  EXPECT_TRUE(preflight.can_begin());
  const auto& side = preflight.facts.source;
  ASSERT_EQ(side.nodes.size(), 2);
  EXPECT_EQ(side.alive_nodes, 2);
  int64_t atomic_writes = 0;
  size_t data_versions = 0;
  for (const auto& node : side.nodes) {
    EXPECT_THAT(node.silent, ::testing::IsEmpty());
    ASSERT_TRUE(node.version && node.clock && node.config && node.atomic_writes);
    EXPECT_TRUE(node.version->is_at_least(2, 6));
    EXPECT_EQ(node.config->cluster_name, "A");
    EXPECT_EQ(node.config->own_id(), 1);
    atomic_writes += *node.atomic_writes;
    data_versions += node.data_versions.size();
    for (const auto& [index, version] : node.data_versions) EXPECT_EQ(version, 1);
  }
  EXPECT_EQ(atomic_writes, 1);
  EXPECT_EQ(data_versions, 4);
  ASSERT_TRUE(side.duplications);
  EXPECT_TRUE(side.duplications->empty());
  EXPECT_EQ(side.level, client::MetaLevel::kLively);
  int with_rows = 0;
  for (const auto& partition : side.partitions) with_rows += partition.rows == Rows::kSome;
  EXPECT_EQ(with_rows, 1);
}

TEST_F(PreflightTest, MeasuresHowFarClocksAreApart) {
  make(kGroup);
  make_table(clusters->source, 2);
  clusters->target_time.advance(milliseconds(3'600'000));
  auto preflight = look({.table = "t", .create = true, .through = Through::kDuplicate});
  for (const auto& node : preflight.facts.target.nodes) {
    ASSERT_TRUE(node.clock);
    auto apart = clusters->target_time.unix_us() - clusters->source_time.unix_us();
    EXPECT_LE(node.clock->low_us, apart);
    EXPECT_GE(node.clock->high_us, apart);
  }
  EXPECT_THAT(kinds_of(preflight, Severity::kError), Contains("clock-skew"));
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
      kinds_of(preflight, Severity::kError),
      ::testing::UnorderedElementsAre("target-not-empty", "denied", "duplicate-impossible"));
  EXPECT_THAT(kinds_of(preflight, Severity::kWarning), Contains("throttled"));
  EXPECT_THAT(kinds_of(preflight, Severity::kWarning), Contains("default-ttl"));
}

TEST_F(PreflightTest, AClusterThatIsGoneIsAFindingBesideOthers) {
  make();
  make_table(clusters->source, 2);
  clusters->target_servers.stop();
  auto preflight = look({.table = "nothing", .timeout = milliseconds(500)});
  EXPECT_THAT(kinds_of(preflight, Severity::kError),
              ::testing::UnorderedElementsAre("no-source-table", "cluster-unreachable"));
}

TEST_F(PreflightTest, AServerThatDoesNotAnswerIsAFinding) {
  make();
  NodeFacts facts;
  auto port = testing::find_free_port();
  clusters->run([](client::Client& client, uint16_t port, NodeFacts& facts) -> Routine<bool> {
    co_await probe_node(client, {"127.0.0.1", port}, 1, milliseconds(500), facts);  // no result
    co_return true;
  }(clusters->source->client(), port, facts));
  EXPECT_EQ(facts.silent.size(), 1) << "it is not asked again and again";
  EXPECT_THAT(facts.silent, Contains(HasSubstr("GET /metrics")));
  EXPECT_FALSE(facts.version || facts.clock || facts.config);
}

TEST_F(PreflightTest, ServersAreOlderThanAReleaseOrNot) {
  make();
  const auto older_than = [&](int major, int minor) {
    return clusters->must(find_older_server(*clusters->source, major, minor, milliseconds(10'000)))
        .value_or("none");
  };
  EXPECT_EQ(older_than(2, 5), "none");
  EXPECT_THAT(older_than(2, 99), HasSubstr(" runs 2."));
  EXPECT_THAT(older_than(3, 0), HasSubstr("replica server 127.0.0.1:"));
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
  put_row(target);  // of others: a run that has not told which tables it has writes none
  EXPECT_FALSE(prepare(options));
}

TEST_F(PreflightTest, AFrozenClusterMakesNoTable) {
  make();
  make_table(clusters->source, 2);
  clusters->must(
      clusters->target->set_meta_level(client::MetaLevel::kFreezed, clusters->deadline()));
  EXPECT_THAT(kinds_of(look({.table = "t", .create = true}), Severity::kError),
              Contains("meta-level"));
}

}  // namespace
}  // namespace pegmove::migration
