// A backup of a real cluster in a folder that was copied without its dot files.
#include "backup/sidecars.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "async/pool.h"
#include "async/run.h"
#include "backup/verifier.h"
#include "blockstore/local_store.h"
#include "testing/quick_clock.h"
#include "testing/sim_clock.h"
#include "testing/test_folder.h"

namespace pegmove::backup {
namespace {

namespace fs = std::filesystem;
using pegmove::testing::read_file;
using pegmove::testing::write_file;
using ::testing::Each;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::Not;

// A backup, whose table has 4 partitions.
constexpr const char* kGolden = "tests/golden/cold-backup-stock";
// One of a policy; only one of its two tables is there.
constexpr const char* kPolicyGolden = "tests/golden/cold-backup";

// Their contents, by the path in the folder.
std::map<std::string, std::string> dot_files(const fs::path& folder) {
  std::map<std::string, std::string> found;
  for (const auto& file : fs::recursive_directory_iterator(folder))
    if (file.path().filename().string().starts_with('.'))
      found[fs::relative(file, folder)] = read_file(file);
  return found;
}

class SidecarsTest : public ::testing::Test {
 protected:
  explicit SidecarsTest(const char* golden = kGolden, Place place = {.root = "embedded",
                                                                     .backup_id = 1795400000001,
                                                                     .table = "small",
                                                                     .app_id = 7})
      : golden_(golden), place_(std::move(place)) {
    fs::copy(golden, folder_.path(), fs::copy_options::recursive);
    for (const auto& [path, text] : dot_files(folder_.path())) fs::remove(folder_ / path);
  }

  template <typename T>
  T run(Task<T> task) {
    auto done = async::run_to_end(context_, std::move(task));
    if (!done) throw std::runtime_error(done.error().to_string());
    if constexpr (!std::is_void_v<T>) return *std::move(done);
  }
  BackupSummary only_backup(const blockstore::AsyncStore& store) {
    auto found = run(list_backups(store, place_.root));
    EXPECT_EQ(found.size(), 1u);
    return found.at(0);
  }
  VerifyReport verify(const blockstore::AsyncStore& store) {
    md5s_.clear();
    return run(verify_table(store, place_, {.on_undamaged = [&](const auto& path, const auto& sum) {
                              md5s_[path] = sum.md5;
                            }}));
  }

  pegmove::testing::TestFolder folder_;
  asio::io_context context_;
  pegmove::testing::SimClock wall_;
  pegmove::testing::QuickClock clock_{wall_};
  async::Pool pool_{1};
  blockstore::AsyncStore store_{blockstore::make_local_store("local", folder_.path()), pool_,
                                clock_};
  blockstore::AsyncStore bare_ = *store_.without_sidecars();
  const char* golden_;
  const Place place_;
  std::map<std::string, std::string> md5s_;
};

TEST_F(SidecarsTest, ABackupWithoutThemSaysSo) {
  const auto summary = only_backup(store_);
  EXPECT_EQ(summary.state, BackupState::kUnfinished);
  EXPECT_THAT(summary.why, HasSubstr("backup_info is there, but its sidecar is missing"));
  EXPECT_THAT(summary.why, HasSubstr("--write-sidecars"));
  const auto found = async::run_to_end(context_, find_backup(store_, "", 0, "small"));
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().to_string(), HasSubstr("its sidecar is missing"));
  const auto report = verify(store_);
  EXPECT_GT(report.problem_count, 0);
  EXPECT_THAT(report.problems, Each(Field(&Problem::what, HasSubstr("sidecar"))));
}

TEST_F(SidecarsTest, EachFileThatLacksItsOwnSaysSo) {
  verify(bare_);
  run(write_sidecars(store_, place_, 4, md5s_));
  const auto& [file, md5] = *md5s_.begin();
  const auto path = folder_ / file;
  fs::remove(fs::path(path).parent_path() / ("." + fs::path(path).filename().string() + ".meta"));
  const auto report = verify(store_);
  ASSERT_EQ(report.problem_count, 1);
  EXPECT_THAT(report.problems[0].what, HasSubstr("its sidecar is missing"));
  fs::remove(folder_ / place_.metadata_file());
  EXPECT_THAT(only_backup(store_).why, HasSubstr("the app_metadata of small is missing"));
}

TEST_F(SidecarsTest, TheyAreWrittenAsARealClusterHasThem) {
  EXPECT_EQ(only_backup(bare_).state, BackupState::kComplete);
  const auto report = verify(bare_);
  EXPECT_EQ(report.problem_count, 0);
  EXPECT_EQ(report.files_read, report.files);
  const auto count = run(write_sidecars(store_, place_, report.partitions, md5s_));
  const auto wanted = dot_files(golden_);
  EXPECT_EQ(dot_files(folder_.path()), wanted);
  EXPECT_EQ(count, int64_t(wanted.size()));
  EXPECT_EQ(only_backup(store_).state, BackupState::kComplete);
  EXPECT_EQ(verify(store_).problem_count, 0);
}

class PolicySidecarsTest : public SidecarsTest {
 protected:
  PolicySidecarsTest()
      : SidecarsTest(
            kPolicyGolden,
            {.root = "oneboxA", .backup_id = 1795335319246, .table = "golden", .app_id = 4}) {}
};

TEST_F(PolicySidecarsTest, ATableGetsItsOwnWhereAnotherIsMissing) {
  EXPECT_EQ(verify(bare_).problem_count, 0);
  run(write_sidecars(store_, place_, 4, md5s_));
  EXPECT_EQ(dot_files(folder_.path()), dot_files(golden_));
  const auto summary = only_backup(store_);
  EXPECT_THAT(summary.why, HasSubstr("the app_metadata of mig is missing"));
  EXPECT_THAT(summary.tables, Each(Field(&TableSummary::is_whole, true)));
  EXPECT_TRUE(async::run_to_end(context_, find_backup(store_, "", 0, "golden")));
}

TEST_F(SidecarsTest, WithoutThemDamageIsFoundByTheMetadata) {
  verify(bare_);
  const auto path = folder_ / md5s_.begin()->first;
  auto bytes = read_file(path);
  bytes[0] ^= 1;
  write_file(path, bytes);
  const auto report = verify(bare_);
  ASSERT_EQ(report.problem_count, 1);
  EXPECT_THAT(report.problems[0].what, HasSubstr("its MD5 is"));
  EXPECT_THAT(md5s_, Not(::testing::Contains(::testing::Key(report.problems[0].file))));
}

}  // namespace
}  // namespace pegmove::backup
