// The duplication log under kill -9, on a full disk, and over power cuts: what was read from it
// stays, and each decree has one content.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <future>
#include <mutex>
#include <random>

#include "store/killed_child_test.h"
#include "store/logged_writes_test.h"
#include "store/power_cuts_test.h"

namespace pegmove::store {
namespace {

// ---- kill -9 ----

// The child of the test below: writes, reads and trims until it is killed.
TEST(KilledLog, DISABLED_IsWrittenWithoutEnd) {
  const char* path = path_of_child();
  ASSERT_NE(path, nullptr);
  const auto db = open({.path = path, .tuning = {.memtable_bytes = 64 << 10}});
  if (!db->keep_log()) _exit(2);
  for (int64_t number = 1;; ++number) {
    if (!put_logged(*db, number, std::to_string(number))) _exit(3);
    if (number % 50 == 0 && must_read(*db, number - 1).last_decree != number) _exit(4);
    if (number % 100 == 0 && !db->trim_log(number - 80)) _exit(5);
    report_row(number);
  }
}

TEST(KilledLog, HasEachReportedWrite) {
  const TestFolder folder;
  int64_t last = 0;
  ASSERT_NO_FATAL_FAILURE(
      kill_child("KilledLog.DISABLED_IsWrittenWithoutEnd", folder / "db", last));

  const auto db = open({.path = folder / "db", .create_if_missing = false});
  ASSERT_TRUE(db->keeps_log());
  const auto begin = db->log_start()->begins_after;
  EXPECT_GE(begin, last - 280);
  const auto log = read_all(*db, begin);
  EXPECT_EQ(int64_t(log.size()), db->last_decree() - begin);
  for (int64_t number = begin + 1; number <= last; ++number) {
    const auto text = std::to_string(number);
    ASSERT_TRUE(log.contains(number)) << number;
    EXPECT_EQ(log.at(number), text + "|1:" + text);
  }
}

// ---- a full disk, and one that fails ----

class FullLogDisk : public ::testing::Test {
 protected:
  FullLogDisk() { reopen(); }
  void reopen() {
    db_.reset();
    db_ = open({.path = folder_ / "db", .env = disk_.env()});
  }
  // Of the next append to a log.
  void fail_with(DiskFault::Kind kind) {
    disk_.set_plan([kind](const DiskOperation& operation) {
      const bool is_it =
          operation.kind == DiskOperation::Kind::kAppend && operation.path.ends_with(".log");
      return is_it ? DiskFault{.kind = kind, .is_full = true} : DiskFault{};
    });
  }
  void refuse_syncs(bool is_full) {
    disk_.set_plan([is_full](const DiskOperation& operation) {
      return operation.kind == DiskOperation::Kind::kSync
                 ? DiskFault{.kind = DiskFault::Kind::kRefused, .is_full = is_full}
                 : DiskFault{};
    });
  }
  void work_again() {
    disk_.set_plan(nullptr);
    disk_.set_endless_space();
    const auto resumed = db_->resume();
    ASSERT_TRUE(resumed) << resumed.error().to_string();
  }
  LogText without(int64_t decree, int64_t last) {
    LogText log;
    for (int64_t number = 1; number <= last; ++number)
      if (number != decree) log[number] = std::to_string(number) + "|1:v";
    return log;
  }

  TestFolder folder_;
  FaultyDisk disk_{folder_ / "trash"};
  std::unique_ptr<PartitionDb> db_;
};

TEST_F(FullLogDisk, ADecreeThatFailedIsPassedOver) {
  ASSERT_EQ(db_->keep_log(), 0);
  disk_.set_space(60'000);
  int64_t number = 1;
  while (put_logged(*db_, number, "v")) ++number;
  ASSERT_GT(number, 50);
  EXPECT_EQ(db_->log_backlog(0)->mutations, number - 1);
  work_again();
  ASSERT_TRUE(put_logged(*db_, number + 1, "v"));
  EXPECT_EQ(read_all(*db_, 0), without(number, number + 1));
  reopen();
  EXPECT_EQ(read_all(*db_, 0), without(number, number + 1));
}

TEST_F(FullLogDisk, TheSameWriteAgainIsInTheLogOnce) {
  ASSERT_EQ(db_->keep_log(), 0);
  ASSERT_TRUE(put_logged(*db_, 1, "v"));
  for (const auto kind :
       {DiskFault::Kind::kRefused, DiskFault::Kind::kTorn, DiskFault::Kind::kLate}) {
    const auto number = db_->last_decree() + 1;
    fail_with(kind);
    ASSERT_FALSE(put_logged(*db_, number, "v"));
    work_again();
    ASSERT_TRUE(put_logged(*db_, number, "v"));
  }
  EXPECT_EQ(read_all(*db_, 0), without(0, 4));
  reopen();
  EXPECT_EQ(read_all(*db_, 0), without(0, 4));
  EXPECT_EQ(db_->log_backlog(0)->mutations, 4);
}

TEST_F(FullLogDisk, AWriteThatFailedAndIsThereAfterwardsIsInTheLogWithItsRows) {
  ASSERT_EQ(db_->keep_log(), 0);
  ASSERT_TRUE(put_logged(*db_, 1, "v"));
  fail_with(DiskFault::Kind::kLate);
  ASSERT_FALSE(put_logged(*db_, 2, "v"));
  EXPECT_EQ(db_->last_decree(), 1);
  EXPECT_EQ(db_->log_backlog(0)->mutations, 1);
  disk_.set_plan(nullptr);
  reopen();
  ASSERT_EQ(db_->last_decree(), 2);
  EXPECT_TRUE(has_row(*db_, 2));
  EXPECT_EQ(read_all(*db_, 0), without(0, 2));
  ASSERT_TRUE(put_logged(*db_, 3, "v"));
  EXPECT_EQ(read_all(*db_, 0), without(0, 3));
}

// A write that failed before the log was begun, and would not be in it.
TEST_F(FullLogDisk, ALogThatBeginsAfterAWriteThatFailedIsWhole) {
  ASSERT_TRUE(put_row(*db_, 1, "v"));
  fail_with(DiskFault::Kind::kLate);
  ASSERT_FALSE(put_row(*db_, 2, "v"));
  EXPECT_FALSE(db_->keep_log());
  EXPECT_FALSE(db_->keeps_log());
  work_again();
  ASSERT_EQ(db_->keep_log(), 1);
  reopen();
  EXPECT_EQ(db_->last_decree(), 1) << "it is gone for good";
  EXPECT_FALSE(has_row(*db_, 2));
  ASSERT_TRUE(put_logged(*db_, 3, "v"));
  EXPECT_EQ(read_all(*db_, 1).size(), 1u);
}

TEST_F(FullLogDisk, NothingIsReadThatCannotBeMadeDurable) {
  ASSERT_EQ(db_->keep_log(), 0);
  ASSERT_TRUE(put_logged(*db_, 1, "v"));
  ASSERT_EQ(must_read(*db_, 0).last_decree, 1);
  ASSERT_TRUE(put_logged(*db_, 2, "v"));
  refuse_syncs(true);
  EXPECT_EQ(must_read(*db_, 0).last_decree, 1) << "this one was made durable before";
  const auto piece = db_->read_log(1, kWholeLog);
  ASSERT_FALSE(piece);
  EXPECT_TRUE(is_disk_full(piece.error())) << piece.error().to_string();
  work_again();
  EXPECT_EQ(must_read(*db_, 1).last_decree, 2);
}

TEST_F(FullLogDisk, ALogThatWasDroppedAndNotSyncedIsDroppedAgain) {
  ASSERT_EQ(db_->keep_log(), 0);
  ASSERT_TRUE(put_logged(*db_, 1, "v"));
  refuse_syncs(true);
  ASSERT_FALSE(db_->drop_log());
  EXPECT_FALSE(db_->keeps_log()) << "it is deleted";
  ASSERT_TRUE(put_logged(*db_, 2, "v")) << "writes do not add to it";
  work_again();
  const auto dropped = db_->drop_log();
  ASSERT_TRUE(dropped) << dropped.error().to_string();
  EXPECT_FALSE(std::filesystem::exists(folder_ / "db.duplication_log"));
  reopen();
  EXPECT_FALSE(db_->keeps_log());
  ASSERT_EQ(db_->keep_log(), 2);
  ASSERT_TRUE(put_logged(*db_, 3, "v"));
  EXPECT_EQ(read_all(*db_, 2).size(), 1u);
}

// The sync that follows a failed one says nothing; only what is in files then counts.
TEST_F(FullLogDisk, AReadBesideTheFlushAfterAFailedSyncWaitsForIt) {
  ASSERT_EQ(db_->keep_log(), 0);
  ASSERT_TRUE(put_logged(*db_, 1, "v"));
  refuse_syncs(false);
  ASSERT_FALSE(db_->read_log(0, kWholeLog));
  std::future<Result<LogPiece>> other;
  std::once_flag once;
  bool has_waited = false;
  disk_.set_plan([&](const DiskOperation& operation) {
    if (operation.path.ends_with(".sst"))
      std::call_once(once, [&] {
        other = std::async(std::launch::async, [&] { return db_->read_log(0, kWholeLog); });
        has_waited = other.wait_for(std::chrono::milliseconds(200)) == std::future_status::timeout;
      });
    return DiskFault{};
  });
  const auto piece = db_->read_log(0, kWholeLog);
  ASSERT_TRUE(piece) << piece.error().to_string();
  ASSERT_TRUE(other.valid()) << "it was flushed";
  EXPECT_TRUE(has_waited);
  EXPECT_TRUE(other.get());
}

// ---- power cuts ----

// Random writes, reads and trims of a log, the same for one seed.
class LoggedHistory : public PowerCutHistory {
 public:
  using PowerCutHistory::PowerCutHistory;

  void expect_whole_after_power_cut() {
    disk_.restore_power(random_);
    auto db = open(options_);
    ASSERT_GE(db->last_decree(), read_upto_) << "what was read is shipped";
    if (!is_kept_) return;
    ASSERT_TRUE(db->keeps_log());
    const auto begin = db->log_start()->begins_after;
    ASSERT_LE(begin, std::max(begun_, trimmed_));
    for (int again = 0; again < 2; ++again) {
      const auto log = read_all(*db, begin);
      for (const auto& [decree, text] : log) EXPECT_EQ(text, written_[decree]);
      for (const auto& [decree, text] : written_)
        EXPECT_EQ(log.contains(decree), decree > begin && decree <= db->last_decree()) << decree;
      EXPECT_EQ(db->log_backlog(begin)->mutations, int64_t(log.size()));
      db.reset();
      db = open(options_);
    }
    written_.erase(written_.upper_bound(db->last_decree()), written_.end());
    attempted_ = db->last_decree();
    write(*db);
    EXPECT_EQ(read_all(*db, db->last_decree() - 1).size(), 1u);
  }

 private:
  int steps() const override { return 30; }
  void act(PartitionDb& db, int step) override {
    // What fails fails by the power cut; that is seen after it.
    switch (random_() % 14) {
      case 0: (void)db.flush(); return;
      case 1: (void)db.compact(); return;
      case 2: (void)db.checkpoint(folder_ / ("tables/checkpoint." + std::to_string(step))); return;
      case 3: keep(db); return;
      case 4:
      case 5:
      case 6: read(db); return;
      case 7: trim(db); return;
      case 8:
        if (random_() % 16 == 0) drop(db);
        return;
      default: write(db); return;
    }
  }
  void keep(PartitionDb& db) {
    if (!db.keep_log()) return;
    if (!is_kept_) begun_ = read_upto_ = db.last_decree();
    is_kept_ = true;
    written_.erase(written_.begin(), written_.upper_bound(begun_));
  }
  void drop(PartitionDb& db) {
    if (!is_kept_) return;
    is_kept_ = false;  // or it is still: who drops it does not need it
    (void)db.drop_log();
  }
  void read(PartitionDb& db) {
    if (!is_kept_) return;
    const auto piece = db.read_log(read_upto_, 1 + random_() % 50'000);
    if (piece) read_upto_ = piece->last_decree;
  }
  void trim(PartitionDb& db) {
    if (!is_kept_ || read_upto_ <= begun_) return;
    const auto upto = begun_ + int64_t(random_() % uint64_t(read_upto_ - begun_ + 1));
    trimmed_ = std::max(trimmed_, upto);
    (void)db.trim_log(upto);
  }
  void write(PartitionDb& db) {
    attempted_ += 1 + (random_() % 4 == 0 ? int64_t(random_() % 3) : 0);
    const auto body = std::to_string(attempted_) + std::string(random_() % 10'000, 'v');
    WriteBatch batch = db.new_batch();
    batch.put(row_key(attempted_), body, 0, 0);
    const std::vector<LoggedMutation> logged{{.decree = attempted_,
                                              .timestamp_us = kTimestamp + attempted_,
                                              .writes = {{LoggedCode::kPut, body}}}};
    if (db.keeps_log()) written_[attempted_] = text_of(logged[0]);
    (void)db.write(batch, attempted_, kTimestamp + attempted_, logged);
  }

  LogText written_;  // what the log should have, with the write that was cut off
  int64_t attempted_ = 0;
  bool is_kept_ = false;
  int64_t begun_ = 0;
  int64_t read_upto_ = 0;
  int64_t trimmed_ = 0;
};

TEST(LogPowerCut, WhatWasReadIsThereUnchanged) {
  for (uint64_t seed = 1; seed < 12; ++seed) cut_at_every<LoggedHistory>(seed, false, 16, 50);
}

TEST(LogPowerCut, WithSyncWhatWasReadIsThereUnchanged) {
  for (uint64_t seed = 1; seed < 5; ++seed) cut_at_every<LoggedHistory>(seed, true, 24, 50);
}

}  // namespace
}  // namespace pegmove::store
