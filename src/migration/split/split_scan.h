// Files of a bulk load from a table that a cluster serves: a unit of a split whose rows come from
// scans.
#pragma once

#include "client/table.h"
#include "splitter/split.h"

namespace pegmove::migration {

// One unit per residue class: the scans of its partitions are merged in key order. Rows that
// clients write during the scan may or may not be included. Rows have no timetag, since scans do
// not return it. Errors: the client's; as carry_out_unit().
Task<splitter::UnitResult> scan_unit(std::shared_ptr<client::Table> table,
                                     const splitter::SplitTarget& target,
                                     const splitter::SplitPlan& plan, size_t unit,
                                     splitter::SplitLimits limits, splitter::UnitEvents events);

}  // namespace pegmove::migration
