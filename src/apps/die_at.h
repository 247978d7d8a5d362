// The option --die-at of verbs that tests kill in the middle.
#pragma once

#include <string>

#include "backup/failpoints.h"
#include "base/result.h"

namespace pegmove::apps {

// Of "STEP" or "STEP:N": ends the process, as kill -9 does, after the N-th time that the step is
// done. The steps are those of backups, restores, loads and splits, and the failpoints of runs. "":
// a listener that is none. Errors: kInvalidArgument, for what is no step.
Result<backup::FailpointListener> die_at(const std::string& text);

}  // namespace pegmove::apps
