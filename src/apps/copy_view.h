// What people see of a copy: the line a second, and the report at its end.
#pragma once

#include <nlohmann/json.hpp>

#include "apps/progress_line.h"
#include "migration/copy/copy.h"

namespace pegmove::apps {

// Shows each status on the line, which outlives it.
migration::CopyListener show_copy_on(ProgressLine& line);

// The names of both ends, for people.
struct CopyEnds {
  std::string from, table, to, to_table;
};

nlohmann::ordered_json to_json(const migration::CopyReport& report, const std::string& run,
                               const CopyEnds& ends);
std::string to_text(const migration::CopyReport& report, const CopyEnds& ends);

}  // namespace pegmove::apps
