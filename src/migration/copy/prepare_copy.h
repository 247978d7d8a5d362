// A copy that may begin: what the preflight found is fit, and the target table has been made if
// asked.
#pragma once

#include "migration/copy/preflight.h"

namespace pegmove::migration {

struct PreparedCopy {
  // With options.duplicate set when rows go through DUPLICATE. Whoever resumes the copy later gives
  // the same one again, so that the time stays that of the first start.
  CopyOptions options;
  std::shared_ptr<client::Table> source;
  std::shared_ptr<client::Table> target;
  inspect::Inspection inspection{};
  PreflightResult result{};  // findings, the method and its reason, envs of the table that was made
};

// Makes what is to be made, when nothing that was found forbids it, and opens the tables. A table
// is made with the app envs of the source that act at creation, and gets the others once it serves.
// May be repeated with options.made_by_this_run after it was cut off anywhere: it goes on. Errors:
// those found, all in one (finding.h: to_error); those of client/cluster.h.
Task<PreparedCopy> prepare_copy(Preflight preflight);

// App envs of the source that a table that is made gets when its rows are there.
inline EnvMap envs_after_copy(const PreparedCopy& copy) {
  return envs_of(copy.result.envs, EnvFate::kAfterCopy);
}
// Sets them. May be repeated. Errors: those of Cluster::set_envs.
Task<> finish_target(client::Table& target, EnvMap envs_after_copy, async::milliseconds timeout);

// The look and the making in one.
Task<PreparedCopy> prepare_copy(std::shared_ptr<client::Cluster> source,
                                std::shared_ptr<client::Cluster> target, CopyOptions options);

}  // namespace pegmove::migration
