// What the tests of power cuts share: a history of one database, whose disk loses power at any of
// its operations.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <random>
#include <string>

#include "store/partitions_test.h"
#include "testing/faulty_disk.h"

namespace pegmove::store {

using testing::DiskFault;
using testing::DiskOperation;
using testing::FaultyDisk;

// Random steps in one database, the same for one seed.
class PowerCutHistory {
 public:
  PowerCutHistory(uint64_t seed, bool sync) : random_(seed) {
    options_ = {.path = folder_ / "tables/1.0.pegasus/data/rdb",
                .sync_writes = sync,
                .tuning = {.memtable_bytes = 64 << 10},
                .env = disk_.env()};
    std::filesystem::create_directories(folder_ / "tables");
  }
  virtual ~PowerCutHistory() = default;

  // Until it has ended, or the power is cut at an operation of the disk. Returns how many there
  // were.
  int64_t run(int64_t cut_at) {
    disk_.set_plan([cut_at](const DiskOperation& operation) {
      return operation.number == cut_at ? DiskFault{.kind = DiskFault::Kind::kPowerCut}
                                        : DiskFault{};
    });
    auto db = PartitionDb::open(options_);
    for (int step = 0; db && step < steps() && disk_.has_power(); ++step) act(**db, step);
    return disk_.operations();
  }

 protected:
  virtual int steps() const = 0;
  virtual void act(PartitionDb& db, int step) = 0;

  TestFolder folder_;
  FaultyDisk disk_{folder_ / "trash"};
  std::mt19937_64 random_;
  PartitionOptions options_;
};

// At every `stride`-th operation of the disk, of which there are more than `least`.
template <typename History>
void cut_at_every(uint64_t seed, bool sync, int64_t stride, int64_t least) {
  const int64_t operations = History(seed, sync).run(0);
  ASSERT_GT(operations, least);
  for (int64_t at = 1 + int64_t(seed) % stride; at <= operations; at += stride) {
    SCOPED_TRACE("seed " + std::to_string(seed) + ", power cut at operation " + std::to_string(at));
    History history(seed, sync);
    history.run(at);
    history.expect_whole_after_power_cut();
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace pegmove::store
