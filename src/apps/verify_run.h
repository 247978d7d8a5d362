// Runs of the methods "verify" and "repair", for `pegmove resume`.
#pragma once

#include "apps/runs.h"

namespace pegmove::apps {

inline constexpr const char* kVerifyMethod = "verify";
inline constexpr const char* kRepairMethod = "repair";

// Go on with a run and print its result, as the verb itself would have. Return the exit code.
// Precondition: run.method is theirs.
int resume_verify(const RunArguments& arguments, const journal::Run& run);
int resume_repair(const RunArguments& arguments, const journal::Run& run);

}  // namespace pegmove::apps
