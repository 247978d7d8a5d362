// Everything that is wrong with a copy that is about to begin, and how it would be made, by what is
// known of both sides. Pure: no clock, no network.
#pragma once

#include "inspect/finding.h"
#include "migration/copy/write_method.h"
#include "migration/env_plan.h"

namespace pegmove::migration {

struct PreflightResult {
  inspect::Findings findings{};
  WriteMethod method{};
  std::vector<EnvDecision> envs{};  // of the table that is to be made
};

// All checks of inspect/ and of live_checks.h, and those below.
PreflightResult check_copy(const inspect::Inspection& inspection, const CopyOptions& options);

// Whether the tables are there, or can be made, and serve.
inspect::Findings check_tables(const inspect::Inspection& inspection, const CopyOptions& options);
// What a table that is made gets of the source's envs.
inspect::Findings check_creation(const inspect::Inspection& inspection, const CopyOptions& options,
                                 const std::vector<EnvDecision>& envs);
// The method, as a finding.
inspect::Findings check_write_method(const WriteMethod& method, const CopyOptions& options);

}  // namespace pegmove::migration
