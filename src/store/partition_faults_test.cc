// A partition's database under kill -9 and on a full disk.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "store/killed_child_test.h"
#include "store/partition_db.h"
#include "store/partitions_test.h"
#include "testing/faulty_disk.h"

namespace pegmove::store {
namespace {

using testing::DiskFault;
using testing::DiskOperation;
using ::testing::HasSubstr;

// ---- kill -9 ----

// The child of the test below: writes rows and says so of each, until it is killed.
TEST(KilledProcess, DISABLED_WritesRowsWithoutEnd) {
  const char* path = path_of_child();
  ASSERT_NE(path, nullptr);
  const auto db = open({.path = path});
  for (int64_t number = 1;; ++number) {
    if (!put_row(*db, number, "v")) _exit(2);
    report_row(number);
  }
}

TEST(KilledProcess, LosesNoReportedRow) {
  const TestFolder folder;
  int64_t last = 0;
  ASSERT_NO_FATAL_FAILURE(
      kill_child("KilledProcess.DISABLED_WritesRowsWithoutEnd", folder / "db", last));

  const auto db = open({.path = folder / "db", .create_if_missing = false});
  EXPECT_GE(db->last_decree(), last);
  for (int64_t number = 1; number <= last; ++number) ASSERT_TRUE(has_row(*db, number)) << number;
}

// ---- a full disk ----

class FullDisk : public ::testing::Test {
 protected:
  std::unique_ptr<PartitionDb> open_limited() {
    return open({.path = folder_ / "db", .env = disk_.env()});
  }
  void expect_full(const Result<void>& result) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), Code::kIo);
    EXPECT_TRUE(is_disk_full(result.error())) << result.error().to_string();
    EXPECT_THAT(result.error().message(), HasSubstr(folder_ / "db"));
  }

  TestFolder folder_;
  testing::FaultyDisk disk_{folder_ / "trash"};
};

TEST_F(FullDisk, StopsWritesAndLetsThemGoOnWhenThereIsSpace) {
  auto db = open_limited();
  disk_.set_space(100'000);
  int64_t number = 1;
  while (put_row(*db, number, std::string(1000, 'v'))) ++number;  // the first that fails
  ASSERT_GT(number, 50);
  expect_full(db->health());
  expect_full(put_row(*db, number, "v"));
  expect_full(db->resume());
  expect_full(db->health());
  EXPECT_EQ(db->last_decree(), number - 1);
  EXPECT_TRUE(has_row(*db, 1));
  EXPECT_TRUE(has_row(*db, number - 1));
  EXPECT_FALSE(has_row(*db, number));

  disk_.set_endless_space();
  const auto resumed = db->resume();
  ASSERT_TRUE(resumed) << resumed.error().to_string();
  EXPECT_TRUE(db->health());
  const auto written = put_row(*db, number, "again");
  ASSERT_TRUE(written) << written.error().to_string();
  db.reset();
  db = open_limited();
  EXPECT_EQ(db->last_decree(), number);
  for (int64_t row = 1; row <= number; ++row) EXPECT_TRUE(has_row(*db, row)) << row;
}

TEST_F(FullDisk, LetsWritesGoOnWhenNothingIsInMemory) {
  auto db = open_limited();
  ASSERT_TRUE(put_row(*db, 1, "v"));
  ASSERT_TRUE(db->flush());
  disk_.set_space(30);
  expect_full(put_row(*db, 2, std::string(1000, 'v')));
  disk_.set_endless_space();
  const auto resumed = db->resume();
  ASSERT_TRUE(resumed) << resumed.error().to_string();
  for (int64_t row = 2; row < 10; ++row) {
    const auto written = put_row(*db, row, "v");
    ASSERT_TRUE(written) << written.error().to_string();
  }
  db.reset();
  db = open_limited();
  EXPECT_EQ(db->last_decree(), 9);
  for (int64_t row = 1; row < 10; ++row) EXPECT_TRUE(has_row(*db, row)) << row;
}

// A DB::Resume() that fails may end the process.
TEST_F(FullDisk, IsTriedBeforeRocksDbIsResumed) {
  auto db = open_limited();
  ASSERT_TRUE(put_row(*db, 1, "v"));
  disk_.set_space(30);
  expect_full(put_row(*db, 2, std::string(1000, 'v')));
  disk_.set_endless_space();
  std::vector<std::string> others;
  disk_.set_plan([&](const DiskOperation& operation) -> DiskFault {
    if (operation.path.ends_with("/trial.sst"))
      return {.kind = DiskFault::Kind::kRefused, .is_full = true};
    others.push_back(operation.path);
    return {};
  });
  expect_full(db->resume());
  disk_.set_plan(nullptr);
  EXPECT_THAT(others, ::testing::IsEmpty());
  const auto resumed = db->resume();
  ASSERT_TRUE(resumed) << resumed.error().to_string();
  EXPECT_FALSE(std::filesystem::exists(folder_ / "db/trial.sst"));
}

TEST_F(FullDisk, CanBeClosedAndOpenedAgainWithoutSpaceInBetween) {
  auto db = open_limited();
  ASSERT_TRUE(put_row(*db, 1, "v"));
  disk_.set_space(30);
  expect_full(put_row(*db, 2, std::string(1000, 'v')));
  expect_full(db->flush());
  expect_full(db->compact());
  EXPECT_FALSE(db->checkpoint(folder_ / "copy"));
  EXPECT_FALSE(db->needs_reopen());
  db.reset();
  EXPECT_FALSE(PartitionDb::open({.path = folder_ / "db", .env = disk_.env()}));
  disk_.set_endless_space();
  db = open_limited();
  EXPECT_TRUE(has_row(*db, 1));
  EXPECT_EQ(db->last_decree(), 1);
}

// Opens again where resume() cannot help. A flush that failed meanwhile may fail the first attempt.
void make_writable(std::unique_ptr<PartitionDb>& db, const PartitionOptions& options) {
  for (int attempt = 0; attempt < 6; ++attempt) {
    const bool is_broken = db->needs_reopen();
    const auto resumed = db->resume();
    EXPECT_FALSE(is_broken && resumed);
    if (resumed) return;
    if (!is_broken) continue;
    EXPECT_THAT(resumed.error().message(), HasSubstr("restart the server"));
    db.reset();
    db = open(options);
  }
  FAIL() << "resume() fails again and again";
}

// The disk becomes full at each write around the one that closes the first memtable.
TEST_F(FullDisk, LosesNothingWhenAMemtableIsJustFull) {
  constexpr int64_t kFirst = 53;
  constexpr int64_t kLast = 60;
  for (int64_t rows = kFirst; rows <= kLast; ++rows) {
    const PartitionOptions options{.path = folder_ / std::to_string(rows),
                                   .tuning = {.memtable_bytes = 64 << 10},
                                   .env = disk_.env(),
                                   .resume_limit = std::chrono::milliseconds(2'000)};
    auto db = open(options);
    for (int64_t row = 1; row <= rows; ++row) {
      ASSERT_TRUE(put_row(*db, row, std::string(1000, 'v')));
    }
    disk_.set_space(30);
    ASSERT_FALSE(put_row(*db, rows + 1, std::string(1000, 'v')));
    disk_.set_endless_space();
    make_writable(db, options);
    const auto written = put_row(*db, rows + 1, "again");
    ASSERT_TRUE(written) << written.error().to_string();
    db.reset();
    db = open(options);
    for (int64_t row = 1; row <= rows + 1; ++row) ASSERT_TRUE(has_row(*db, row)) << row;
  }
}

TEST_F(FullDisk, FailsAFlushAndLetsItGoOn) {
  auto db = open_limited();
  ASSERT_TRUE(put_row(*db, 1, std::string(1000, 'v')));
  disk_.set_space(100);
  expect_full(db->flush());
  EXPECT_TRUE(has_row(*db, 1));
  disk_.set_endless_space();
  const auto resumed = db->resume();
  ASSERT_TRUE(resumed) << resumed.error().to_string();
  ASSERT_TRUE(put_row(*db, 2, "v"));
  ASSERT_TRUE(db->flush());
}

TEST_F(FullDisk, FailsACheckpointAndLeavesNothingOfIt) {
  auto db = open_limited();
  ASSERT_TRUE(put_row(*db, 1, "v"));
  ASSERT_TRUE(db->flush());
  disk_.set_space(10);
  const auto decree = db->checkpoint(folder_ / "copy");
  ASSERT_FALSE(decree);
  EXPECT_TRUE(is_disk_full(decree.error())) << decree.error().to_string();
  EXPECT_FALSE(std::filesystem::exists(folder_ / "copy"));
  disk_.set_endless_space();
  EXPECT_EQ(db->checkpoint(folder_ / "copy"), 1);
}

TEST_F(FullDisk, FailsAnOpenOrACreation) {
  disk_.set_space(10);
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto db = PartitionDb::open({.path = folder_ / "db", .env = disk_.env()});
    ASSERT_FALSE(db);
    EXPECT_TRUE(is_disk_full(db.error())) << db.error().to_string();
    EXPECT_FALSE(std::filesystem::exists(folder_ / "db"));
  }
  disk_.set_endless_space();
  ASSERT_TRUE(put_row(*open_limited(), 1, "v"));
  disk_.set_space(10);
  const auto db = PartitionDb::open({.path = folder_ / "db", .env = disk_.env()});
  ASSERT_FALSE(db);
  EXPECT_TRUE(is_disk_full(db.error())) << db.error().to_string();
  disk_.set_endless_space();
  EXPECT_TRUE(has_row(*open_limited(), 1));
}

}  // namespace
}  // namespace pegmove::store
