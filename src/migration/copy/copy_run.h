// A copy as a run of the journal: what was asked for, in the form that the journal keeps, and the
// work, from wherever it stands.
#pragma once

#include <string>

#include "migration/copy/copy.h"
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
};
std::string to_json(const CopyRequest& request);
// Errors: kCorrupt, saying what is wrong.
Result<CopyRequest> copy_request_from_json(std::string_view text);

// What happens, a second at a time; each may be empty.
struct CopyRunEvents {
  CopyListener on_copy{};
  std::function<void(const compare::CompareCounts& so_far, async::milliseconds elapsed)>
      on_verify{};
};

// Changes the pace by a setting as people type it: max-rows-per-second, max-megabytes-per-second,
// latency-bound, full-speed. Errors: kInvalidArgument, naming the setting, or those that there are.
Result<void> apply_setting(rows::PaceOptions& pace, std::string_view key, std::string_view value);

// What a look before going on with the run is to be told: what it has done itself is no obstacle.
CopyOptions options_to_go_on(const journal::Run& run, const CopyRequest& request);

// Copies what the run has not copied yet; a live copy then verifies and repairs what it finds.
// Settings that others change act at once. The run's result is "{}" from when the target may be
// made, and {"source_app_id", "source_partitions", "target_app_id", "envs_after_copy"} while rows
// are copied; from then on another table under one of the names is refused. The partition count is
// that which the stored positions are for. The caller ends the run. Errors: of prepare_copy(),
// copy_rows() and verify_and_repair_live(); kRefused when a table is not the one that the run began
// with.
Task<CopyReport> run_copy(RunKeeper& run, Preflight preflight, rows::PaceOptions pace,
                          const async::StopSignal& stop, CopyRunEvents events);

// Where the partitions of a source that has `partitions` go on.
std::vector<rows::LaneState> partitions_to_start(
    const std::vector<journal::LanePosition>& positions, int32_t partitions);

}  // namespace pegmove::migration
