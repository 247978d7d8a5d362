// What a run makes of the findings of its preflight checks.
#pragma once

#include "inspect/finding.h"
#include "runs/work.h"

namespace pegmove::migration {

// Errors refuse the run (kRefused), a line each; the other findings become its warnings and notes.
runs::Assessment assess(const inspect::Findings& findings);

}  // namespace pegmove::migration
