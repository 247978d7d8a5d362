// Measures the latency that clients of a table see while the table is moved.
#pragma once

#include "async/task_group.h"
#include "client/table.h"
#include "rows/throttler.h"

namespace pegmove::migration {

// Four times a second reads a row that most likely does not exist, in one partition after another,
// and reports to the throttler how long the answer took, and whether the table's servers reported
// that they are busy. Runs in `group` until that is stopped.
Routine<> probe_latency(std::shared_ptr<client::Table> table, rows::Throttler& throttler,
                        async::TaskGroup& group);

}  // namespace pegmove::migration
