#include "migration/hot/behind_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "migration/hot/duplicate.h"
#include "testing/two_clusters.h"

namespace pegmove::migration::hot {
namespace {

using pegmove::testing::TwoClusters;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

TEST(QueryAppEnvs, TellsWhatTheStorageOfEachReplicaActsOn) {
  // As Apache Pegasus 2.6.0-SNAPSHOT answers.
  const auto envs = parse_query_app_envs(
      "3 processed, 1 not found\n"
      "    1.0@localhost:36801@P : "
      "rocksdb.num_levels=6,rocksdb.usage_scenario=normal,rocksdb.write_buffer_size=67108864\n"
      "    1.1@localhost:36801@S : rocksdb.usage_scenario=bulk_load\n"
      "    1.7@localhost:36801 : not found",
      1);
  ASSERT_TRUE(envs) << envs.error().to_string();
  EXPECT_THAT(*envs,
              UnorderedElementsAre(
                  Pair(0, Contains(Pair("rocksdb.usage_scenario", "normal"))),
                  Pair(1, UnorderedElementsAre(Pair("rocksdb.usage_scenario", "bulk_load")))));
}

TEST(QueryAppEnvs, RefusesWhatIsNoAnswer) {
  for (const char* text :
       {"", "unknown command 'replica.query-app-envs'", "1 processed, 0 not found\n    nonsense",
        "1 processed, 0 not found\n    2.0@localhost:1@P : a=b",
        "1 processed, 0 not found\n    1.x@localhost:1@P : a=b"}) {
    const auto envs = parse_query_app_envs(text, 1);
    ASSERT_FALSE(envs) << text;
    EXPECT_EQ(envs.error().code(), Code::kProtocol);
  }
}

class BehindTableTest : public ::testing::Test {
 protected:
  Result<MadeTable> make(int32_t partitions, EnvMap source_envs = {}) {
    return clusters.run(make_behind_table(*clusters.target,
                                          {.name = "t",
                                           .partitions = partitions,
                                           .replicas = 1,
                                           .source_envs = std::move(source_envs)},
                                          clusters.deadline()));
  }
  std::optional<std::string> why_not(int32_t replicas) {
    const auto side =
        clusters.must(ClusterSide::open(clusters.target, "t", true, clusters.deadline()));
    return clusters.must(why_not_behind(*side, replicas, clusters.deadline()));
  }

  TwoClusters clusters;
};

TEST_F(BehindTableTest, IsMadeSoThatItCompactsNothing) {
  const auto made = make(3, {{"default_ttl", "86400"},
                             {"replica.slow_query_threshold", "100"},
                             {"manual_compact.periodic.trigger_time", "3:00"},
                             {"replica.deny_client_request", "reconfig*write"},
                             {"rocksdb.usage_scenario", "prefer_write"}});
  ASSERT_TRUE(made) << made.error().to_string();
  const auto info = clusters.must(clusters.target->table_info("t", clusters.deadline()));
  EXPECT_EQ(info.app_id, made->app_id);
  EXPECT_EQ(info.partition_count, 3);
  EXPECT_THAT(info.envs, UnorderedElementsAre(Pair("rocksdb.allow_ingest_behind", "true"),
                                              Pair("rocksdb.usage_scenario", "bulk_load"),
                                              Pair("manual_compact.disabled", "true"),
                                              Pair("default_ttl", "86400"),
                                              Pair("replica.slow_query_threshold", "100")));
  EXPECT_THAT(made->notes, ElementsAre(HasSubstr("replica.deny_client_request = reconfig*write")));
  EXPECT_EQ(why_not(1), std::nullopt);
  EXPECT_THAT(why_not(2).value_or(""), HasSubstr("has 1 of 2 replicas"));
}

TEST_F(BehindTableTest, ATableThatMayCompactIsNotReady) {
  ASSERT_TRUE(make(2));
  clusters.must(clusters.target->set_envs("t", envs_when_loaded({}), clusters.deadline()));
  EXPECT_THAT(why_not(1).value_or(""), HasSubstr("does not act on rocksdb.usage_scenario"));
}

TEST_F(BehindTableTest, MakingItIsRepeatedButAnotherOneIsNotTaken) {
  const auto first = make(2);
  ASSERT_TRUE(first);
  const auto again = make(2);
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_EQ(first->app_id, again->app_id);
  const auto other = make(3);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code(), Code::kAlreadyExists);
}

TEST(EnvsWhenLoaded, CompactAsTheSourceDoes) {
  EXPECT_THAT(envs_when_loaded({{"default_ttl", "1"}, {"rocksdb.usage_scenario", "bulk_load"}}),
              UnorderedElementsAre(Pair("manual_compact.disabled", "false"),
                                   Pair("rocksdb.usage_scenario", "normal")));
  EXPECT_THAT(envs_when_loaded({{"manual_compact.disabled", "true"},
                                {"manual_compact.periodic.trigger_time", "3:00"},
                                {"manual_compact.once.trigger_time", "1700000000"},
                                {"rocksdb.usage_scenario", "prefer_write"}}),
              UnorderedElementsAre(Pair("manual_compact.disabled", "true"),
                                   Pair("manual_compact.periodic.trigger_time", "3:00"),
                                   Pair("rocksdb.usage_scenario", "prefer_write")));
}

TEST(ShippedFromTest, DecreesAreReadAsTheyWereWritten) {
  EXPECT_THAT(decrees_from_json(decrees_to_json({3, 1, 2})).value(), ElementsAre(3, 1, 2));
  EXPECT_FALSE(decrees_from_json("{}"));
  EXPECT_FALSE(decrees_from_json(R"({"decrees":[0]})"));
}

}  // namespace
}  // namespace pegmove::migration::hot
