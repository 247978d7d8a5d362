// One unit of a split: merges the rows of its sources, and distributes them to the files of its
// targets.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "splitter/checkpoint_rows.h"
#include "splitter/residue_class_files.h"

namespace pegmove::splitter {

// Blocks; for one thread at a time.
class UnitJob {
 public:
  // The sources are the opened ones of the unit's residue class, in the order of
  // Shape::sources_of(); files are written to `folder`. `readahead_bytes`: for each file that is
  // read.
  UnitJob(const SplitRules& rules, Unit unit, int number,
          std::vector<std::unique_ptr<CheckpointRows>> sources, std::string folder,
          size_t readahead_bytes);

  // Works until a file is complete or this many rows were read. Returns the complete files; the
  // last call returns the last file of each target. After an error of the store the next call
  // continues after the last row.
  Result<std::vector<FinishedFile>> step(int64_t most_rows);
  bool done() const { return done_; }
  const RowCounts& counts() const { return files_.counts(); }
  const std::vector<client::ForeignRow>& foreign() const { return files_.foreign(); }

 private:
  Result<void> begin();
  Result<void> advance();
  Result<void> take_row(std::vector<FinishedFile>& finished);
  // Indexes into sources_, the one with the smallest key first.
  bool goes_later(size_t a, size_t b) const;
  void push(size_t source);
  void sink();

  Unit unit_;
  std::vector<std::unique_ptr<CheckpointRows>> sources_;
  std::vector<int32_t> source_partitions_;
  ResidueClassFiles files_;
  size_t readahead_bytes_;
  std::vector<std::string_view> keys_;  // the current key of each source
  std::vector<size_t> heap_;
  std::string last_key_;  // the last one that was taken
  bool has_last_key_ = false;
  bool begun_ = false;
  bool done_ = false;
};

}  // namespace pegmove::splitter
