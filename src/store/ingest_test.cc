// Table files taken into a database, and those that are refused before.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rocksdb/sst_file_writer.h>

#include <filesystem>

#include "record/hash.h"
#include "record/value.h"
#include "store/partition_db.h"
#include "store/partitions_test.h"
#include "store/table_file.h"

namespace pegmove::store {
namespace {

using ::testing::HasSubstr;

std::string stored(const std::string& data) {
  std::string value;
  record::append_value_header(value, 1, 0, 0);
  return value + data;
}

class IngestTest : public ::testing::Test {
 protected:
  // Raw keys and stored values, in key order.
  std::string make_file(const std::string& name, const std::map<std::string, std::string>& rows) {
    std::filesystem::create_directories(folder_ / "load");
    const auto path = folder_ / ("load/" + name);
    rocksdb::SstFileWriter writer{rocksdb::EnvOptions(), rocksdb::Options()};
    EXPECT_TRUE(writer.Open(path).ok());
    for (const auto& [key, value] : rows) EXPECT_TRUE(writer.Put(key, value).ok());
    EXPECT_TRUE(writer.Finish().ok());
    return path;
  }
  std::string file_of_rows(const std::string& name, int from, int to) {
    std::map<std::string, std::string> rows;
    for (int i = from; i < to; ++i) rows[row_key(i)] = stored("loaded");
    return make_file(name, rows);
  }
  void open_db(bool behind) {
    db_.reset();
    db_ = open({.path = folder_ / "db",
                .tuning = {.scenario = UsageScenario::kBulkLoad},
                .allow_ingest_behind = behind});
  }
  std::string data_of(int row) {
    const auto value = db_->get(row_key(row));
    return value && *value ? std::string((*value)->user_data()) : "(none)";
  }
  Error error_of(const Result<void>& result) {
    return result ? Error(Code::kInternal, "it passed") : result.error();
  }

  TestFolder folder_;
  std::unique_ptr<PartitionDb> db_;
};

TEST_F(IngestTest, LoadedRowsWinOverThoseThatAreThere) {
  open_db(false);
  ASSERT_TRUE(put_row(*db_, 1, "before"));
  ASSERT_TRUE(put_row(*db_, 7, "before"));
  ASSERT_TRUE(db_->ingest({file_of_rows("a.sst", 0, 5)}, false, 100));
  EXPECT_EQ(data_of(1), "loaded");
  EXPECT_EQ(data_of(7), "before");
  ASSERT_TRUE(put_row(*db_, 9, "after"));
  EXPECT_EQ(data_of(9), "after");
}

TEST_F(IngestTest, ALoadKeepsTheDecreeAndTheTimestamp) {
  open_db(false);
  WriteBatch batch = db_->new_batch();
  ASSERT_TRUE(db_->write(batch, 7, 1000));
  ASSERT_TRUE(db_->ingest({file_of_rows("a.sst", 0, 5)}, false, 100));
  open_db(false);
  EXPECT_EQ(db_->last_decree(), 7);
  EXPECT_EQ(db_->last_timestamp_us(), 1000);
}

TEST_F(IngestTest, BehindNewerWritesAndDeletesStay) {
  open_db(true);
  ASSERT_TRUE(put_row(*db_, 1, "newer"));
  ASSERT_TRUE(put_row(*db_, 2, "newer"));
  WriteBatch remove = db_->new_batch();
  remove.remove(row_key(2));
  remove.remove(row_key(3));
  ASSERT_TRUE(db_->write(remove, 3));
  ASSERT_TRUE(db_->flush());
  ASSERT_TRUE(db_->ingest({file_of_rows("a.sst", 0, 5)}, true, 100));
  const auto check = [&] {
    EXPECT_EQ(data_of(0), "loaded");
    EXPECT_EQ(data_of(1), "newer");
    EXPECT_EQ(data_of(2), "(none)");
    EXPECT_EQ(data_of(3), "(none)");
    EXPECT_EQ(data_of(4), "loaded");
  };
  check();
  open_db(true);
  check();
  ASSERT_TRUE(db_->tune({.scenario = UsageScenario::kNormal}));
  ASSERT_TRUE(db_->compact());
  check();
}

TEST_F(IngestTest, ALoadThatIsNotedIsNotDoneAgain) {
  open_db(false);
  EXPECT_EQ(db_->last_load(), 0);
  const auto file = file_of_rows("a.sst", 0, 5);
  ASSERT_TRUE(db_->ingest({file}, false, 100));
  EXPECT_FALSE(std::filesystem::exists(file)) << "it was moved";
  open_db(false);
  EXPECT_EQ(db_->last_load(), 100);
  ASSERT_TRUE(db_->ingest({file}, false, 100));
  EXPECT_EQ(data_of(4), "loaded");
  ASSERT_TRUE(db_->ingest({file_of_rows("b.sst", 5, 6)}, false, 101));
  EXPECT_EQ(db_->last_load(), 101);
}

TEST_F(IngestTest, ARefusedLoadChangesNothing) {
  open_db(false);
  ASSERT_TRUE(put_row(*db_, 1, "before"));
  const auto behind = db_->ingest({file_of_rows("a.sst", 0, 5)}, true, 100);
  EXPECT_EQ(error_of(behind).code(), Code::kRefused) << error_of(behind).to_string();
  const auto missing = db_->ingest({folder_ / "load/none.sst"}, false, 100);
  EXPECT_FALSE(missing);
  EXPECT_EQ(db_->last_load(), 0);
  EXPECT_EQ(data_of(1), "before");
  EXPECT_EQ(data_of(0), "(none)");
  ASSERT_TRUE(put_row(*db_, 2, "after")) << "and writes go on";
}

TEST_F(IngestTest, ACompactedDatabaseIsNotLoadedBehind) {
  open_db(true);
  ASSERT_TRUE(put_row(*db_, 1, "before"));
  ASSERT_TRUE(db_->compact());
  const auto refused = db_->ingest({file_of_rows("a.sst", 5, 9)}, true, 100);
  EXPECT_EQ(error_of(refused).code(), Code::kRefused);
  EXPECT_THAT(error_of(refused).message(), HasSubstr("has been compacted"));
  EXPECT_EQ(data_of(6), "(none)");
}

TEST_F(IngestTest, FilesOfThePartitionPassTheCheck) {
  EXPECT_TRUE(check_table_files({file_of_rows("a.sst", 0, 5), file_of_rows("b.sst", 5, 9)}, {}));
  EXPECT_TRUE(check_table_files({make_file("empty.sst", {{"", ""}})}, {}));
}

TEST_F(IngestTest, WhatIsWrongWithFilesIsNamed) {
  const auto expect = [&](const std::vector<std::string>& paths, const std::string& says,
                          TablePlace place = {}) {
    const auto result = check_table_files(paths, place);
    EXPECT_EQ(error_of(result).code(), Code::kCorrupt);
    EXPECT_THAT(error_of(result).to_string(), HasSubstr(says));
  };
  const auto good = file_of_rows("good.sst", 0, 200);
  expect({good, file_of_rows("other.sst", 1, 3)}, "good.sst and other.sst of partition 0 overlap");
  expect({good}, "belongs to partition", {.partition = 1, .partition_count = 4});
  expect({make_file("short.sst", {{row_key(1), "abc"}})}, "short.sst");
  expect({make_file("key.sst", {{"x", stored("v")}})}, "a key that is none");
  auto bytes = read_file(good);
  write_file(folder_ / "load/cut.sst", bytes.substr(0, bytes.size() / 2));
  expect({folder_ / "load/cut.sst"}, "cut.sst");
  bytes[20] ^= 1;
  write_file(folder_ / "load/flipped.sst", bytes);
  expect({folder_ / "load/flipped.sst"}, "flipped.sst");
}

}  // namespace
}  // namespace pegmove::store
