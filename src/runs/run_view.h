// Runs of the journal as text and as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "journal/journal.h"

namespace pegmove::runs {

// A run, the process that works on it, and its progress.
struct RunView {
  journal::Run run;
  std::optional<int>
      process;  // its id, 0 when it is not known; nullopt: no process works on the run
  journal::Progress progress{};
  std::vector<journal::StepRecord> steps{};
  std::vector<journal::UnitPosition> positions{};  // of the current step

  // The journal's state, or "killed" for a run that should be running and is not.
  std::string state() const;
  // The verdict of a run that is done ("equal", "different"); "" for methods that have none.
  std::string verdict() const;
};

// Errors: the journal's.
Result<RunView> view_of(const journal::Journal& journal, journal::Run run);

// {"id", "method", "from", "to", "table", "to_table", "state", "process", "reason", "rows",
// "bytes", "created", "updated", "options", "result", "step", "progress"}.
nlohmann::ordered_json to_json(const RunView& view);
// The same with "steps": [{"step", "state", "outcome", "product"}], "partitions_done" and
// "partitions": [{"partition", "rows", "bytes", "done"}]. The product is what the step has made.
nlohmann::ordered_json to_detailed_json(const RunView& view);

// Names are cut in the middle: to 24 characters, and for lines of at most `width` characters (0:
// any width) to fewer, but not to fewer than 8.
std::string table_of(const std::vector<RunView>& views, size_t width = 0);
// One line.
std::string to_line(const RunView& view);

}  // namespace pegmove::runs
