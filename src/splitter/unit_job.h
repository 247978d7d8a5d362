// One unit of a split: the merged rows of its sources, fanned out to the files of its targets.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "rows/row_filter.h"
#include "splitter/checkpoint_rows.h"
#include "splitter/target_files.h"
#include "splitter/units.h"

namespace pegmove::splitter {

struct RowCounts {
  int64_t read = 0;
  int64_t written = 0;
  int64_t bytes = 0;      // of the keys and values written
  int64_t expired = 0;    // left out
  int64_t misplaced = 0;  // left out: an old partition split left them where they do not belong
  int64_t filtered = 0;   // left out, as asked for

  RowCounts& operator+=(const RowCounts& other);
  bool operator==(const RowCounts&) const = default;
};

// What is the same for all units of a split.
struct SplitRules {
  Shape shape;
  int data_version = 1;  // of the target
  uint32_t now_ts = 0;   // rows that expire until then are left out; the same for all, also later
  rows::RowFilters filters = {};       // of keys alone
  int64_t most_file_bytes = 64 << 20;  // of keys and values
};

// Values are kept byte for byte with their expiry and timetag where the data versions agree, and
// get the target's header otherwise. Blocks; for one thread at a time.
class UnitJob {
 public:
  // The sources are those of the unit's class, in the order of Shape::sources_of(), opened; files
  // come into `folder`. `readahead_bytes`: of each file that is read.
  UnitJob(const SplitRules& rules, Unit unit, int number,
          std::vector<std::unique_ptr<CheckpointRows>> sources, std::string folder,
          size_t readahead_bytes);

  // Works until a file is whole or that many rows were read; the files that became whole, all but
  // the last time. After an error of the store the next call goes on behind the last row.
  Result<std::vector<FinishedFile>> step(int64_t most_rows);
  bool done() const { return done_; }
  const RowCounts& counts() const { return counts_; }

 private:
  Result<void> begin();
  Result<void> advance();
  Result<void> take_row(std::vector<FinishedFile>& finished);
  // Indexes into sources_, the one with the least key first.
  bool goes_later(size_t a, size_t b) const;
  void push(size_t source);

  const SplitRules& rules_;
  Unit unit_;
  std::vector<std::unique_ptr<CheckpointRows>> sources_;
  std::vector<int32_t> source_partitions_;
  std::vector<TargetFiles> targets_;
  size_t readahead_bytes_;
  std::vector<size_t> heap_;
  std::string last_key_;  // the last one that was taken
  bool has_last_key_ = false;
  bool begun_ = false;
  bool done_ = false;
  std::string converted_;
  RowCounts counts_;
};

}  // namespace pegmove::splitter
