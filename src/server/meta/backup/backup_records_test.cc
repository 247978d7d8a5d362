#include "server/meta/backup/backup_records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include "server/meta/backup/backup_policies.h"

namespace pegmove::server::meta {
namespace {

using ::testing::HasSubstr;

BackupState some_state() {
  BackupState state;
  state.backups[{7, 1}] = {.place = {.root = "p/A", .backup_id = 7, .table = "t", .app_id = 1},
                           .provider = "hdfs",
                           .path = "p",
                           .policy = "",
                           .start_ms = 7,
                           .end_ms = 9,
                           .state = JobState::kFailed,
                           .reason = "why",
                           .bytes = 11};
  state.restores[2] = {.place = {.root = "A", .backup_id = 7, .table = "t", .app_id = 1},
                       .provider = "s3",
                       .app_id = 2,
                       .skip_bad = true,
                       .state = JobState::kRunning,
                       .reason = "",
                       .partitions = {RestoredPartition::kDone, RestoredPartition::kSkipped,
                                      RestoredPartition::kMissing}};
  state.policies["night"] = {.name = "night",
                             .provider = "hdfs",
                             .app_ids = {1, 2},
                             .history_count = 3,
                             .is_disabled = true,
                             .start_hour = 24,
                             .rounds = {{.info = {.backup_id = 5,
                                                  .start_time_ms = 5,
                                                  .end_time_ms = 6,
                                                  .tables = {{1, "t"}},
                                                  .of_policy = true},
                                         .is_failed = true,
                                         .reason = "no"}}};
  return state;
}

MetaValues values_of(const BackupState& state) {
  MetaBatch batch;
  for (const auto& [key, record] : state.backups) put_backup(batch, record);
  for (const auto& [id, record] : state.restores) put_whole_restore(batch, record);
  for (const auto& [name, policy] : state.policies) {
    put_policy(batch, policy);
    for (const auto& round : policy.rounds) put_round(batch, name, round);
  }
  MetaValues values;
  batch.apply_to(values);
  return values;
}

TEST(BackupRecordsTest, ComeBackFromTheirValues) {
  const auto state = some_state();
  auto read = read_backups(values_of(state));
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(*read, state);
}

TEST(BackupRecordsTest, AValueThatIsWrongIsNamed) {
  const auto good = values_of(some_state());
  const std::pair<const char*, const char*> damages[] = {
      {"/table_backup/1/7", ""},
      {"/table_backup/1/7", "{}"},
      {"/table_backup/1/8", "/table_backup/1/7"},  // its value
      {"/restore/2", "[]"},
      {"/restore/3", "/restore/2"},
      {"/restore/2/3", R"({"state":"done"})"},
      {"/restore/2/1", R"({"state":"lost"})"},
      {"/restore/x", "{}"},
      {"/backup/night", R"({"name":"night"})"},
      {"/backup/day", "/backup/night"},
      {"/backup/night/5", R"({"info":"{}","failed":false,"reason":""})"},
      {"/backup/night/6", "/backup/night/5"}};
  for (const auto& [path, text] : damages) {
    auto values = good;
    const std::string whole(path);
    values[whole] = *text == '/' ? good.at(text) : text;
    const auto read = read_backups(values);
    ASSERT_FALSE(read) << path;
    EXPECT_EQ(read.error().code(), Code::kCorrupt);
    EXPECT_THAT(read.error().to_string(), HasSubstr(whole.substr(0, 10)));
  }
}

TEST(BackupRecordsTest, OldEndedBackupsAreForgottenAndRunningOnesKept) {
  BackupState state;
  auto record = some_state().backups.begin()->second;
  for (int64_t id = 1; id <= 1100; ++id) {
    record.place.backup_id = id;
    record.state = id == 3 ? JobState::kRunning : JobState::kDone;
    state.backups[{id, 1}] = record;
  }
  auto values = values_of(state);
  MetaBatch batch;
  forget_old_backups(state, batch);
  batch.apply_to(values);
  EXPECT_EQ(state.backups.size(), 1001u);
  EXPECT_TRUE(state.backups.contains({3, 1}));
  EXPECT_TRUE(state.backups.contains({1100, 1}));
  EXPECT_FALSE(state.backups.contains({4, 1}));
  EXPECT_EQ(*read_backups(values), state);
}

TEST(BackupRecordsTest, ATableThatIsGoneIsForgottenInMemoryAndInTheStore) {
  auto state = some_state();
  state.backups[{7, 2}] = state.backups.at({7, 1});
  state.backups.at({7, 2}).place.app_id = 2;
  auto values = values_of(state);
  MetaBatch batch;
  remove_table(batch, 2);
  batch.apply_to(values);
  forget_table(state, 2);
  EXPECT_EQ(state.backups.size(), 1u);
  EXPECT_TRUE(state.restores.empty());
  EXPECT_EQ(*read_backups(values), state);
}

class ScheduleTest : public ::testing::Test {
 protected:
  ScheduleTest() {
    setenv("TZ", "UTC", 1);
    tzset();
  }
  // 2026-11-27, a Friday.
  static int64_t at(int hour, int minute, int day = 27) {
    return (1'795'737'600 + (day - 27) * 86'400 + hour * 3600 + minute * 60) * int64_t{1000};
  }
  PolicyRecord policy_{.name = "p", .provider = "x", .app_ids = {1}, .start_hour = 2};
};

TEST_F(ScheduleTest, TheFirstRoundBeginsInItsHour) {
  EXPECT_FALSE(is_round_due(policy_, 0, at(1, 59)));
  EXPECT_TRUE(is_round_due(policy_, 0, at(2, 0)));
  EXPECT_TRUE(is_round_due(policy_, 0, at(2, 59)));
  EXPECT_FALSE(is_round_due(policy_, 0, at(3, 0)));
  policy_.start_hour = 24;
  EXPECT_TRUE(is_round_due(policy_, 0, at(15, 0)));
  policy_.is_disabled = true;
  EXPECT_FALSE(is_round_due(policy_, 0, at(15, 0)));
}

TEST_F(ScheduleTest, LaterRoundsFollowTheInterval) {
  EXPECT_FALSE(is_round_due(policy_, at(2, 0), at(2, 30)));
  EXPECT_TRUE(is_round_due(policy_, at(2, 0), at(2, 0, 28)));
  policy_.interval_seconds = 2 * 86'400;
  EXPECT_FALSE(is_round_due(policy_, at(2, 0), at(2, 0, 28)));
  EXPECT_TRUE(is_round_due(policy_, at(2, 0), at(2, 0, 29)));
}

TEST_F(ScheduleTest, ARoundThatBeganLateDoesNotShiftTheNext) {
  EXPECT_TRUE(is_round_due(policy_, at(2, 40), at(2, 0, 28)));
  policy_.start_hour = 24;
  EXPECT_FALSE(is_round_due(policy_, at(2, 40), at(2, 0, 28)));
  EXPECT_TRUE(is_round_due(policy_, at(2, 40), at(2, 40, 28)));
}

TEST(StartTimeTest, IsRead) {
  EXPECT_EQ(parse_start_time("24:00")->hour, 24);
  EXPECT_EQ(parse_start_time("1:05")->minute, 5);
  for (const char* text : {"", "1", "24:01", "25:00", "1:60", "-1:00", "1:0x", "a:b"})
    EXPECT_FALSE(parse_start_time(text)) << text;
}

}  // namespace
}  // namespace pegmove::server::meta
