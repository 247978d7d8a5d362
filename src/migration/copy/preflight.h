// The preflight checks of a copy: they inspect both clusters, change nothing, and report all
// problems at once.
#pragma once

#include "client/table.h"
#include "inspect/gather.h"
#include "migration/copy/preflight_checks.h"

namespace pegmove::migration {

struct Preflight {
  CopyOptions options;
  inspect::Inspection inspection{};
  PreflightResult result{};
  std::shared_ptr<client::Cluster> source_cluster{}, target_cluster{};  // null: not reached
  std::shared_ptr<client::Table> source{}, target{};                    // null: does not exist

  bool can_begin() const { return !result.findings.has_errors(); }
};

// Asks both clusters and their servers (inspect::gather), and checks the answers. Read-only. A
// question that is not answered in time becomes a finding.
Routine<Preflight> look_before_copy(inspect::Side source, inspect::Side target,
                                    CopyOptions options);

}  // namespace pegmove::migration
