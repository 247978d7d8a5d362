// Backups without backup_info: made of a golden one that a real cluster has restored.
#include "backup/finish.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "async/run.h"
#include "blockstore/local_store.h"
#include "testing/quick_clock.h"
#include "testing/sim_clock.h"
#include "testing/test_folder.h"

namespace pegmove::backup {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class FinishTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::copy("tests/golden/cold-backup-stock", folder_.path(), fs::copy_options::recursive);
    fs::remove(folder_ / place_.info_file());
    fs::remove(folder_ / (place_.backup_folder() + "/.backup_info.meta"));
  }

  Result<VerifyReport> finish(FinishOptions options = {}) {
    return async::run_to_end(context_, finish_backup(store_, place_, std::move(options)));
  }
  void put(const std::string& path, const std::string& text) {
    ASSERT_TRUE(async::run_to_end(context_, store_.write_file(path, text)));
  }
  std::string info() { return testing::read_file(folder_ / place_.info_file()); }

  testing::TestFolder folder_;
  testing::SimClock wall_;
  testing::QuickClock clock_{wall_};
  async::Pool pool_{1};
  asio::io_context context_;
  blockstore::AsyncStore store_{blockstore::make_local_store("disk", folder_.path()), pool_,
                                clock_};
  const Place place_{.root = "embedded", .backup_id = 1795400000001, .table = "small", .app_id = 7};
};

TEST_F(FinishTest, WritesBackupInfoAsRealMetaServersDo) {
  const auto report = finish();
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(report->problem_count, 0);
  EXPECT_GT(report->files_read, 0);
  EXPECT_EQ(report->files_read, report->files) << "every file is read";
  EXPECT_EQ(info(), R"({"backup_id":1795400000001,"start_time_ms":1795400000001,"end_time_ms":0,)"
                    R"("app_id":7,"app_name":"small"})");
  EXPECT_TRUE(fs::exists(folder_ / (place_.backup_folder() + "/.backup_info.meta")));
  const auto listed = async::run_to_end(context_, list_backups(store_, "embedded"));
  ASSERT_TRUE(listed);
  EXPECT_EQ(listed->at(0).state, BackupState::kComplete);
}

TEST_F(FinishTest, TheStartIsThatOfTheMetaServerWhenItIsKnown) {
  ASSERT_TRUE(finish({.start_time_ms = 1795400000000}));
  EXPECT_THAT(info(), HasSubstr(R"("start_time_ms":1795400000000,)"));
}

TEST_F(FinishTest, AnExistingFileIsKept) {
  put(place_.info_file(),
      R"({"backup_id":1795400000001,"start_time_ms":3,"end_time_ms":4,"app_id":7,"app_name":"small"})");
  const auto report = finish();
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_THAT(info(), HasSubstr(R"("end_time_ms":4)"));
}

TEST_F(FinishTest, DamageIsReportedAndNothingIsWritten) {
  for (const auto& entry : fs::recursive_directory_iterator(folder_ / place_.partition_folder(1)))
    if (entry.path().filename() == "CURRENT") testing::write_file(entry.path(), "MANIFEST-99999\n");
  const auto report = finish();
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(report->problem_count, 1);
  EXPECT_EQ(report->problems.at(0).partition, 1);
  EXPECT_EQ(info(), "");
}

TEST_F(FinishTest, APartitionThatIsNotCompleteIsAProblem) {
  fs::remove(folder_ / place_.current_file(3));
  const auto report = finish();
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(report->problem_count, 1);
  EXPECT_EQ(info(), "");
}

// Their meta servers end them.
TEST_F(FinishTest, BackupsInProgressOnEmbeddedClustersAndOfPoliciesAreRefused) {
  put(place_.status_file(), "{}");
  auto refused = finish();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kRefused);
  EXPECT_THAT(refused.error().message(), HasSubstr("of a policy"));
  put(place_.unfinished_file(), "{}");
  refused = finish();
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("an embedded cluster is making it"));
  EXPECT_EQ(info(), "");
}

}  // namespace
}  // namespace pegmove::backup
