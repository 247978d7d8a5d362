// The hidden option --die-at, with which tests kill a verb at a chosen step.
#pragma once

#include <string>

#include "backup/steps.h"
#include "base/result.h"

namespace pegmove::apps {

// Of "STEP" or "STEP:N": ends the process, as kill -9 does, after the N-th time that the step is
// done. The steps are those of backups, restores, loads and splits, and the failpoints of runs. "":
// an empty listener. Errors: kInvalidArgument for an unknown step.
Result<backup::StepListener> die_at(const std::string& text);

}  // namespace pegmove::apps
