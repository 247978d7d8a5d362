// A partition's database with damaged or foreign files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "record/key.h"
#include "store/partition_db.h"
#include "store/partitions_test.h"

namespace pegmove::store {
namespace {

using record::encode_key;
using ::testing::HasSubstr;

// A closed database of 1000 rows, all in one table file and none in the log.
class DamagedFolder : public ::testing::Test {
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
      {{{kDataVersionKey, "1"}, {kLastFlushedDecreeKey, "7"}, {kLastTimestampKey, "soon"}},
       Code::kCorrupt,
       "pegmove_last_timestamp_us is \"soon\""},
      {{{kDataVersionKey, "1"},
        {kLastFlushedDecreeKey, "7"},
        {kLastTimestampKey, "9223372036854775807"}},
       Code::kCorrupt,
       "no number from 0 to 36028797018963968"},
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
