// What a table's envs make of a database: its compactions and its tuning.
#include <gtest/gtest.h>

#include <set>

#include "record/expiry.h"
#include "store/partitions_test.h"

namespace pegmove::store {
namespace {

constexpr uint32_t kNow = 1000;

class CompactionPolicyTest : public ::testing::Test {
 protected:
  PartitionOptions options() {
    return {.path = folder_ / "db",
            .unix_seconds = [] { return record::unix_from_expire_ts(kNow); }};
  }
  void put(const std::string& hash_key, uint32_t expire_ts) {
    auto batch = db_->new_batch();
    batch.put(record::encode_key(hash_key, "s"), "value", expire_ts,
              record::make_timetag(7, 1, false));
    ASSERT_TRUE(db_->write(batch, db_->last_decree() + 1));
  }
  std::optional<uint32_t> expiry(const std::string& hash_key) {
    auto value = db_->get(record::encode_key(hash_key, "s")).value();
    if (!value) return std::nullopt;
    EXPECT_EQ(value->user_data(), "value");
    EXPECT_EQ(record::timetag_timestamp_us(value->timetag()), 7u);
    return value->expire_ts();
  }
  TestFolder folder_;
  std::unique_ptr<PartitionDb> db_ = open(options());
};

TEST_F(CompactionPolicyTest, StampsTheDefaultExpiryOnRowsWithoutOne) {
  put("none", 0);
  put("own", kNow + 5);
  db_->set_compaction_policy({.default_ttl_seconds = 100, .rules = {}});
  ASSERT_TRUE(db_->compact());
  EXPECT_EQ(expiry("none"), kNow + 100);
  EXPECT_EQ(expiry("own"), kNow + 5);
}

TEST_F(CompactionPolicyTest, DoesWhatTheRulesSay) {
  put("drop me", 0);
  put("keep me", 0);
  CompactionPolicy policy;
  policy.rules = CompactionRules::parse(
      R"({"ops":[{"type":"COT_DELETE","params":"","rules":[{"type":"FRT_HASHKEY_PATTERN",)"
      R"("params":"{\"pattern\":\"drop\",\"match_type\":\"SMT_MATCH_PREFIX\"}"}]}]})");
  db_->set_compaction_policy(std::move(policy));
  ASSERT_TRUE(db_->compact());
  EXPECT_EQ(expiry("drop me"), std::nullopt);
  EXPECT_EQ(expiry("keep me"), 0u);
}

TEST_F(CompactionPolicyTest, NotesWhenItWasCompacted) {
  EXPECT_EQ(db_->last_compact_unix_ms(), 0);
  put("row", 0);
  ASSERT_TRUE(db_->compact());
  auto ended = record::unix_from_expire_ts(kNow) * 1000;
  EXPECT_EQ(db_->last_compact_unix_ms(), ended);
  db_.reset();
  db_ = open(options());
  EXPECT_EQ(db_->last_compact_unix_ms(), ended);
}

TEST_F(CompactionPolicyTest, CompactsToTheLevelAskedFor) {
  put("row", 0);
  ASSERT_TRUE(db_->compact({.target_level = 3, .rewrite_lowest_level = false}));
  EXPECT_EQ(expiry("row"), 0u);
  ASSERT_TRUE(db_->compact({.target_level = 99, .rewrite_lowest_level = false}));
}

// Files that are flushed one by one stay in level 0 only while nothing compacts.
int files_after_ten_flushes(PartitionDb& db) {
  for (int i = 0; i < 10; ++i) {
    auto decree = db.last_decree() + 1;
    put_row(db, decree, "v").value();
    db.flush().value();
  }
  return db.table_files();
}

TEST_F(CompactionPolicyTest, BulkLoadCompactsNothingAlsoAfterAnOpening) {
  ASSERT_TRUE(db_->tune({.scenario = UsageScenario::kBulkLoad}));
  EXPECT_EQ(files_after_ten_flushes(*db_), 10);
  db_.reset();
  auto again = options();
  again.tuning.scenario = UsageScenario::kBulkLoad;
  db_ = open(again);
  EXPECT_EQ(files_after_ten_flushes(*db_), 20);
}

TEST_F(CompactionPolicyTest, KeepsTheLowestLevelFreeForFilesThatComeBehind) {
  auto behind = options();
  behind.path = folder_ / "behind";
  behind.allow_ingest_behind = true;
  db_ = open(behind);
  put("row", 0);
  ASSERT_TRUE(db_->compact());
  EXPECT_EQ(expiry("row"), 0u);
}

TEST(Tuning, ScenariosAreNamedAsInPegasus) {
  for (auto name : {"normal", "prefer_write", "bulk_load"})
    EXPECT_EQ(usage_scenario_name(parse_usage_scenario(name).value()), name);
  EXPECT_FALSE(parse_usage_scenario("fast"));
}

TEST(Tuning, EveryScenarioSetsTheSameOptions) {
  // So that going back undoes all of it.
  auto names = [](UsageScenario scenario) {
    std::set<std::string> names;
    for (const auto& [name, value] : tuned_options({.scenario = scenario})) names.insert(name);
    return names;
  };
  EXPECT_EQ(names(UsageScenario::kBulkLoad), names(UsageScenario::kNormal));
  EXPECT_EQ(names(UsageScenario::kPreferWrite), names(UsageScenario::kNormal));
}

}  // namespace
}  // namespace pegmove::store
