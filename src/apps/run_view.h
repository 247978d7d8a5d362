// Runs of the journal as text and as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "journal/journal.h"

namespace pegmove::apps {

// A run, and who works on it.
struct RunView {
  journal::Run run;
  std::optional<int> process;  // its id, 0 when it cannot be told; nullopt: nobody works on it

  // The journal's state, or "killed" of one that should be running and is not.
  std::string state() const;
  // What a run that is done has found ("equal", "different"); "" for those that find nothing.
  std::string verdict() const;
};

// Errors: the journal's.
Result<RunView> view_of(const journal::Journal& journal, journal::Run run);

// {"id", "method", "from", "to", "table", "to_table", "state", "process", "reason", "rows",
// "bytes", "created", "updated", "options", "result"}.
nlohmann::ordered_json to_json(const RunView& view);
// The same with "partitions": [{"partition", "rows", "bytes", "done"}].
nlohmann::ordered_json to_json(const RunView& view,
                               const std::vector<journal::LanePosition>& positions);

std::string table_of(const std::vector<RunView>& views);
// One line.
std::string to_line(const RunView& view, const std::vector<journal::LanePosition>& positions);

}  // namespace pegmove::apps
