#include "store/received_positions.h"

#include <gmock/gmock.h>

#include <limits>

#include "store/layout.h"
#include "store/partitions_test.h"

namespace pegmove::store {
namespace {

constexpr SourcePartition kSource{.cluster_id = 2, .app_id = 7, .partition_index = 0};
constexpr ReceivedPosition kPosition{.log_id = std::numeric_limits<int64_t>::max(),
                                     .decree = std::numeric_limits<int64_t>::max(),
                                     .write_index = std::numeric_limits<int32_t>::max(),
                                     .timestamp_us = std::numeric_limits<int64_t>::max()};

Result<void> receive(PartitionDb& db, const SourcePartition& source,
                     const ReceivedPosition& position) {
  auto batch = db.new_batch();
  batch.set_received({.source = source, .position = position});
  return db.write(batch, db.last_decree() + 1);
}

// Writes into the meta family of a closed database, as no PartitionDb would.
void put_meta(const std::string& path, const std::map<std::string, std::string>& values) {
  rocksdb::DB* opened = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  ASSERT_TRUE(rocksdb::DB::Open({}, path, make_families({}, {}), &families, &opened).ok());
  const std::unique_ptr<rocksdb::DB> db(opened);
  for (const auto& [key, value] : values) ASSERT_TRUE(db->Put({}, families[1], key, value).ok());
  for (auto* family : families) db->DestroyColumnFamilyHandle(family);
}

TEST(ReceivedPositions, AreThereAfterReopeningAndInACheckpoint) {
  const TestFolder folder;
  const PartitionOptions options{.path = folder / "db"};
  {
    auto db = open(options);
    EXPECT_EQ(db->received_from(kSource), std::nullopt);
    ASSERT_TRUE(
        receive(*db, kSource, {.log_id = 1, .decree = 2, .write_index = 3, .timestamp_us = 4}));
    ASSERT_TRUE(receive(*db, kSource, kPosition));
    ASSERT_TRUE(receive(*db, {0, 0, 1}, {}));
    EXPECT_EQ(db->received_from(kSource), kPosition);
    ASSERT_TRUE(put_row(*db, 9, "v"));
    ASSERT_TRUE(db->checkpoint(folder / "copy"));
  }
  for (const char* name : {"db", "copy"}) {
    auto db = open({.path = folder / name});
    EXPECT_EQ(db->received_from(kSource), kPosition);
    EXPECT_EQ(db->received_from({0, 0, 1}), ReceivedPosition());
    EXPECT_EQ(db->received_from({2, 7, 1}), std::nullopt);
  }
}

TEST(ReceivedPositions, OfAWriteThatIsRefusedAreNotKept) {
  const TestFolder folder;
  auto db = open({.path = folder / "db"});
  ASSERT_TRUE(put_row(*db, 5, "v"));
  auto batch = db->new_batch();
  batch.set_received({.source = kSource, .position = kPosition});
  ASSERT_FALSE(db->write(batch, 5));
  EXPECT_EQ(db->received_from(kSource), std::nullopt);
  batch.clear();
  ASSERT_TRUE(db->write(batch, 6));
  EXPECT_EQ(db->received_from(kSource), std::nullopt);
}

TEST(ReceivedPositions, OfTheSourceThatWasSilentLongestAreForgottenForANewOne) {
  const TestFolder folder;
  const PartitionOptions options{.path = folder / "db"};
  const auto most = int32_t(ReceivedPositions::kMostSources);
  auto db = open(options);
  for (int32_t i = 0; i < most; ++i) ASSERT_TRUE(receive(*db, {2, 7, i}, kPosition));
  const ReceivedPosition later{.log_id = 2, .decree = 1, .write_index = 0, .timestamp_us = 5};
  ASSERT_TRUE(receive(*db, {2, 7, 0}, later));
  ASSERT_TRUE(receive(*db, {2, 7, most}, later));
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(db->received_from({2, 7, 0}), later);
    EXPECT_EQ(db->received_from({2, 7, 1}), std::nullopt);
    EXPECT_EQ(db->received_from({2, 7, 2}), kPosition);
    EXPECT_EQ(db->received_from({2, 7, most}), later);
    db.reset();
    db = open(options);
  }
  ASSERT_TRUE(receive(*db, {2, 7, most + 1}, later));
  EXPECT_EQ(db->received_from({2, 7, 2}), std::nullopt) << "the order is the same after a restart";
  EXPECT_EQ(db->received_from({2, 7, 0}), later);
}

TEST(ReceivedPositions, CoverWhatIsBeforeThemAndNotLater) {
  const ReceivedPosition last{.log_id = 5, .decree = 6, .write_index = 7, .timestamp_us = 100};
  EXPECT_TRUE(last.covers(last));
  EXPECT_TRUE(last.covers({5, 6, 6, 100}));
  EXPECT_TRUE(last.covers({5, 5, 9, 99}));
  EXPECT_TRUE(last.covers({4, 60, 0, 50})) << "of an earlier log";
  EXPECT_FALSE(last.covers({5, 6, 8, 100}));
  EXPECT_FALSE(last.covers({5, 7, 0, 100}));
  EXPECT_FALSE(last.covers({6, 1, 0, 50}));
  EXPECT_FALSE(last.covers({5, 5, 0, 101})) << "another write with the same decree";
  EXPECT_FALSE(last.covers({4, 1, 0, 101}));
}

TEST(ReceivedPositions, ThatAreNotUnderstoodAreIgnored) {
  const TestFolder folder;
  const PartitionOptions options{.path = folder / "db"};
  open(options).reset();
  put_meta(options.path, {{"pegmove_received/", "1 2 3 4 5"},
                          {"pegmove_received/2/7", "1 2 3 4 5"},
                          {"pegmove_received/2/7/0/1", "1 2 3 4 5"},
                          {"pegmove_received/2/7/99999999999", "1 2 3 4 5"},
                          {"pegmove_received/2/7/-1", "1 2 3 4 5"},
                          {"pegmove_received/2/7/1", "1 2 3 4"},
                          {"pegmove_received/2/7/2", "1 2 3 4 5 6"},
                          {"pegmove_received/2/7/3", ""},
                          {"pegmove_received/2/7/4", "5 6 7 8 9"}});
  auto db = open(options);
  for (int32_t i = -1; i < 4; ++i) EXPECT_EQ(db->received_from({2, 7, i}), std::nullopt);
  EXPECT_EQ(db->received_from({2, 7, 4}), (ReceivedPosition{5, 6, 7, 8}));
}

}  // namespace
}  // namespace pegmove::store
