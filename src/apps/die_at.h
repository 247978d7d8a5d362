// The hidden option --die-at, with which tests kill a verb at a chosen failpoint.
#pragma once

#include <string>

#include "backup/failpoints.h"
#include "base/result.h"

namespace pegmove::apps {

// Of "POINT" or "POINT:N": ends the process, as kill -9 does, when the failpoint is reached for the
// N-th time. Failpoints are those of backups, restores, loads and splits, and of runs. "": an empty
// listener. Errors: kInvalidArgument for an unknown failpoint.
Result<backup::FailpointListener> die_at(const std::string& text);

}  // namespace pegmove::apps
