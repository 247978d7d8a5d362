// The hidden options with which tests end or stop a verb at a chosen failpoint.
#pragma once

#include <string>
#include <vector>

#include "apps/verb.h"
#include "backup/failpoints.h"
#include "base/result.h"

namespace pegmove::apps {

// Of "POINT" or "POINT:N": ends the process, as kill -9 does, when the failpoint is reached for the
// N-th time. Failpoints are those of backups, restores, loads and splits, and of runs. "": an empty
// listener. Errors: kInvalidArgument for an unknown failpoint.
Result<backup::FailpointListener> die_at(const std::string& text);

// Of verbs that work on runs.
struct FailpointOptions {
  std::string die_at{};     // --die-at, as above
  std::string stop_at{};    // --stop-at "POINT,POINT,...", as SIGSTOP does: at the first, then at
                            // the next one after it, ...; the test continues it with SIGCONT
  std::string points_in{};  // --points-in FILE: each failpoint is appended as "PID POINT"
  std::string guard_die_at{};  // --guard-die-at: --die-at of the guard that this process starts
};
void add_failpoint_options(Verb& verb, FailpointOptions& options);
// What they ask for. Errors: of die_at(); kIo when the file cannot be opened.
Result<backup::FailpointListener> failpoint_listener(const FailpointOptions& options);
// The options of a guard that is started by a process that has these.
std::vector<std::string> guard_words(const FailpointOptions& options);

}  // namespace pegmove::apps
