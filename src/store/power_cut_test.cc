// A partition's database on a disk that loses power at any moment: with sync_writes no write that
// returned is lost; without, what is before the first loss is there.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <mutex>
#include <random>
#include <set>

#include "record/key.h"
#include "record/value.h"
#include "store/partition_db.h"
#include "store/partitions_test.h"
#include "store/power_cuts_test.h"

namespace pegmove::store {
namespace {

using Rows = std::map<std::string, std::string>;

constexpr int kKeys = 12;

// What a database holds after a write.
struct Moment {
  Rows rows;
  int64_t timestamp_us = 0;
};

Rows rows_of(const PartitionDb& db) {
  Rows rows;
  const auto cursor = db.new_cursor();
  for (cursor->seek(""); cursor->valid(); cursor->next())
    rows.emplace(cursor->key(), cursor->value().user_data);
  EXPECT_TRUE(cursor->status());
  return rows;
}

// Random writes, flushes, compactions and checkpoints in one database, the same for one seed.
class History : public PowerCutHistory {
 public:
  History(uint64_t seed, bool sync) : PowerCutHistory(seed, sync), sync_(sync) {
    options_.unix_seconds = [] { return int64_t{1'800'000'000}; };
  }

  // Opens again what a power cut leaves, compares, and goes on from there.
  void expect_whole_after_power_cut() {
    disk_.restore_power(random_);
    auto db = open(options_);
    const int64_t last = db->last_decree();
    ASSERT_TRUE(moments_.contains(last)) << last;
    ASSERT_GE(last, sync_ ? acknowledged_ : 0);
    EXPECT_EQ(rows_of(*db), moments_[last].rows);
    EXPECT_EQ(db->last_timestamp_us(), moments_[last].timestamp_us);
    Moment next = moments_[last];
    next.rows[row_key(1)] = "after";
    next.timestamp_us = kMaxTimestampUs;
    WriteBatch batch = db->new_batch();
    batch.put(row_key(1), "after", 0, 0);
    const auto written = db->write(batch, last + 1, next.timestamp_us);
    ASSERT_TRUE(written) << written.error().to_string();
    db.reset();
    db = open(options_);
    EXPECT_EQ(db->last_decree(), last + 1);
    EXPECT_EQ(db->last_timestamp_us(), next.timestamp_us);
    EXPECT_EQ(rows_of(*db), next.rows);
  }

 private:
  int steps() const override { return 24; }
  void act(PartitionDb& db, int step) override {
    // What fails fails by the power cut; that is seen after it.
    switch (random_() % 12) {
      case 0: (void)db.flush(); return;
      case 1: (void)db.compact(); return;
      case 2: (void)db.checkpoint(folder_ / ("tables/checkpoint." + std::to_string(step))); return;
      case 3: (void)db.tune({.memtable_bytes = size_t{64 + random_() % 64} << 10}); return;
      default: write(db); return;
    }
  }
  void write(PartitionDb& db) {
    attempted_ += 1 + (random_() % 4 == 0 ? int64_t(random_() % 3) : 0);
    Moment next = moments_.rbegin()->second;
    next.timestamp_us += 1 + int64_t(random_() % 1000);
    WriteBatch batch = db.new_batch();
    for (uint64_t count = random_() % 4; count > 0; --count) {
      const auto key = row_key(int64_t(random_() % kKeys));
      if (random_() % 4 == 0) {
        batch.remove(key);
        next.rows.erase(key);
        continue;
      }
      auto value = std::to_string(attempted_) + std::string(random_() % 10'000, 'v');
      batch.put(key, value, 0, uint64_t(next.timestamp_us) << 8);
      next.rows[key] = std::move(value);
    }
    const auto written = db.write(batch, attempted_, next.timestamp_us);
    moments_.emplace(attempted_, std::move(next));
    if (written) acknowledged_ = attempted_;
  }

  const bool sync_;
  std::map<int64_t, Moment> moments_{{0, {}}};  // by decree, also of the write that was cut off
  int64_t attempted_ = 0;
  int64_t acknowledged_ = 0;
};

TEST(PowerCut, WithSyncNoWriteThatReturnedIsLost) {
  for (uint64_t seed = 1; seed < 10; ++seed) cut_at_every<History>(seed, true, 20, 100);
}

TEST(PowerCut, WithoutSyncWhatIsBeforeTheFirstLossIsThereInOrder) {
  for (uint64_t seed = 1; seed < 10; ++seed) cut_at_every<History>(seed, false, 20, 100);
}

// A database whose first log has lost its end, while the second is there, would lose writes from
// the middle: RocksDB replays a log that ends between two records to its end, and then the next
// one.
TEST(PowerCut, EachLogIsSyncedBeforeTheNextIsWritten) {
  const TestFolder folder;
  FaultyDisk disk(folder / "trash");
  std::mutex mutex;
  std::set<std::string> unsynced;  // logs
  std::set<std::string> written;
  disk.set_plan([&](const DiskOperation& operation) {
    if (!operation.path.ends_with(".log")) return DiskFault{};
    const std::lock_guard lock(mutex);
    if (operation.kind == DiskOperation::Kind::kSync) unsynced.erase(operation.path);
    if (operation.kind == DiskOperation::Kind::kAppend) {
      unsynced.insert(operation.path);
      written.insert(operation.path);
    }
    EXPECT_LE(unsynced.size(), 1u);
    return DiskFault{};
  });
  const auto db =
      open({.path = folder / "db", .tuning = {.memtable_bytes = 64 << 10}, .env = disk.env()});
  for (int64_t row = 1; row <= 60; ++row) ASSERT_TRUE(put_row(*db, row, std::string(4000, 'v')));
  ASSERT_TRUE(db->flush());
  ASSERT_TRUE(put_row(*db, 61, "v"));
  EXPECT_GE(written.size(), 4u);
}

}  // namespace
}  // namespace pegmove::store
