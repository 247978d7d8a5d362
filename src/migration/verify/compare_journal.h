// Comparisons in the journal: what is stored of one, so that a killed one goes on where it was.
#pragma once

#include <string>
#include <vector>

#include "compare/compare.h"
#include "journal/run.h"
#include "migration/run_keeper.h"

namespace pegmove::migration {

// The options that decide what is compared, as JSON for journal::NewRun::options; tables, timeout
// and `start` are not among them.
std::string to_json_text(const compare::CompareOptions& options);
// Reads them back. Errors: kCorrupt, naming what is wrong.
Result<compare::CompareOptions> parse_compare_options(std::string_view json);

// A position carries the class's counters, sums and first differences, and which tables they are
// of: ids and partition counts.
journal::LanePosition to_position(int number, const compare::ResidueClassState& state,
                                  const compare::TablePair& tables);

struct RestoredClasses {
  std::vector<compare::ResidueClassState>
      states;              // as many as there are classes; empty: begin anew
  std::string why_anew{};  // empty when there were no positions
};
// Positions are of use only for the same tables with the same partition counts.
RestoredClasses restore_classes(const std::vector<journal::LanePosition>& positions,
                                const compare::TablePair& tables);

// Compares as compare() does, within a run that the keeper has begun: goes on behind the positions
// that are stored, and notes new ones. When they are of no use it forgets them, tells `say` why,
// and begins anew. `events.on_class` is replaced. The keeper outlives it.
Task<compare::CompareReport> compare_journaled(RunKeeper& keeper, compare::TablePair tables,
                                               compare::CompareOptions options,
                                               const async::StopSignal& stop,
                                               compare::CompareEvents events,
                                               std::function<void(const std::string&)> say);

}  // namespace pegmove::migration
