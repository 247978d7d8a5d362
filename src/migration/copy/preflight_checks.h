// The preflight checks of a copy, and how it would write rows, from what is known of both sides.
// Pure: no clock, no network.
#pragma once

#include "inspect/finding.h"
#include "migration/copy/write_method.h"
#include "migration/env_plan.h"

namespace pegmove::migration {

struct PreflightResult {
  inspect::Findings findings{};
  WriteMethod method{};
  std::vector<EnvDecision> envs{};  // of the table that will be created
};

// All checks of inspect/ and of live_checks.h, and those below.
PreflightResult check_copy(const inspect::Inspection& inspection, const CopyOptions& options);

// Whether the tables exist, or can be created, and serve.
inspect::Findings check_tables(const inspect::Inspection& inspection, const CopyOptions& options);
// Whether the target table can be created, and which of the source's envs it gets.
inspect::Findings check_creation(const inspect::Inspection& inspection, const CopyOptions& options,
                                 const std::vector<EnvDecision>& envs);
// The write method, as a finding.
inspect::Findings check_write_method(const WriteMethod& method, const CopyOptions& options);

}  // namespace pegmove::migration
