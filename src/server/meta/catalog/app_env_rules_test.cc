#include "server/meta/catalog/app_env_rules.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace pegmove::server::meta {
namespace {

// The hint, or "ok".
std::string hint_of(std::string_view name, std::string_view value) {
  const auto good = check_app_env(name, value);
  return good ? "ok" : good.error().message();
}

constexpr const char* kThrottling = "replica.write_throttling";
constexpr const char* kReadSize = "replica.read_throttling_by_size";
constexpr const char* kDeny = "replica.deny_client_request";

TEST(CheckAppEnv, RefusesUnknownNames) {
  EXPECT_EQ(hint_of("no.such.env", "1"), "app_env 'no.such.env' is not supported");
  EXPECT_EQ(hint_of("restore.app_id", "1"), "app_env 'restore.app_id' is not supported");
  EXPECT_EQ(hint_of("max_replica_count.update", "1"),
            "app_env 'max_replica_count.update' is not supported");
  EXPECT_EQ(hint_of("", ""), "app_env '' is not supported");
}

TEST(CheckAppEnv, TakesAnyTextWherePegasusDoes) {
  for (const auto* name :
       {"user_specified_compaction", "business.info", "replica_access_controller.allowed_users",
        "replica_access_controller.ranger_policies", "duplication.master_cluster",
        "duplication.master_metas", "duplication.master_app_name",
        "duplication.follower_app_status", "manual_compact.periodic.trigger_time"}) {
    EXPECT_EQ(hint_of(name, "any { text"), "ok") << name;
    EXPECT_EQ(hint_of(name, ""), "ok") << name;
  }
}

TEST(CheckAppEnv, ReadsBooleansInAnyCase) {
  for (const auto* name :
       {"replica.rocksdb_block_cache_enabled", "replica.split.validate_partition_hash",
        "manual_compact.disabled", "rocksdb.allow_ingest_behind"}) {
    EXPECT_EQ(hint_of(name, "true"), "ok") << name;
    EXPECT_EQ(hint_of(name, "FALSE"), "ok") << name;
    EXPECT_EQ(hint_of(name, "1"), "invalid value '1', should be a boolean") << name;
    EXPECT_EQ(hint_of(name, ""), "invalid value '', should be a boolean") << name;
  }
}

TEST(CheckAppEnv, TellsWhenANumberIsNone) {
  EXPECT_EQ(hint_of("default_ttl", "x"), "invalid value 'x', should be an 32 bits integer");
  EXPECT_EQ(hint_of("default_ttl", "2147483648"),
            "invalid value '2147483648', should be an 32 bits integer");
  EXPECT_EQ(hint_of("default_ttl", "2147483647"), "ok");
  EXPECT_EQ(hint_of("rocksdb.num_levels", ""), "invalid value '', should be an 64 bits integer");
  EXPECT_EQ(hint_of("rocksdb.num_levels", "6 "),
            "invalid value '6 ', should be an 64 bits integer");
  EXPECT_NE(hint_of("rocksdb.num_levels", std::string_view("6\0", 2)), "ok");
  EXPECT_EQ(hint_of("replica.slow_query_threshold", "9223372036854775808"),
            "invalid value '9223372036854775808', should be an 64 bits integer");
}

TEST(CheckAppEnv, ReadsNumbersAsCDoes) {
  EXPECT_EQ(hint_of("default_ttl", "0x10"), "ok");
  EXPECT_EQ(hint_of("rocksdb.num_levels", "012"), "ok");
  EXPECT_EQ(hint_of("rocksdb.num_levels", "013"),
            "invalid value '013', should be 'In range [1, 10]'");
}

struct Range {
  const char* name;
  const char* good[2];
  const char* bad[2];
  const char* limit;
};

TEST(CheckAppEnv, HoldsNumbersToTheirLimits) {
  const Range ranges[] = {
      {"default_ttl", {"0", "86400"}, {"-1", "-2147483648"}, ">= 0"},
      {"replica.slow_query_threshold", {"20", "30"}, {"19", "5"}, ">= 20"},
      {"replica.rocksdb_iteration_threshold_time_ms", {"0", "1"}, {"-1", "-2"}, ">= 0"},
      {"rocksdb.checkpoint.reserve_min_count", {"1", "2"}, {"0", "-1"}, "> 0"},
      {"rocksdb.checkpoint.reserve_time_seconds", {"0", "1"}, {"-1", "-2"}, ">= 0"},
      {"rocksdb.write_buffer_size",
       {"16777216", "536870912"},
       {"16777215", "536870913"},
       "In range [16777216, 536870912]"},
      {"rocksdb.num_levels", {"1", "10"}, {"0", "11"}, "In range [1, 10]"},
      {"manual_compact.max_concurrent_running_count", {"0", "1"}, {"-1", "-2"}, ">= 0"},
      {"manual_compact.once.trigger_time",
       {"0", "1525930272"},
       {"-1", "-2"},
       "> 0, timestamp (in seconds) to trigger the once manual compaction"},
      {"manual_compact.once.target_level", {"-1", "1"}, {"0", "-2"}, "-1 or >= 1"},
      {"manual_compact.periodic.target_level", {"-1", "6"}, {"0", "-2"}, "-1 or >= 1"},
  };
  for (const auto& range : ranges) {
    for (const auto* value : range.good) EXPECT_EQ(hint_of(range.name, value), "ok") << range.name;
    for (const auto* value : range.bad) {
      EXPECT_EQ(hint_of(range.name, value),
                std::string("invalid value '") + value + "', should be '" + range.limit + "'");
    }
  }
}

TEST(CheckAppEnv, KnowsTheFixedWords) {
  for (const auto* value : {"normal", "prefer_write", "bulk_load"}) {
    EXPECT_EQ(hint_of("rocksdb.usage_scenario", value), "ok");
  }
  EXPECT_EQ(hint_of("rocksdb.usage_scenario", "Normal"), "bulk_load | normal | prefer_write");
  for (const auto* name : {"manual_compact.once.bottommost_level_compaction",
                           "manual_compact.periodic.bottommost_level_compaction"}) {
    EXPECT_EQ(hint_of(name, "force"), "ok");
    EXPECT_EQ(hint_of(name, "skip"), "ok");
    EXPECT_EQ(hint_of(name, "yes"), "force | skip");
  }
}

TEST(CheckAppEnv, HoldsDenyClientRequestToItsSixValues) {
  for (const auto* value : {"timeout*all", "timeout*read", "timeout*write", "reconfig*all",
                            "reconfig*read", "reconfig*write"}) {
    EXPECT_EQ(hint_of(kDeny, value), "ok") << value;
  }
  for (const auto* value : {"", "none", "timeout", "timeout*all*read", "timeout*", "all*timeout"}) {
    EXPECT_EQ(hint_of(kDeny, value),
              "Invalid deny client args, valid include: timeout*all, timeout*write, timeout*read; "
              "reconfig*all, reconfig*write, reconfig*read")
        << value;
  }
}

TEST(CheckAppEnv, TakesThrottling) {
  for (const auto* name : {"replica.write_throttling", "replica.write_throttling_by_size",
                           "replica.read_throttling", "replica.backup_request_throttling"}) {
    for (const auto* value : {"1000*delay*100", "20K*reject*0", "1M*delay*1,2M*reject*100",
                              " 1 * delay * 2 , ,3*reject*4"}) {
      EXPECT_EQ(hint_of(name, value), "ok") << name << " " << value;
    }
  }
}

TEST(CheckAppEnv, TellsWhatIsWrongWithThrottling) {
  EXPECT_EQ(hint_of(kThrottling, ""), "The value shouldn't be empty");
  EXPECT_EQ(hint_of(kThrottling, ",, "), "The value shouldn't be empty");
  EXPECT_EQ(hint_of(kThrottling, "20*delay"),
            "The field count of '20*delay' separated by '*' must be 3");
  EXPECT_EQ(hint_of(kThrottling, "1*delay*2*3"),
            "The field count of '1*delay*2*3' separated by '*' must be 3");
  EXPECT_EQ(hint_of(kThrottling, "20B*delay*100"), "'20B' should be an unsigned integer");
  EXPECT_EQ(hint_of(kThrottling, "-20K*delay*100"), "'-20' should be an unsigned integer");
  EXPECT_EQ(hint_of(kThrottling, "K*delay*100"), "'' should be an unsigned integer");
  EXPECT_EQ(hint_of(kThrottling, "18446744073709551615K*delay*1"),
            "'18446744073709551615' result is overflow");
  EXPECT_EQ(hint_of(kThrottling, "20*deny*100"), "'deny' should be 'delay' or 'reject'");
  EXPECT_EQ(hint_of(kThrottling, "20*reject*-1"), "'-1' should be an unsigned integer");
  EXPECT_EQ(hint_of(kThrottling, "1*delay*1,2*delay*2"), "duplicate 'delay' config");
  EXPECT_EQ(hint_of(kThrottling, "1*reject*1,2*reject*2"), "duplicate 'reject' config");
}

TEST(CheckAppEnv, TakesReadThrottlingBySizeAsANumberToo) {
  for (const auto* value : {"1", "20K", "20M", "100*reject*0", "1*delay*2,3*reject*4",
                            "1*delay*100" /* taken, and no limit */, "0*delay*100"}) {
    EXPECT_EQ(hint_of(kReadSize, value), "ok") << value;
  }
  EXPECT_EQ(hint_of(kReadSize, "0"), "The field count of '0' separated by '*' must be 3");
  EXPECT_EQ(hint_of(kReadSize, ""), "The value shouldn't be empty");
  EXPECT_EQ(hint_of(kReadSize, "0*reject*1"), "reject value should be greater than 0");
  EXPECT_EQ(hint_of(kReadSize, "1*delay*1,0*reject*1"), "reject value should be greater than 0");
  EXPECT_EQ(hint_of(kReadSize, "20B"), "The field count of '20B' separated by '*' must be 3");
}

TEST(CheckAppEnvsAtCreate, ChecksLittle) {
  EXPECT_TRUE(check_app_envs_at_create({}));
  EXPECT_TRUE(check_app_envs_at_create({{"no.such.env", "x"}, {"default_ttl", "x"}}));
  EXPECT_TRUE(check_app_envs_at_create({{"rocksdb.num_levels", "6"}, {kDeny, "timeout*all"}}));
}

TEST(CheckAppEnvsAtCreate, RefusesWhatPegasusRefusesOrDiesOf) {
  EXPECT_FALSE(check_app_envs_at_create({{"rocksdb.num_levels", "11"}}));
  EXPECT_FALSE(check_app_envs_at_create({{"rocksdb.write_buffer_size", "x"}}));
  const auto denied = check_app_envs_at_create({{kDeny, "none"}});
  ASSERT_FALSE(denied);
  EXPECT_TRUE(denied.error().to_string().contains("replica.deny_client_request"));
}

}  // namespace
}  // namespace pegmove::server::meta
