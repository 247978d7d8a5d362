// Runs of the journal as text and as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "journal/journal.h"

namespace pegmove::runs {

// A run, who works on it, and how far it is.
struct RunView {
  journal::Run run;
  std::optional<int> process;  // its id, 0 when it cannot be told; nullopt: nobody works on it
  journal::Progress progress{};
  std::vector<journal::StepRecord> steps{};
  std::vector<journal::UnitPosition> positions{};  // of the step under way

  // The journal's state, or "killed" of one that should be running and is not.
  std::string state() const;
  // What a run that is done has found ("equal", "different"); "" for those that find nothing.
  std::string verdict() const;
};

// Errors: the journal's.
Result<RunView> view_of(const journal::Journal& journal, journal::Run run);

// {"id", "method", "from", "to", "table", "to_table", "state", "process", "reason", "rows",
// "bytes", "created", "updated", "options", "result", "step", "progress"}.
nlohmann::ordered_json to_json(const RunView& view);
// The same with "steps": [{"step", "state", "outcome"}], "partitions_done" and "partitions":
// [{"partition", "rows", "bytes", "done"}].
nlohmann::ordered_json to_detailed_json(const RunView& view);

// Columns no wider than 24 characters, longer names cut in the middle.
std::string table_of(const std::vector<RunView>& views);
// One line.
std::string to_line(const RunView& view);

}  // namespace pegmove::runs
