// One unit of a split: the merged rows of its sources, fanned out to the files of its targets.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "splitter/checkpoint_rows.h"
#include "splitter/class_files.h"

namespace pegmove::splitter {

// Blocks; for one thread at a time.
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
  const RowCounts& counts() const { return files_.counts(); }

 private:
  Result<void> begin();
  Result<void> advance();
  Result<void> take_row(std::vector<FinishedFile>& finished);
  // Indexes into sources_, the one with the least key first.
  bool goes_later(size_t a, size_t b) const;
  void push(size_t source);
  void sink();

  Unit unit_;
  std::vector<std::unique_ptr<CheckpointRows>> sources_;
  std::vector<int32_t> source_partitions_;
  ClassFiles files_;
  size_t readahead_bytes_;
  std::vector<std::string_view> keys_;  // where each source stands
  std::vector<size_t> heap_;
  std::string last_key_;  // the last one that was taken
  bool has_last_key_ = false;
  bool begun_ = false;
  bool done_ = false;
};

}  // namespace pegmove::splitter
