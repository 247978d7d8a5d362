// A partition's database under kill -9, on a full disk, and with damaged or foreign files.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "record/key.h"
#include "store/full_disk_env.h"
#include "store/partition_db.h"
#include "store/test_folder.h"

namespace pegmove::store {
namespace {

using record::encode_key;
using testing::HasSubstr;

std::unique_ptr<PartitionDb> open(const PartitionOptions& options) {
  auto db = PartitionDb::open(options);
  if (!db) throw std::runtime_error(db.error().to_string());
  return *std::move(db);
}

std::string row_key(int64_t number) { return encode_key("row" + std::to_string(number), "s"); }

Result<void> put_row(PartitionDb& db, int64_t number, const std::string& value) {
  WriteBatch batch = db.new_batch();
  batch.put(row_key(number), value, 0, 0);
  return db.write(batch, number);
}

bool has_row(const PartitionDb& db, int64_t number) {
  const auto value = db.get(row_key(number));
  return value && *value;
}

// ---- kill -9 ----

constexpr int kReportedRows = 1000;
constexpr const char* kPathVariable = "PEGMOVE_STORE_TEST_PATH";

// The child of the test below: writes rows and reports each on stderr, until it is killed.
TEST(KilledProcess, DISABLED_WritesRowsWithoutEnd) {
  const char* path = std::getenv(kPathVariable);
  ASSERT_NE(path, nullptr);
  const auto db = open({.path = path});
  for (int64_t number = 1;; ++number) {
    if (!put_row(*db, number, "v")) _exit(2);
    if (write(STDERR_FILENO, &number, sizeof number) != sizeof number) _exit(3);
  }
}

// Runs this program again, with nothing but the child's test and its stderr in a pipe.
pid_t start_child(const std::string& path, int report_fd) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, report_fd, STDERR_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  std::array<std::string, 3> words{"store_test", "--gtest_also_run_disabled_tests",
                                   "--gtest_filter=KilledProcess.DISABLED_WritesRowsWithoutEnd"};
  std::array<char*, 4> arguments{words[0].data(), words[1].data(), words[2].data(), nullptr};
  setenv(kPathVariable, path.c_str(), 1);
  pid_t child = 0;
  const int failed =
      posix_spawn(&child, "/proc/self/exe", &actions, nullptr, arguments.data(), environ);
  unsetenv(kPathVariable);
  posix_spawn_file_actions_destroy(&actions);
  return failed == 0 ? child : -1;
}

TEST(KilledProcess, LosesNoReportedRow) {
  const TestFolder folder;
  std::array<int, 2> report{};
  ASSERT_EQ(pipe(report.data()), 0);
  const pid_t child = start_child(folder / "db", report[1]);
  ASSERT_GT(child, 0);
  close(report[1]);
  int64_t last = 0;
  while (last < kReportedRows && read(report[0], &last, sizeof last) == sizeof last) {
  }
  kill(child, SIGKILL);
  while (read(report[0], &last, sizeof last) == sizeof last) {
  }  // what it still reported counts too
  close(report[0]);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  ASSERT_GE(last, kReportedRows);

  const auto db = open({.path = folder / "db", .create_if_missing = false});
  EXPECT_GE(db->last_decree(), last);
  for (int64_t number = 1; number <= last; ++number) ASSERT_TRUE(has_row(*db, number)) << number;
}

// ---- a full disk ----

class FullDisk : public testing::Test {
 protected:
  std::unique_ptr<PartitionDb> open_limited() {
    return open({.path = folder_ / "db", .env = env_.get()});
  }
  void expect_full(const Result<void>& result) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), Code::kIo);
    EXPECT_TRUE(is_disk_full(result.error())) << result.error().to_string();
    EXPECT_THAT(result.error().message(), HasSubstr(folder_ / "db"));
  }

  TestFolder folder_;
  DiskSpace space_;
  std::unique_ptr<rocksdb::Env> env_ = make_full_disk_env(space_);
};

TEST_F(FullDisk, StopsWritesAndLetsThemGoOnWhenThereIsSpace) {
  auto db = open_limited();
  space_.set(100'000);
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

  space_.set_endless();
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
  space_.set(30);
  expect_full(put_row(*db, 2, std::string(1000, 'v')));
  space_.set_endless();
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

TEST_F(FullDisk, CanBeClosedAndOpenedAgainWithoutSpaceInBetween) {
  auto db = open_limited();
  ASSERT_TRUE(put_row(*db, 1, "v"));
  space_.set(30);
  expect_full(put_row(*db, 2, std::string(1000, 'v')));
  expect_full(db->flush());
  expect_full(db->compact());
  EXPECT_FALSE(db->checkpoint(folder_ / "copy"));
  EXPECT_FALSE(db->needs_reopen());
  db.reset();
  EXPECT_FALSE(PartitionDb::open({.path = folder_ / "db", .env = env_.get()}));
  space_.set_endless();
  db = open_limited();
  EXPECT_TRUE(has_row(*db, 1));
  EXPECT_EQ(db->last_decree(), 1);
}

// The disk becomes full at each write around the one that closes the first memtable.
TEST_F(FullDisk, LosesNothingWhenAMemtableIsJustFull) {
  constexpr int64_t kFirst = 40;
  constexpr int64_t kLast = 75;
  int reopened = 0;
  for (int64_t rows = kFirst; rows <= kLast; ++rows) {
    const std::string path = folder_ / std::to_string(rows);
    const PartitionOptions options{.path = path, .memtable_bytes = 64 << 10, .env = env_.get()};
    auto db = open(options);
    for (int64_t row = 1; row <= rows; ++row)
      ASSERT_TRUE(put_row(*db, row, std::string(1000, 'v')));
    space_.set(30);
    ASSERT_FALSE(put_row(*db, rows + 1, std::string(1000, 'v')));
    space_.set_endless();
    if (db->needs_reopen()) {
      EXPECT_FALSE(db->resume());
      ++reopened;
      db.reset();
      db = open(options);
    }
    ASSERT_TRUE(db->resume());
    const auto written = put_row(*db, rows + 1, "again");
    ASSERT_TRUE(written) << written.error().to_string();
    db.reset();
    db = open(options);
    for (int64_t row = 1; row <= rows + 1; ++row) ASSERT_TRUE(has_row(*db, row)) << row;
  }
  RecordProperty("reopened", reopened);
  std::cout << "reopened " << reopened << "\n";
}

TEST_F(FullDisk, FailsAFlushAndLetsItGoOn) {
  auto db = open_limited();
  ASSERT_TRUE(put_row(*db, 1, std::string(1000, 'v')));
  space_.set(100);
  expect_full(db->flush());
  EXPECT_TRUE(has_row(*db, 1));
  space_.set_endless();
  const auto resumed = db->resume();
  ASSERT_TRUE(resumed) << resumed.error().to_string();
  ASSERT_TRUE(put_row(*db, 2, "v"));
  ASSERT_TRUE(db->flush());
}

TEST_F(FullDisk, FailsACheckpointAndLeavesNothingOfIt) {
  auto db = open_limited();
  ASSERT_TRUE(put_row(*db, 1, "v"));
  ASSERT_TRUE(db->flush());
  space_.set(10);
  const auto decree = db->checkpoint(folder_ / "copy");
  ASSERT_FALSE(decree);
  EXPECT_TRUE(is_disk_full(decree.error())) << decree.error().to_string();
  EXPECT_FALSE(std::filesystem::exists(folder_ / "copy"));
  space_.set_endless();
  EXPECT_EQ(db->checkpoint(folder_ / "copy"), 1);
}

TEST_F(FullDisk, FailsAnOpenOrACreation) {
  space_.set(10);
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto db = PartitionDb::open({.path = folder_ / "db", .env = env_.get()});
    ASSERT_FALSE(db);
    EXPECT_TRUE(is_disk_full(db.error())) << db.error().to_string();
    EXPECT_FALSE(std::filesystem::exists(folder_ / "db"));
  }
  space_.set_endless();
  ASSERT_TRUE(put_row(*open_limited(), 1, "v"));
  space_.set(10);
  const auto db = PartitionDb::open({.path = folder_ / "db", .env = env_.get()});
  ASSERT_FALSE(db);
  EXPECT_TRUE(is_disk_full(db.error())) << db.error().to_string();
  space_.set_endless();
  EXPECT_TRUE(has_row(*open_limited(), 1));
}

// ---- damaged and foreign files ----

// A closed database of 1000 rows, all in one table file and none in the log.
class DamagedFolder : public testing::Test {
 protected:
  void SetUp() override {
    const auto db = open({.path = path_});
    for (int64_t number = 1; number <= 1000; ++number) {
      ASSERT_TRUE(put_row(*db, number, std::string(100, 'v')));
    }
    ASSERT_TRUE(db->compact());
  }
  // The largest file whose name has this in it.
  std::filesystem::path file(const std::string& part) {
    std::filesystem::path found;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      if (!entry.path().filename().string().contains(part)) continue;
      if (found.empty() || entry.file_size() > file_size(found)) found = entry.path();
    }
    return found;
  }
  void flip_byte(const std::filesystem::path& name, size_t at) {
    std::string bytes = read_file(name);
    bytes.at(at) = static_cast<char>(bytes[at] ^ 0x40);
    write_file(name, bytes);
  }
  void expect_no_open() {
    const auto db = PartitionDb::open({.path = path_});
    ASSERT_FALSE(db);
    expect_corrupt(db.error());
  }
  void expect_corrupt(const Error& error) {
    EXPECT_EQ(error.code(), Code::kCorrupt) << error.to_string();
    EXPECT_THAT(error.message(), HasSubstr(path_));
  }

  TestFolder folder_;
  std::string path_ = folder_ / "db";
};

TEST_F(DamagedFolder, AFlippedByteOfATableFileIsFoundWhenItIsRead) {
  flip_byte(file(".sst"), 5000);
  const auto db = open({.path = path_});
  const auto cursor = db->new_cursor();
  int rows = 0;
  for (cursor->seek(""); cursor->valid(); cursor->next()) ++rows;
  EXPECT_LT(rows, 1000);
  ASSERT_FALSE(cursor->status());
  expect_corrupt(cursor->status().error());
  int damaged = 0;
  for (int64_t number = 1; number <= 1000; ++number) {
    const auto value = db->get(row_key(number));
    if (value) continue;
    expect_corrupt(value.error());
    ++damaged;
  }
  EXPECT_GT(damaged, 0);
  EXPECT_LT(damaged, 1000);
  const auto compacted = db->compact();
  ASSERT_FALSE(compacted);
  expect_corrupt(compacted.error());
}

TEST_F(DamagedFolder, ATruncatedTableFileDoesNotOpen) {
  resize_file(file(".sst"), 5000);
  expect_no_open();
}

TEST_F(DamagedFolder, AMissingTableFileDoesNotOpen) {
  remove(file(".sst"));
  expect_no_open();
}

TEST_F(DamagedFolder, AFlippedByteOfTheManifestDoesNotOpen) {
  flip_byte(file("MANIFEST"), 20);
  expect_no_open();
}

TEST_F(DamagedFolder, AMissingManifestDoesNotOpen) {
  remove(file("MANIFEST"));
  expect_no_open();
}

TEST_F(DamagedFolder, ABadCurrentFileDoesNotOpen) {
  for (const char* text : {"", "nonsense", "MANIFEST-000099\n", "../../etc/passwd\n"}) {
    write_file(path_ + "/CURRENT", text);
    expect_no_open();
  }
}

TEST_F(DamagedFolder, AMissingCurrentFileDoesNotOpen) {
  remove(file("CURRENT"));
  expect_no_open();
}

TEST(ForeignFolder, IsLeftUntouched) {
  const TestFolder folder;
  std::filesystem::create_directories(folder / "db");
  write_file(folder / "db/thesis.txt", "mine");
  const auto db = PartitionDb::open({.path = folder / "db"});
  ASSERT_FALSE(db);
  EXPECT_EQ(db.error().code(), Code::kCorrupt);
  EXPECT_THAT(db.error().message(), HasSubstr(folder / "db"));
  EXPECT_EQ(contents(folder / "db"), (std::map<std::string, std::string>{{"thesis.txt", "mine"}}));
}

TEST(ForeignFolder, MayBeAFile) {
  const TestFolder folder;
  write_file(folder / "db", "mine");
  const auto db = PartitionDb::open({.path = folder / "db"});
  ASSERT_FALSE(db);
  EXPECT_EQ(db.error().code(), Code::kIo) << db.error().to_string();
  EXPECT_THAT(db.error().message(), HasSubstr(folder / "db"));
  EXPECT_EQ(read_file(folder / "db"), "mine");
}

// Makes a database with these families and these meta keys.
void make_database(const std::string& path, const std::string& family,
                   const std::map<std::string, std::string>& keys) {
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* opened = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open(options, path, &opened).ok());
  const std::unique_ptr<rocksdb::DB> db(opened);
  if (family.empty()) return;
  rocksdb::ColumnFamilyHandle* handle = nullptr;
  ASSERT_TRUE(db->CreateColumnFamily({}, family, &handle).ok());
  for (const auto& [key, value] : keys) ASSERT_TRUE(db->Put({}, handle, key, value).ok());
  ASSERT_TRUE(db->Put({}, encode_key("h", ""), "bad").ok());
  db->DestroyColumnFamilyHandle(handle);
}

TEST(ForeignDatabase, WithOtherColumnFamiliesIsLeftUntouched) {
  for (const std::string family : {"", "other"}) {
    const TestFolder folder;
    make_database(folder / "db", family, {});
    const auto before = contents(folder / "db");
    const auto db = PartitionDb::open({.path = folder / "db"});
    ASSERT_FALSE(db);
    EXPECT_EQ(db.error().code(), Code::kCorrupt);
    EXPECT_THAT(db.error().message(),
                HasSubstr(family.empty() ? "lacks the column family pegasus_meta_cf" : "other"));
    EXPECT_EQ(contents(folder / "db"), before);
  }
}

TEST(ForeignDatabase, WithBadMetaKeysIsAnError) {
  struct Case {
    std::map<std::string, std::string> keys;
    Code code;
    std::string says;
  };
  const Case cases[] = {
      {{}, Code::kCorrupt, "pegasus_data_version is missing"},
      {{{kDataVersionKey, "1"}}, Code::kCorrupt, "pegasus_last_flushed_decree is missing"},
      {{{kDataVersionKey, "2"}}, Code::kUnsupported, "data version is 2"},
      {{{kDataVersionKey, "x"}}, Code::kCorrupt, "no number"},
      {{{kDataVersionKey, "1"}, {kLastFlushedDecreeKey, "-1"}}, Code::kCorrupt, "no number"},
  };
  for (const Case& one : cases) {
    const TestFolder folder;
    make_database(folder / "db", kMetaFamily, one.keys);
    const auto db = PartitionDb::open({.path = folder / "db"});
    ASSERT_FALSE(db) << one.says;
    EXPECT_EQ(db.error().code(), one.code) << db.error().to_string();
    EXPECT_THAT(db.error().message(), HasSubstr(one.says));
    EXPECT_THAT(db.error().message(), HasSubstr(folder / "db"));
  }
}

TEST(DataVersion0, IsServed) {
  const TestFolder folder;
  make_database(folder / "db", kMetaFamily, {{kDataVersionKey, "0"}, {kLastFlushedDecreeKey, "7"}});
  const auto db = open({.path = folder / "db"});
  EXPECT_EQ(db->data_version(), 0);
  EXPECT_EQ(db->last_decree(), 7);
  ASSERT_TRUE(put_row(*db, 8, "abc"));
  const auto value = db->get(row_key(8));
  ASSERT_TRUE(value && *value);
  EXPECT_EQ((*value)->user_data(), "abc");
}

TEST(BadValue, IsCorruptAndNamesItsKey) {
  const TestFolder folder;
  make_database(folder / "db", kMetaFamily, {{kDataVersionKey, "1"}, {kLastFlushedDecreeKey, "7"}});
  const auto db = open({.path = folder / "db", .unix_seconds = [] { return int64_t{2} << 31; }});
  ASSERT_TRUE(db->compact());  // keeps it
  const auto cursor = db->new_cursor();
  cursor->seek("");
  EXPECT_FALSE(cursor->valid());
  ASSERT_FALSE(cursor->status());
  EXPECT_EQ(cursor->status().error().code(), Code::kCorrupt);
  EXPECT_THAT(cursor->status().error().message(), HasSubstr("\\x00\\x01h"));
  EXPECT_EQ(db->get(encode_key("h", "")).error().code(), Code::kCorrupt);
  EXPECT_FALSE(db->multi_get(std::vector{encode_key("h", "")}));
}

}  // namespace
}  // namespace pegmove::store
