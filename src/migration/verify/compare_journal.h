// Comparisons in the journal: what is stored of one, so that a killed one is resumed where it was.
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
// Reads them back. Errors: kCorrupt, naming what is wrong.
Result<compare::CompareOptions> parse_compare_options(std::string_view json);

// A position carries the class's counters, sums and first differences, and which tables they are
// of: ids and partition counts.
journal::UnitPosition to_position(int number, const compare::ResidueClassState& state,
                                  const compare::TablePair& tables);

struct RestoredClasses {
  std::vector<compare::ResidueClassState>
      states;              // as many as there are classes; empty: from the beginning
  std::string why_anew{};  // empty when there were no positions
};
// Positions are of use only for the same tables with the same partition counts.
RestoredClasses restore_classes(const std::vector<journal::UnitPosition>& positions,
                                const compare::TablePair& tables);

// Compares as compare() does, as the step of a run that is under way: behind the positions that are
// stored, noting new ones and showing how far it is. Positions that are of no use are forgotten,
// with a warning that says why. `sink` may be null. "doing": "verifying".
Task<compare::CompareReport> compare_journaled(runs::StepContext context, compare::TablePair tables,
                                               compare::CompareOptions options,
                                               compare::DifferenceSink* sink, std::string doing);

}  // namespace pegmove::migration
