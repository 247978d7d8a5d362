// Runs of the journal, as the verbs see them: where the journal is, and how the work on a run ends.
#pragma once

#include "apps/command.h"
#include "journal/journal.h"
#include "migration/run_keeper.h"

namespace pegmove::apps {

// Of verbs that begin a run or go on with one.
struct RunArguments {
  CommonOptions common;
  std::string state;  // the journal; empty: its usual place
};
void add_state_option(CLI::App& verb, std::string& state);

// The journal's path. Errors: of journal::default_state_path().
Result<std::string> journal_path(const std::string& state);
// Errors: of Journal::open().
Result<journal::Journal> open_journal(const std::string& state, const Clock& clock);

// "--state FILE" to add to commands that are shown, or nothing.
std::string state_words(const std::string& state);

// Says on stderr that a run begins, and how to go on with it if it ends early. Not when quiet.
void announce(const std::string& run, const RunArguments& arguments);

// Says how to go on with a run that ended early, on stderr, and returns the exit code: kDone,
// kInterrupted for one that was paused, cancelled or interrupted, kFailed otherwise.
int report_end(const std::string& run, const RunArguments& arguments, const migration::RunEnd& end);

// Go on with a run of a method. Precondition: run.method is it.
int resume_copy(const RunArguments& arguments, const journal::Run& run);
int resume_backup(const RunArguments& arguments, const journal::Run& run);
int resume_restore(const RunArguments& arguments, const journal::Run& run);
int resume_split(const RunArguments& arguments, const journal::Run& run);
int resume_load(const RunArguments& arguments, const journal::Run& run);
// Tells the cluster to end the backup of a run that nobody works on. Returns the exit code.
int cancel_backup(const journal::Run& run);
// The same of a load. What came too late is told on stderr. Errors: the cluster's.
Result<void> cancel_load(const journal::Run& run);

void add_run_commands(CLI::App& program, int& exit_code);  // list, status, pause, cancel, set
void add_resume_command(CLI::App& program, int& exit_code);

}  // namespace pegmove::apps
