// Opens what a real server (RocksDB 8.5.3) wrote: a cold backup and the rows that its shell showed.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>

#include "record/expiry.h"
#include "record/hash.h"
#include "record/key.h"
#include "store/partition_db.h"
#include "store/partitions_test.h"
#include "testing/golden_rows.h"

namespace pegmove::store {
namespace {

using testing::kGoldenPartitions;
using Row = testing::GoldenRow;

std::string checkpoint_of(int partition) {
  return testing::kGoldenBackups + "/oneboxA/1795335319246/golden_4/" + std::to_string(partition) +
         "/chkpt_localhost_34801";
}

// The rows of one partition that live at the time of the backup.
void collect(const PartitionDb& db, int partition, std::set<Row>& rows) {
  const auto cursor = db.new_cursor();
  for (cursor->seek(""); cursor->valid(); cursor->next()) {
    const record::DecodedValue& value = cursor->value();
    if (record::is_expired(value.header.expire_ts,
                           record::pegasus_seconds(testing::kGoldenBackupTime)))
      continue;
    const auto key = record::split_key(cursor->key());
    ASSERT_TRUE(key);
    EXPECT_EQ(record::partition_index(record::raw_key_hash(*key), kGoldenPartitions), partition);
    rows.insert(
        {std::string(key->hash_key), std::string(key->sort_key), std::string(value.user_data)});
  }
  EXPECT_TRUE(cursor->status());
}

TEST(GoldenCheckpoint, YieldsTheLiveRowsOfTheRealServer) {
  const TestFolder folder;
  std::set<Row> rows;
  for (int partition = 0; partition < kGoldenPartitions; ++partition) {
    const std::string copy = folder / std::to_string(partition);
    std::filesystem::copy(checkpoint_of(partition), copy);
    const auto db = PartitionDb::open({.path = copy, .create_if_missing = false});
    ASSERT_TRUE(db) << db.error().to_string();
    EXPECT_EQ((*db)->data_version(), 1);
    EXPECT_EQ((*db)->last_timestamp_us(), 0);
    const std::string metadata = read_file(checkpoint_of(partition) + "/backup_metadata");
    const std::string decree =
        "\"checkpoint_decree\":" + std::to_string((*db)->last_decree()) + ",";
    EXPECT_NE(metadata.find(decree), std::string::npos) << decree << " in " << metadata;
    collect(**db, partition, rows);
  }
  const std::set<Row> expected = testing::golden_rows();
  EXPECT_GT(expected.size(), 800u);
  EXPECT_EQ(rows, expected);
}

TEST(GoldenCheckpoint, TakesWritesAndCompactionsAndGivesCheckpoints) {
  const TestFolder folder;
  std::filesystem::copy(checkpoint_of(0), folder / "db");
  const auto db = PartitionDb::open({.path = folder / "db"});
  ASSERT_TRUE(db) << db.error().to_string();
  std::set<Row> before;
  collect(**db, 0, before);
  const int64_t decree = (*db)->last_decree() + 1;
  WriteBatch batch = (*db)->new_batch();
  for (int i = 0;; ++i) {  // a hash key that belongs to partition 0
    const std::string hash_key = "new" + std::to_string(i);
    if (record::partition_index(record::key_hash(hash_key, ""), kGoldenPartitions) != 0) continue;
    batch.put(record::encode_key(hash_key, "s"), "v", 0, 0);
    before.insert({hash_key, "s", "v"});
    break;
  }
  ASSERT_TRUE((*db)->write(batch, decree));
  ASSERT_TRUE((*db)->compact());
  EXPECT_EQ((*db)->checkpoint(folder / "copy"), decree);

  const auto copy = PartitionDb::open({.path = folder / "copy"});
  ASSERT_TRUE(copy) << copy.error().to_string();
  std::set<Row> after;
  collect(**copy, 0, after);
  EXPECT_EQ(after, before);
}

}  // namespace
}  // namespace pegmove::store
