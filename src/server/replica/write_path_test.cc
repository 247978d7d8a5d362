// The write path over a disk with faults, and over restarts with a clock that steps: no decree is
// given twice, unless an opening has shown that its write is not there; and timestamps only grow.
#include "server/replica/write_path.h"

#include <gmock/gmock.h>

#include <map>
#include <random>
#include <set>

#include "server/replica/faulty_partition_test.h"

namespace pegmove::server::replica {
namespace {

constexpr int kRows = 16;

// Random writes while the disk fails, the clock steps and the partition is opened again, the same
// for one seed (but for what happens in RocksDB's threads).
class History {
 public:
  History(uint64_t seed, bool sync, size_t most_in_flight)
      : partition_(sync), random_(seed), power_cuts_(sync), most_in_flight_(most_in_flight) {}

  void run(int steps) {
    for (int step = 0; step < steps && !::testing::Test::HasFailure(); ++step) {
      step_clock();
      if (random_() % 4 == 0) change_disk();
      write();
      if (random_() % 10 == 0 || partition_.db().needs_reopen() || !partition_.disk.has_power())
        reopen();
    }
    reopen();
    EXPECT_GT(logged_, 20u);
  }

 private:
  void step_clock() {
    auto seconds = partition_.clock.unix_seconds();
    if (random_() % 4 == 0)
      partition_.clock.set_unix_seconds(seconds + int64_t(random_() % 7200) - 3600);
    if (random_() % 2 == 0) partition_.clock.advance(async::milliseconds(random_() % 3));
  }

  // Good from now on, or full, or broken: some of what is appended to logs then fails.
  void change_disk() {
    if (random_() % 2 == 0) return partition_.disk.set_plan(nullptr);
    auto random = std::make_shared<std::mt19937_64>(random_());
    const bool is_full = random_() % 8 != 0;
    const bool cuts = power_cuts_ && random_() % 8 == 0;
    partition_.disk.set_plan(FailsUntilResumed([=](const DiskOperation& operation) -> DiskFault {
      using enum DiskFault::Kind;
      if (cuts && (*random)() % 8 == 0) return {.kind = kPowerCut};
      if (!operation.path.ends_with(".log") && !operation.path.ends_with(".sst")) return {};
      if ((*random)() % 2 == 0) return {};
      const auto kind = (*random)() % 3;
      return {.kind = kind == 0 ? kRefused : kind == 1 ? kTorn : kLate, .is_full = is_full};
    }));
  }

  void write() {
    constexpr RpcCode kCodes[] = {RpcCode::kPut, RpcCode::kPut, RpcCode::kMultiPut,
                                  RpcCode::kCheckAndSet, RpcCode::kDuplicate};
    std::vector<Write> writes(1 + random_() % most_in_flight_);
    for (auto& write : writes) {
      write.row = int(random_() % kRows);
      write.code = kCodes[random_() % std::size(kCodes)];
      if (random_() % 5 != 0)
        write.value = std::to_string(++written_) + " " + std::string(random_() % 3000, 'v');
    }
    const auto decrees = partition_.send(writes);
    int64_t before = acknowledged_;
    for (size_t i = 0; i < writes.size(); ++i) {
      if (!decrees[i]) {
        failed_[writes[i].row].insert(writes[i].value);
        continue;
      }
      failed_.clear();  // what failed before a write that succeeded is never seen
      rows_[writes[i].row] = writes[i].value;
      if (*decrees[i] == 0) continue;
      EXPECT_GT(*decrees[i], before);
      acknowledged_ = std::max(acknowledged_, *decrees[i]);
    }
    timestamp_us_ = partition_.db().last_timestamp_us();
  }

  void reopen() {
    partition_.close();
    const bool was_cut = !partition_.disk.has_power();
    expect_each_decree_and_timestamp_once();
    partition_.open(was_cut || (power_cuts_ && random_() % 2 == 0) ? &random_ : nullptr);
    opened_decree_ = partition_.db().last_decree();
    opened_timestamp_us_ = partition_.db().last_timestamp_us();
    EXPECT_GE(opened_decree_, acknowledged_);
    EXPECT_GE(opened_timestamp_us_, timestamp_us_);
    for (int row = 0; row < kRows; ++row) {
      const auto found = partition_.db().get(key_of(row));
      ASSERT_TRUE(found);
      const std::string value = *found ? std::string((*found)->user_data()) : "";
      EXPECT_TRUE(value == rows_[row] || failed_[row].contains(value))
          << "row " << row << " holds " << value.substr(0, 20) << " instead of "
          << rows_[row].substr(0, 20);
      rows_[row] = value;
    }
    failed_.clear();
  }

  void expect_each_decree_and_timestamp_once() {
    const LogRecord* last = nullptr;
    const auto writes = partition_.logged_writes();
    logged_ += writes.size();
    for (const auto& write : writes) {
      SCOPED_TRACE("decree " + std::to_string(write.decree));
      if (last && write.decree == last->decree) {
        EXPECT_EQ(write.content, last->content) << "it was used for two writes";
        continue;
      }
      const int64_t before = last ? last->timestamp_us : opened_timestamp_us_;
      EXPECT_GT(write.decree, last ? last->decree : opened_decree_);
      EXPECT_GT(write.timestamp_us, before);
      for (const auto& [key, timetag] : write.timetags) {
        const auto timestamp_us = int64_t(record::timetag_timestamp_us(timetag));
        EXPECT_LE(timestamp_us, write.timestamp_us);
        const bool is_new = timestamp_us > 0 && record::timetag_cluster_id(timetag) == 1;
        EXPECT_TRUE(!is_new || timestamp_us > before);
      }
      last = &write;
    }
  }

  Partition partition_;
  std::mt19937_64 random_;
  const bool power_cuts_;
  const size_t most_in_flight_;
  int written_ = 0;
  int64_t acknowledged_ = 0;  // the greatest decree
  int64_t timestamp_us_ = 0;
  int64_t opened_decree_ = 0;  // what the last opening found
  int64_t opened_timestamp_us_ = 0;
  size_t logged_ = 0;
  std::map<int, std::string> rows_;              // the value of each; "": none
  std::map<int, std::set<std::string>> failed_;  // what may be there instead, after an opening
};

void run_histories(uint64_t seeds, bool sync, size_t most_in_flight) {
  for (uint64_t seed = 1; seed <= seeds && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    History(seed, sync, most_in_flight).run(80);
  }
}

TEST(WritePath, UsesEachDecreeAndTimestampOnceWhenWritesFail) { run_histories(12, false, 1); }

TEST(WritePath, UsesEachDecreeAndTimestampOnceWhenManyWritesAreInFlight) {
  run_histories(12, false, 40);
}

TEST(WritePath, LosesNothingInPowerCutsWithSync) {
  run_histories(6, true, 1);
  run_histories(6, true, 40);
}

}  // namespace
}  // namespace pegmove::server::replica
