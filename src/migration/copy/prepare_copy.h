// A copy that may begin: the preflight checks have passed, and the target table was created if
// requested.
#pragma once

#include "migration/copy/preflight.h"

namespace pegmove::migration {

struct PreparedCopy {
  // options.duplicate is set when rows are written through DUPLICATE. A resumed copy passes the
  // same value again, so that its time stays that of the first start.
  CopyOptions options;
  std::shared_ptr<client::Table> source;
  std::shared_ptr<client::Table> target;
  inspect::Inspection inspection{};
  PreflightResult result{};  // findings, the write method and its reason, envs of a created table
};

// Creates the target table if requested, unless a finding forbids it, and opens the tables. A table
// is created with the app envs of the source that act at creation, and gets the others once it
// serves. May be repeated with options.made_by_this_run after an interruption at any point: it
// continues. Errors: the findings, as one error (finding.h: to_error); those of client/cluster.h.
Task<PreparedCopy> prepare_copy(Preflight preflight);

// App envs of the source that a created table gets after its rows are copied.
inline EnvMap envs_after_copy(const PreparedCopy& copy) {
  return envs_of(copy.result.envs, EnvFate::kAfterCopy);
}
// Sets them. May be repeated. Errors: those of Cluster::set_envs.
Task<> finish_target(client::Table& target, EnvMap envs_after_copy, async::milliseconds timeout);

// The preflight checks and prepare_copy() in one.
Task<PreparedCopy> prepare_copy(std::shared_ptr<client::Cluster> source,
                                std::shared_ptr<client::Cluster> target, CopyOptions options);

}  // namespace pegmove::migration
