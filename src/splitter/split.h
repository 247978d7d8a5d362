// Offline split: a cold backup in, the files of a bulk load out, for any partition count.
//
//   plan_split()        once: makes the units; the caller stores the plan, since files depend on it
//   carry_out_unit()    for each unit, in any order, some in parallel; may be repeated
//   finish_split()      the metadata of all partitions, then bulk_load_info
//
// Only after the last one the set can be loaded.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "async/semaphore.h"
#include "backup/failpoints.h"
#include "backup/reader.h"
#include "bulkload/reader.h"
#include "splitter/unit_job.h"

namespace pegmove::splitter {

struct SplitSource {
  blockstore::AsyncStore store;
  backup::Place place;
};

struct SplitTarget {
  blockstore::AsyncStore store;
  bulkload::Place place;
  int32_t app_id = 0;  // of the table that will be loaded
};

// The limits on one machine.
struct SplitLimits {
  int units_at_once = 2;
  int64_t memory_bytes = 256 << 20;       // for buffers, of all units together
  int64_t disk_bytes = int64_t{8} << 30;  // below work_folder
  std::string work_folder = {};           // for temporary files
};

struct SplitPlan {
  SplitRules rules;
  std::vector<Unit> units;
};

struct UnitFile {
  int32_t partition = 0;
  blockstore::StoredFile file;
  int64_t rows = 0;
  std::string digest;  // of the rows; see FinishedFile
  bool operator==(const UnitFile&) const = default;
};

struct UnitResult {
  RowCounts counts;
  std::vector<UnitFile> files;
};

// The failpoints in order, by name; see backup/failpoints.h.
inline constexpr std::string_view kFailpoints[] = {"split.planned",          "split.file_sent",
                                                   "split.unit_done",        "split.unit_noted",
                                                   "split.metadata_written", "split.info_written"};

struct UnitEvents {
  // A unit holds a permit while it reads and writes, and none while it sends its last files: with
  // one unit more than permits they are sent during the next unit's work. Null: no limit.
  async::Semaphore* working = nullptr;
  std::function<bool()> should_stop = {};
  std::function<void(const RowCounts&)> on_progress = {};  // of this unit, so far
  backup::FailpointListener on_failpoint = {};
};

// Reduces the file size when the disk limit is small. `streams`: files that a unit reads in
// parallel. Errors: kInvalidArgument, naming the option to change: the limits are too small for
// this shape.
Result<void> check_limits(const SplitLimits& limits, SplitRules& rules, int64_t streams);

// All on the caller's executor; blocking work runs on the pools of the stores. Errors: those of
// CheckpointRows and the stores, naming partitions and files; kInterrupted.

// Opens all checkpoints of the source. The file size in the plan's rules is reduced when the disk
// limit is small. Errors: also kInvalidArgument, when the limits are too small for this shape.
Task<SplitPlan> plan_split(const SplitSource& source, SplitRules rules, SplitLimits limits);

// The unit's files are in the store when it returns.
Task<UnitResult> carry_out_unit(const SplitSource& source, const SplitTarget& target,
                                const SplitPlan& plan, size_t unit, SplitLimits limits,
                                UnitEvents events);

// `results` of all units, in their order. Other files, left by a unit that was killed, are removed.
// May be repeated.
Task<> finish_split(const SplitTarget& target, const SplitPlan& plan,
                    const std::vector<UnitResult>& results, SplitLimits limits,
                    backup::FailpointListener on_failpoint = {});

}  // namespace pegmove::splitter
