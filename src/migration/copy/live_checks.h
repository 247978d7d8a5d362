// Whether a copy may run while clients write to the target. Pure: no clock, no network.
#pragma once

#include "inspect/finding.h"
#include "migration/copy/write_method.h"

namespace pegmove::migration {

// Whether newer rows of clients can be kept.
inspect::Findings check_live(const inspect::Inspection& inspection, const CopyOptions& options,
                             const WriteMethod& method);

}  // namespace pegmove::migration
