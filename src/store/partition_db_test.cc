#include "store/partition_db.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "record/expiry.h"
#include "record/key.h"
#include "store/partitions_test.h"

namespace pegmove::store {
namespace {

using namespace std::string_literals;
using record::encode_key;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::unique_ptr<PartitionDb> open(const std::string& path) {
  return store::open(PartitionOptions{.path = path});
}

void put(PartitionDb& db, int64_t decree, const std::string& key, const std::string& value,
         uint32_t expire_ts = 0) {
  WriteBatch batch = db.new_batch();
  batch.put(key, value, expire_ts, decree << 8);
  const auto written = db.write(batch, decree);
  ASSERT_TRUE(written) << written.error().to_string();
}

std::string text_of(const Result<std::optional<StoredValue>>& value) {
  if (!value) return "error: " + value.error().to_string();
  return *value ? std::string((*value)->user_data()) : "nothing";
}

// The hash keys of the rows that a cursor meets, to its end.
std::vector<std::string> walk(Cursor& cursor, void (Cursor::*step)() = &Cursor::next) {
  std::vector<std::string> keys;
  for (; cursor.valid(); (cursor.*step)()) {
    keys.emplace_back(record::split_key(cursor.key())->hash_key);
  }
  EXPECT_TRUE(cursor.status());
  return keys;
}

template <typename T>
std::string error_of(const Result<T>& result, Code code) {
  if (result) return "no error";
  EXPECT_EQ(result.error().code(), code) << result.error().to_string();
  return result.error().to_string();
}

TEST(PartitionDb, CreatesAnEmptyDatabase) {
  const TestFolder folder;
  const auto db = open(folder / "1.0.pegasus/data/rdb");
  EXPECT_EQ(db->data_version(), 1);
  EXPECT_EQ(db->last_decree(), 0);
  EXPECT_TRUE(db->health());
  const auto cursor = db->new_cursor();
  cursor->seek("");
  EXPECT_THAT(walk(*cursor), IsEmpty());
}

TEST(PartitionDb, WritesTheMetaKeysThatPegasusNeeds) {
  const TestFolder folder;
  open(folder / "db").reset();
  rocksdb::DB* opened = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  ASSERT_TRUE(rocksdb::DB::OpenForReadOnly(
                  {}, folder / "db", {{"default", {}}, {"pegasus_meta_cf", {}}}, &families, &opened)
                  .ok());
  const std::unique_ptr<rocksdb::DB> db(opened);
  for (const auto& [key, expected] :
       {std::pair("pegasus_data_version", "1"), std::pair("pegasus_last_flushed_decree", "0"),
        std::pair("pegasus_last_manual_compact_finish_time", "0")}) {
    std::string value;
    EXPECT_TRUE(db->Get({}, families[1], key, &value).ok()) << key;
    EXPECT_EQ(value, expected) << key;
  }
  for (auto* family : families) db->DestroyColumnFamilyHandle(family);
}

TEST(PartitionDb, ReadsBackWhatWasWritten) {
  const TestFolder folder;
  const auto db = open(folder / "db");
  WriteBatch batch = db->new_batch();
  batch.put(encode_key("h", "a"), "\0binary\xff"s, 77, 1234567);
  batch.put(encode_key("h", "b"), "", 0, 5);
  batch.put(encode_key("h", "c"), "gone", 0, 5);
  batch.remove(encode_key("h", "c"));
  EXPECT_EQ(batch.count(), 4u);
  ASSERT_TRUE(db->write(batch, 9));
  EXPECT_EQ(db->last_decree(), 9);

  const auto value = db->get(encode_key("h", "a"));
  ASSERT_TRUE(value && *value);
  EXPECT_EQ((*value)->expire_ts(), 77u);
  EXPECT_EQ((*value)->timetag(), 1234567u);
  EXPECT_EQ((*value)->user_data(), "\0binary\xff"s);
  EXPECT_EQ(text_of(db->get(encode_key("h", "b"))), "");
  EXPECT_EQ(text_of(db->get(encode_key("h", "c"))), "nothing");

  const std::vector<std::string> keys{encode_key("h", "c"), encode_key("h", "a"),
                                      encode_key("h", "a")};
  const auto values = db->multi_get(keys);
  ASSERT_TRUE(values);
  EXPECT_FALSE((*values)[0]);
  EXPECT_EQ((*values)[1]->user_data(), "\0binary\xff"s);
  EXPECT_EQ((*values)[2]->timetag(), 1234567u);
}

TEST(PartitionDb, LeavesTheBatchAsItWas) {
  const TestFolder folder;
  const auto db = open(folder / "db");
  WriteBatch batch = db->new_batch();
  batch.put(encode_key("h", "a"), "v", 0, 0);
  const size_t bytes = batch.bytes();
  ASSERT_TRUE(db->write(batch, 1));
  EXPECT_EQ(batch.count(), 1u);
  EXPECT_EQ(batch.bytes(), bytes);
  ASSERT_TRUE(db->write(batch, 2));
  batch.clear();
  EXPECT_EQ(batch.count(), 0u);
}

TEST(PartitionDb, KeepsRowsAndDecreeOverAReopen) {
  const TestFolder folder;
  {
    const auto db = open(folder / "db");
    put(*db, 1, encode_key("flushed", ""), "1");
    ASSERT_TRUE(db->flush());
    put(*db, 2, encode_key("logged", ""), "2");
    WriteBatch empty = db->new_batch();
    ASSERT_TRUE(db->write(empty, 3));
  }
  const auto db = open(folder / "db");
  EXPECT_EQ(db->last_decree(), 3);
  EXPECT_EQ(text_of(db->get(encode_key("flushed", ""))), "1");
  EXPECT_EQ(text_of(db->get(encode_key("logged", ""))), "2");
  EXPECT_GT(db->disk_bytes(), 0u);
  EXPECT_EQ(db->estimated_rows(), 2u);
}

TEST(PartitionDb, RefusesADecreeThatIsNotNew) {
  const TestFolder folder;
  const auto db = open(folder / "db");
  put(*db, 5, encode_key("h", ""), "v");
  WriteBatch batch = db->new_batch();
  EXPECT_THAT(error_of(db->write(batch, 4), Code::kInvalidArgument), HasSubstr("decree 4"));
  EXPECT_THAT(error_of(db->write(batch, 5), Code::kInvalidArgument), HasSubstr("decree 5"));
  EXPECT_TRUE(db->write(batch, 8)) << "gaps are legal";
  EXPECT_EQ(db->last_decree(), 8);
}

TEST(PartitionDb, KeepsTheGreatestTimestampWithTheRows) {
  const TestFolder folder;
  const auto write = [](PartitionDb& db, int64_t decree, int64_t timestamp_us) {
    WriteBatch batch = db.new_batch();
    return db.write(batch, decree, timestamp_us);
  };
  {
    const auto db = open(folder / "db");
    EXPECT_EQ(db->last_timestamp_us(), 0);
    ASSERT_TRUE(write(*db, 1, 1000));
    ASSERT_TRUE(write(*db, 2, 999));
    put(*db, 3, encode_key("h", ""), "without one");
    EXPECT_EQ(db->last_timestamp_us(), 1000);
    EXPECT_THAT(error_of(write(*db, 4, kMaxTimestampUs + 1), Code::kInvalidArgument),
                HasSubstr("too large"));
  }
  const auto db = open(folder / "db");
  EXPECT_EQ(db->last_timestamp_us(), 1000);
  ASSERT_TRUE(write(*db, 4, 2000));
  ASSERT_TRUE(db->checkpoint(folder / "copy"));
  ASSERT_TRUE(write(*db, 5, kMaxTimestampUs));
  ASSERT_TRUE(db->compact());
  EXPECT_EQ(db->last_timestamp_us(), kMaxTimestampUs);
  EXPECT_EQ(open(folder / "copy")->last_timestamp_us(), 2000);
}

// Before the last timestamp was kept and each log synced when the next is begun: a row and its
// decree, and no more.
TEST(PartitionDb, OpensTheTwoLogsOfAnEarlierVersion) {
  const TestFolder folder;
  open(folder / "db").reset();
  rocksdb::Options options;
  options.atomic_flush = true;
  options.write_buffer_size = 64 << 10;
  rocksdb::DB* opened = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  ASSERT_TRUE(rocksdb::DB::Open(options, folder / "db",
                                {{"default", options}, {kMetaFamily, options}}, &families, &opened)
                  .ok());
  const std::unique_ptr<rocksdb::DB> db(opened);
  ASSERT_TRUE(db->PauseBackgroundWork().ok());  // flushes wait, and the first log with them
  for (int row = 1; row <= 30; ++row) {
    rocksdb::WriteBatch batch;
    batch.Put(encode_key("row", std::to_string(row)), std::string(12 + 3000, '\0'));
    batch.Put(families[1], kLastFlushedDecreeKey, std::to_string(row));
    ASSERT_TRUE(db->Write({}, &batch).ok());
  }
  std::filesystem::copy(folder / "db", folder / "killed");
  ASSERT_TRUE(db->ContinueBackgroundWork().ok());
  for (auto* family : families) db->DestroyColumnFamilyHandle(family);

  const auto is_used_log = [](const auto& file) {
    return file.first.ends_with(".log") && !file.second.empty();
  };
  EXPECT_EQ(std::ranges::count_if(contents(folder / "killed"), is_used_log), 2);
  const auto reopened = open(folder / "killed");
  EXPECT_EQ(reopened->last_decree(), 30);
  EXPECT_EQ(reopened->last_timestamp_us(), 0);
  const auto cursor = reopened->new_cursor();
  cursor->seek("");
  EXPECT_EQ(walk(*cursor).size(), 30u);
}

TEST(PartitionDb, RefusesABatchOfAnotherDataVersion) {
  const TestFolder folder;
  const auto db = open(folder / "db");
  WriteBatch batch(0);
  EXPECT_THAT(error_of(db->write(batch, 1), Code::kInvalidArgument), HasSubstr("data version 0"));
}

TEST(PartitionDb, SyncsEachWriteWhenAsked) {
  const TestFolder folder;
  const auto db = store::open({.path = folder / "db", .sync_writes = true});
  put(*db, 1, encode_key("h", ""), "v");
  EXPECT_EQ(text_of(db->get(encode_key("h", ""))), "v");
}

TEST(PartitionDb, SharesACacheAndMemtablesWithOthers) {
  const TestFolder folder;
  const auto resources = StoreResources::make(1 << 20, 1 << 20);
  const auto one = store::open({.path = folder / "1", .resources = resources});
  const auto two = store::open({.path = folder / "2", .resources = resources});
  put(*one, 1, encode_key("h", ""), "one");
  put(*two, 1, encode_key("h", ""), "two");
  EXPECT_EQ(text_of(one->get(encode_key("h", ""))), "one");
  EXPECT_EQ(text_of(two->get(encode_key("h", ""))), "two");
}

TEST(PartitionDb, IsOpenOnlyOnce) {
  const TestFolder folder;
  const auto db = open(folder / "db");
  EXPECT_THAT(error_of(PartitionDb::open({.path = folder / "db"}), Code::kBusy),
              HasSubstr(folder / "db"));
}

TEST(PartitionDb, ReplacesWhatAKilledCreationLeft) {
  const TestFolder folder;
  std::filesystem::create_directories(folder / "db.creating");
  write_file(folder / "db.creating/MANIFEST-000001", "half");
  const auto db = open(folder / "db/");
  EXPECT_FALSE(std::filesystem::exists(folder / "db.creating"));
}

TEST(PartitionDb, CreatesInAnEmptyFolder) {
  const TestFolder folder;
  std::filesystem::create_directories(folder / "db");
  EXPECT_THAT(error_of(PartitionDb::open({.path = folder / "db", .create_if_missing = false}),
                       Code::kNotFound),
              HasSubstr(folder / "db"));
  EXPECT_TRUE(PartitionDb::open({.path = folder / "db"}));
}

TEST(PartitionDb, KeepsItsOwnLogSmallAndItsFolderClean) {
  const TestFolder folder;
  for (int i = 0; i < 5; ++i) open(folder / "db");
  int logs = 0;
  for (const auto& [name, content] : contents(folder / "db")) {
    if (name.starts_with("LOG")) ++logs;
    EXPECT_LT(content.size(), 1u << 20) << name;
  }
  EXPECT_LE(logs, 2);
}

TEST(Compaction, DropsExpiredRowsByTheGivenClock) {
  const TestFolder folder;
  std::atomic<int64_t> now = record::unix_from_expire_ts(1000);
  const auto db =
      store::open({.path = folder / "db", .unix_seconds = [&now] { return now.load(); }});
  put(*db, 1, encode_key("gone", ""), "v", 1000);
  put(*db, 2, encode_key("later", ""), "v", 1001);
  put(*db, 3, encode_key("never", ""), "v", 0);
  put(*db, 4, "", "", 1);  // what an empty write of Pegasus leaves
  EXPECT_EQ(text_of(db->get(encode_key("gone", ""))), "v");
  ASSERT_TRUE(db->compact());
  EXPECT_EQ(text_of(db->get(encode_key("gone", ""))), "nothing");
  EXPECT_EQ(text_of(db->get(encode_key("later", ""))), "v");
  EXPECT_EQ(text_of(db->get(encode_key("never", ""))), "v");
  EXPECT_EQ(text_of(db->get("")), "");
  now = record::unix_from_expire_ts(1001);
  ASSERT_TRUE(db->compact());
  EXPECT_EQ(text_of(db->get(encode_key("later", ""))), "nothing");
  EXPECT_EQ(db->last_decree(), 4);
}

TEST(Compaction, KeepsExpiredRowsWithoutAClock) {
  const TestFolder folder;
  const auto db = open(folder / "db");
  put(*db, 1, encode_key("expired", ""), "v", 1);
  ASSERT_TRUE(db->compact());
  EXPECT_EQ(text_of(db->get(encode_key("expired", ""))), "v");
}

class CursorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    db_ = open(folder_ / "db");
    put(*db_, 1, "", "");
    put(*db_, 2, "\0"s, "");
    int64_t decree = 3;
    for (const char* key : {"a", "b", "c", "d"}) put(*db_, decree++, encode_key(key, ""), key);
  }
  TestFolder folder_;
  std::unique_ptr<PartitionDb> db_;
};

TEST_F(CursorTest, WalksForwardAndSkipsKeysThatAreNoRows) {
  const auto cursor = db_->new_cursor();
  EXPECT_FALSE(cursor->valid());
  cursor->seek("");
  ASSERT_TRUE(cursor->valid());
  EXPECT_EQ(cursor->value().user_data, "a");
  EXPECT_EQ(cursor->value().header.timetag, 3u << 8);
  EXPECT_THAT(walk(*cursor), ElementsAre("a", "b", "c", "d"));
  cursor->seek(encode_key("bb", ""));
  EXPECT_FALSE(cursor->valid());  // longer hash keys come behind
  cursor->seek(encode_key("c", ""));
  EXPECT_THAT(walk(*cursor), ElementsAre("c", "d"));
}

TEST_F(CursorTest, WalksBackwardAndSkipsKeysThatAreNoRows) {
  const auto cursor = db_->new_cursor();
  cursor->seek_for_prev(encode_key("c", "behind"));
  EXPECT_THAT(walk(*cursor, &Cursor::prev), ElementsAre("c", "b", "a"));
}

TEST_F(CursorTest, EndsBeforeItsUpperBound) {
  const auto cursor = db_->new_cursor(encode_key("c", ""), false);
  cursor->seek("");
  EXPECT_THAT(walk(*cursor), ElementsAre("a", "b"));
  cursor->seek_for_prev(encode_key("d", ""));
  EXPECT_THAT(walk(*cursor, &Cursor::prev), ElementsAre("b", "a"));
}

TEST_F(CursorTest, SeesTheRowsAsTheyWere) {
  const auto cursor = db_->new_cursor();
  WriteBatch batch = db_->new_batch();
  batch.remove(encode_key("a", ""));
  batch.put(encode_key("e", ""), "e", 0, 0);
  ASSERT_TRUE(db_->write(batch, 10));
  ASSERT_TRUE(db_->compact());
  cursor->seek("");
  EXPECT_THAT(walk(*cursor), ElementsAre("a", "b", "c", "d"));
}

TEST(Checkpoint, HoldsTheRowsAndTheirDecreeAndNoLog) {
  const TestFolder folder;
  const auto db = open(folder / "db");
  put(*db, 1, encode_key("before", ""), "v");
  ASSERT_TRUE(db->flush());
  put(*db, 2, encode_key("in memory", ""), "v");
  const auto decree = db->checkpoint(folder / "checkpoint.2");
  ASSERT_TRUE(decree) << decree.error().to_string();
  EXPECT_EQ(*decree, 2);
  put(*db, 3, encode_key("after", ""), "v");

  for (const auto& [name, content] : contents(folder / "checkpoint.2")) {
    EXPECT_TRUE(name == "CURRENT" || name.starts_with("MANIFEST-") ||
                name.starts_with("OPTIONS-") || name.ends_with(".sst"))
        << name;
  }
  const auto copy = open(folder / "checkpoint.2");
  EXPECT_EQ(copy->last_decree(), 2);
  const auto cursor = copy->new_cursor();
  cursor->seek("");
  EXPECT_THAT(walk(*cursor), ElementsAre("before", "in memory"));
}

TEST(Checkpoint, IsMadeOfANewDatabaseToo) {
  const TestFolder folder;
  const auto db = open(folder / "db");
  EXPECT_EQ(db->checkpoint(folder / "copy"), 0);
  EXPECT_EQ(open(folder / "copy")->data_version(), 1);
}

TEST(Checkpoint, RefusesAPathWhereSomethingIs) {
  const TestFolder folder;
  const auto db = open(folder / "db");
  write_file(folder / "here", "mine");
  EXPECT_THAT(error_of(db->checkpoint(folder / "here"), Code::kAlreadyExists), HasSubstr("here"));
  EXPECT_EQ(read_file(folder / "here"), "mine");
  EXPECT_FALSE(db->checkpoint(folder / "no/such/folder"));
}

}  // namespace
}  // namespace pegmove::store
