// A copy as a run of the journal: what was asked for, in the form that the journal keeps, and the
// work, from wherever it stands.
#pragma once

#include <string>

#include "migration/copy.h"
#include "migration/run_keeper.h"
#include "rows/pace.h"

namespace pegmove::migration {

inline constexpr std::string_view kCopyMethod = "copy";

// Everything that a later process needs to go on with.
struct CopyRequest {
  std::string from_metas;  // "host:port,...": a name may mean something else elsewhere
  std::string to_metas;
  CopyOptions options{};
  rows::PaceOptions pace{};
  // Of the cluster that rows are written for through DUPLICATE; 0: they are not.
  int8_t duplicate_cluster_id = 0;
  bool verify_timetag = false;  // leave what clients of the target write since the run began
};
std::string to_json(const CopyRequest& request);
// Errors: kCorrupt, saying what is wrong.
Result<CopyRequest> copy_request_from_json(std::string_view text);

// Changes the pace by a setting as people type it: max-rows-per-second, max-megabytes-per-second,
// latency-bound, full-speed. Errors: kInvalidArgument, naming the setting, or those that there are.
Result<void> apply_setting(rows::PaceOptions& pace, std::string_view key, std::string_view value);

// Copies what the run has not copied yet. Settings that others change act at once. The run's result
// is {"source_app_id", "source_partitions", "target_app_id"} while it is under way; from then on
// another table under one of the names is refused. The caller ends the run. Errors: of
// prepare_copy() and copy_rows(); kRefused when a table is not the one that the run began with.
Task<CopyReport> run_copy(RunKeeper& run, std::shared_ptr<client::Cluster> source,
                          std::shared_ptr<client::Cluster> target, CopyRequest request,
                          const async::StopSignal& stop, CopyListener listener);

// Where the partitions of a source that has `partitions` go on, after a run that began with
// `partitions_then`, of which `partitions` is a multiple: a partition that was split has handed its
// rows to those whose index leaves the same remainder.
std::vector<rows::LaneState> partitions_to_start(
    const std::vector<journal::LanePosition>& positions, int32_t partitions_then,
    int32_t partitions);

}  // namespace pegmove::migration
