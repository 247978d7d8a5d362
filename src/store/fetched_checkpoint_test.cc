// Checkpoints from other servers, before they are opened.
#include "store/fetched_checkpoint.h"

#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <atomic>
#include <filesystem>

#include "store/layout.h"
#include "store/partitions_test.h"

namespace pegmove::store {
namespace {

class FetchedCheckpointTest : public ::testing::Test {
 protected:
  // A checkpoint of a partition with so many rows.
  void make_checkpoint(int rows) {
    const auto db = open({.path = folder / "db"});
    for (int i = 1; i <= rows; ++i) ASSERT_TRUE(put_row(*db, i, std::string(1000, char('a' + i))));
    ASSERT_EQ(db->checkpoint(path), rows);
  }
  // Puts it into the meta family of the checkpoint.
  void put_meta(const std::string& key, const std::string& value) {
    rocksdb::DB* opened = nullptr;
    std::vector<rocksdb::ColumnFamilyHandle*> families;
    const PartitionOptions options{.path = path};
    ASSERT_TRUE(rocksdb::DB::Open(rocksdb::DBOptions(), path, make_families(options, {}), &families,
                                  &opened)
                    .ok());
    const std::unique_ptr<rocksdb::DB> db(opened);
    EXPECT_TRUE(db->Put(rocksdb::WriteOptions(), families[1], key, value).ok());
    for (auto* family : families) db->DestroyColumnFamilyHandle(family);
  }
  // The names in the meta family of the checkpoint.
  std::vector<std::string> meta_keys() {
    rocksdb::DB* opened = nullptr;
    std::vector<rocksdb::ColumnFamilyHandle*> families;
    const PartitionOptions options{.path = path};
    EXPECT_TRUE(rocksdb::DB::OpenForReadOnly(rocksdb::DBOptions(), path, make_families(options, {}),
                                             &families, &opened)
                    .ok());
    const std::unique_ptr<rocksdb::DB> db(opened);
    std::vector<std::string> keys;
    {
      const std::unique_ptr<rocksdb::Iterator> all(
          db->NewIterator(rocksdb::ReadOptions(), families[1]));
      for (all->SeekToFirst(); all->Valid(); all->Next()) keys.push_back(all->key().ToString());
    }
    for (auto* family : families) db->DestroyColumnFamilyHandle(family);
    return keys;
  }
  std::string table_file() const {
    std::string largest;
    for (const auto& entry : std::filesystem::directory_iterator(path))
      if (entry.path().extension() == ".sst" &&
          (largest.empty() || entry.file_size() > std::filesystem::file_size(largest)))
        largest = entry.path();
    return largest;
  }

  TestFolder folder;
  const std::string path = folder / "checkpoint";
};

TEST_F(FetchedCheckpointTest, HasTheDecreeOfItsLastWrite) {
  make_checkpoint(5);
  const auto before = contents(path);
  EXPECT_EQ(check_fetched_checkpoint(path), 5);
  EXPECT_EQ(contents(path), before) << "only read";
}

TEST_F(FetchedCheckpointTest, IsNoLongerCheckedWhenThatIsStopped) {
  make_checkpoint(20);
  std::atomic<int> reads = 0;
  ASSERT_TRUE(check_fetched_checkpoint(path, [&] { return ++reads < 0; }));
  const int all = reads;
  ASSERT_GT(all, 3);
  for (int at = 1; at < all; ++at) {
    reads = 0;
    const auto checked = check_fetched_checkpoint(path, [&] { return ++reads >= at; });
    ASSERT_FALSE(checked) << at;
    EXPECT_EQ(checked.error().code(), Code::kInterrupted) << checked.error().to_string();
  }
  EXPECT_EQ(check_fetched_checkpoint(path), 20);
}

TEST_F(FetchedCheckpointTest, IsRefusedWithADamagedBlock) {
  make_checkpoint(20);
  auto bytes = read_file(table_file());
  bytes[500] = char(bytes[500] ^ 1);  // within the first block of rows
  std::filesystem::permissions(table_file(), std::filesystem::perms::owner_write,
                               std::filesystem::perm_options::add);
  write_file(table_file(), bytes);
  const auto checked = check_fetched_checkpoint(path);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code(), Code::kCorrupt);
}

TEST_F(FetchedCheckpointTest, IsRefusedWithoutOneOfItsFiles) {
  make_checkpoint(20);
  std::filesystem::remove(table_file());
  const auto checked = check_fetched_checkpoint(path);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code(), Code::kCorrupt);
}

TEST_F(FetchedCheckpointTest, LosesTheLogOfItsMasterAndNothingElse) {
  make_checkpoint(3);
  put_meta("pegmove_duplication_log", "begins");
  put_meta(std::string("pegmove_duplication_log/\0\0\0\0\0\0\0\7", 32), "entry");
  put_meta("pegmove_last_timestamp_us", "77");
  put_meta("pegmove_received/2/7/0", "5 6 7 8 9");
  ASSERT_EQ(meta_keys().size(), 7u);
  ASSERT_TRUE(drop_log_of_master(path));
  EXPECT_EQ(meta_keys(), (std::vector<std::string>{kDataVersionKey, kLastFlushedDecreeKey,
                                                   kManualCompactFinishTimeKey, kLastTimestampKey,
                                                   "pegmove_received/2/7/0"}));
  ASSERT_TRUE(drop_log_of_master(path)) << "repeatable";
  const auto db = open({.path = path, .create_if_missing = false});
  EXPECT_EQ(db->last_decree(), 3);
  EXPECT_EQ(db->last_timestamp_us(), 77);
  EXPECT_EQ(db->received_from({2, 7, 0}), (ReceivedPosition{5, 6, 7, 8}));
  EXPECT_TRUE(has_row(*db, 1) && has_row(*db, 2) && has_row(*db, 3));
}

TEST_F(FetchedCheckpointTest, IsNotTouchedWithoutALog) {
  make_checkpoint(3);
  const auto before = contents(path);
  ASSERT_TRUE(drop_log_of_master(path));
  EXPECT_EQ(contents(path), before);
}

}  // namespace
}  // namespace pegmove::store
