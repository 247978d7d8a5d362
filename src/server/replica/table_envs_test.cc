#include "server/replica/table_envs.h"

#include <gtest/gtest.h>

namespace pegmove::server::replica {
namespace {

using namespace std::chrono_literals;

TEST(TableEnvs, HaveDefaults) {
  auto envs = parse_table_envs({});
  EXPECT_EQ(envs.default_ttl_seconds, 0);
  EXPECT_FALSE(envs.deny);
  EXPECT_EQ(envs.iteration_time, 30s);
  EXPECT_EQ(envs.slow_query, 0ms);
  EXPECT_EQ(envs.tuning, store::Tuning());
  EXPECT_EQ(envs.compaction.most_running, INT32_MAX);
}

TEST(TableEnvs, AreReadAsPegasusReadsThem) {
  auto envs = parse_table_envs({{"default_ttl", "0x10"},
                                {"replica.slow_query_threshold", "50"},
                                {"replica.rocksdb_iteration_threshold_time_ms", "0"},
                                {"replica.split.validate_partition_hash", "TRUE"},
                                {"rocksdb.usage_scenario", "bulk_load"},
                                {"rocksdb.write_buffer_size", "33554432"},
                                {"rocksdb.allow_ingest_behind", "true"}});
  EXPECT_EQ(envs.default_ttl_seconds, 16);
  EXPECT_EQ(envs.slow_query, 50ms);
  EXPECT_EQ(envs.iteration_time, 0ms);
  EXPECT_TRUE(envs.validate_partition_hash);
  EXPECT_EQ(envs.tuning.scenario, store::UsageScenario::kBulkLoad);
  EXPECT_EQ(envs.tuning.memtable_bytes, 32u << 20);
  EXPECT_TRUE(envs.allow_ingest_behind);
}

TEST(TableEnvs, NonsenseDoesNotAct) {
  auto envs = parse_table_envs({{"default_ttl", "-5"},
                                {"replica.deny_client_request", "timeout"},
                                {"replica.write_throttling", "many"},
                                {"rocksdb.write_buffer_size", "1"},
                                {"rocksdb.usage_scenario", "fast"},
                                {"manual_compact.once.trigger_time", "99999999999999999999"}});
  EXPECT_EQ(envs.default_ttl_seconds, 0);
  EXPECT_FALSE(envs.deny);
  EXPECT_FALSE(envs.write_throttle.reject);
  EXPECT_EQ(envs.tuning, store::Tuning());
  EXPECT_EQ(envs.compaction.once_trigger_unix_seconds, 0);
}

TEST(TableEnvs, HoldACompactionPlan) {
  auto plan = parse_table_envs({{"manual_compact.once.trigger_time", "1700000000"},
                                {"manual_compact.once.target_level", "3"},
                                {"manual_compact.once.bottommost_level_compaction", "force"},
                                {"manual_compact.periodic.trigger_time", "21:00, 3:30,25:00,x"},
                                {"manual_compact.max_concurrent_running_count", "4"},
                                {"manual_compact.disabled", "true"}})
                  .compaction;
  EXPECT_EQ(plan.once_trigger_unix_seconds, 1'700'000'000);
  EXPECT_EQ(plan.once.target_level, 3);
  EXPECT_TRUE(plan.once.rewrite_lowest_level);
  EXPECT_FALSE(plan.periodic.rewrite_lowest_level);
  EXPECT_EQ(plan.daily_minutes, (std::vector{210, 1260}));
  EXPECT_EQ(plan.most_running, 4);
  EXPECT_TRUE(plan.is_disabled);
}

}  // namespace
}  // namespace pegmove::server::replica
