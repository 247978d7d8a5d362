#include "apps/runs.h"

#include <cstdio>
#include <cstdlib>

#include "journal/location.h"

namespace pegmove::apps {

using journal::RunState;

void add_state_option(CLI::App& verb, std::string& state) {
  verb.add_option("--state", state,
                  "the journal, a file; default: $XDG_STATE_HOME/pegmove/journal.db, or "
                  "~/.local/state/pegmove/journal.db");
}

Result<std::string> journal_path(const std::string& state) {
  if (!state.empty()) return state;
  return journal::default_state_path([](const char* name) { return std::getenv(name); });
}

Result<journal::Journal> open_journal(const std::string& state, const Clock& clock) {
  return journal::Journal::open(TRY(journal_path(state)), clock);
}

std::string state_words(const std::string& state) {
  return state.empty() ? "" : " --state " + state;
}

void announce(const std::string& run, const RunArguments& arguments) {
  if (arguments.common.quiet) return;
  std::fprintf(stderr, "pegmove: run %s; if it ends early, `pegmove resume %s%s` goes on\n",
               run.c_str(), run.c_str(), state_words(arguments.state).c_str());
}

int report_end(const std::string& run, const RunArguments& arguments,
               const migration::RunEnd& end) {
  if (end.state == RunState::kDone) return kDone;
  if (!end.reason.empty()) std::fprintf(stderr, "pegmove: %s\n", end.reason.c_str());
  if (end.state == RunState::kCancelled) {
    const char* left = run.starts_with("backup-") ? "what was uploaded is removed"
                       : run.starts_with("restore-")
                           ? "if the cluster was told to restore, it goes "
                             "on: drop the table if you do not want it"
                           : "what it did so far stays";
    std::fprintf(stderr, "pegmove: run %s is cancelled; %s\n", run.c_str(), left);
    return kInterrupted;
  }
  std::fprintf(stderr, "pegmove: run %s %s %s; `pegmove resume %s%s` goes on where it was%s\n",
               run.c_str(), end.state == RunState::kFailed ? "has" : "is",
               std::string(journal::to_string(end.state)).c_str(), run.c_str(),
               state_words(arguments.state).c_str(),
               end.state == RunState::kFailed ? " once that is mended" : "");
  return end.state == RunState::kFailed ? kFailed : kInterrupted;
}

}  // namespace pegmove::apps
