// Writes the rows of one residue class of a split, in key order, to the files of its targets.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "client/foreign_rows.h"
#include "rows/row_filter.h"
#include "splitter/target_files.h"
#include "splitter/units.h"

namespace pegmove::splitter {

struct RowCounts {
  int64_t read = 0;
  int64_t written = 0;
  int64_t bytes = 0;              // of the keys and values written
  int64_t expired = 0;            // left out
  int64_t filtered = 0;           // left out by the filters
  client::ForeignRows foreign{};  // left out

  RowCounts& operator+=(const RowCounts& other);
  bool operator==(const RowCounts&) const = default;
};

// The settings that are the same for all units of a split.
struct SplitRules {
  Shape shape;
  int data_version = 1;  // of the target
  uint32_t now_ts = 0;   // rows that have expired by then are left out; the same for all units
  rows::RowFilters filters = {};       // only of keys
  int64_t most_file_bytes = 64 << 20;  // of keys and values
  bool for_old_servers = false;        // 2.0 to 2.4, see TargetFiles
};

// A row as read from a source.
struct SourceRow {
  std::string_view key;     // raw
  std::string_view stored;  // the value as a database of the data version stores it
  int data_version = 1;
  int32_t partition = 0;  // of the source
};

// "u0003": the prefix of the names of a unit's files, before "_0001.sst".
std::string unit_prefix(int number);

// Values are kept byte for byte, with their expiry and timetag, when the data versions agree, and
// get the target's header otherwise. Blocks; for one thread at a time.
class ResidueClassFiles {
 public:
  // `number`, of the unit, is in the names of the files. The rules must outlive it.
  ResidueClassFiles(const SplitRules& rules, int32_t which, int number, const std::string& folder);

  // Keys must ascend. Complete files are added to `finished`. Errors: kCorrupt: a malformed key, a
  // value without header, naming partition and key; kIo.
  Result<void> add(const SourceRow& row, std::vector<FinishedFile>& finished);
  // The last file of each target.
  Result<void> finish(std::vector<FinishedFile>& finished);
  const RowCounts& counts() const { return counts_; }
  // The first foreign rows. Whether their own partitions have their keys is not known here.
  const std::vector<client::ForeignRow>& foreign() const { return foreign_; }

 private:
  void leave_foreign(std::string_view key);

  const SplitRules& rules_;
  std::vector<TargetFiles> targets_;
  std::string converted_;
  RowCounts counts_;
  std::vector<client::ForeignRow> foreign_;
  size_t foreign_bytes_ = 0;
};

}  // namespace pegmove::splitter
