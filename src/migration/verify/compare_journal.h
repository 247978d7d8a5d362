// Comparisons in the journal: what is stored of one, so that it is resumed at its position after a
// kill.
#pragma once

#include <string>
#include <vector>

#include "compare/compare.h"
#include "journal/run.h"
#include "runs/run_session.h"
#include "runs/work.h"

namespace pegmove::migration {

// The options that decide what is compared, as JSON for journal::NewRun::options; tables, timeout
// and `start` are not among them.
std::string to_json_text(const compare::CompareOptions& options);
// Reads them back. Errors: kCorrupt, naming the wrong part.
Result<compare::CompareOptions> parse_compare_options(std::string_view json);

// A position contains the class's counters, sums and first differences, and the ids and partition
// counts of the tables.
journal::UnitPosition to_position(int number, const compare::ResidueClassState& state,
                                  const compare::TablePair& tables);

struct RestoredClasses {
  std::vector<compare::ResidueClassState> states;  // one per class; empty: from the beginning
  std::string why_restarted{};                     // empty when there were no positions
};
// Positions are valid only for the same tables with the same partition counts.
RestoredClasses restore_classes(const std::vector<journal::UnitPosition>& positions,
                                const compare::TablePair& tables);

// Compares as compare() does, as the current step of a run: it begins after the stored positions,
// stores new ones and shows the progress. Invalid positions are removed, with a warning that says
// why. `sink` may be null. `doing`: "verifying".
Task<compare::CompareReport> compare_journaled(runs::StepContext context, compare::TablePair tables,
                                               compare::CompareOptions options,
                                               compare::DifferenceSink* sink, std::string doing);

}  // namespace pegmove::migration
