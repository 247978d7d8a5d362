// How verbs begin a run, resume it, and report its end.
#pragma once

#include "apps/command.h"
#include "apps/die_at.h"
#include "journal/journal.h"
#include "migration/ports.h"
#include "runs/engine.h"

namespace pegmove::apps {

// Of verbs that begin a run or resume one.
struct RunArguments {
  CommonOptions common;
  std::string state;            // the journal; empty: the default path
  bool dry_run = false;         // print the steps and change nothing
  FailpointOptions failpoints;  // for tests
};
void add_state_option(Verb& verb, std::string& state);
// --state, --dry-run, the common options, and those for failpoints, which are hidden.
void add_run_options(Verb& verb, RunArguments& arguments);

// The journal's path. Errors: of journal::default_state_path().
Result<std::string> journal_path(const std::string& state);
// Errors: of Journal::open().
Result<journal::Journal> open_journal(const std::string& state, const Clock& clock);

// "--state FILE" to append to the commands that are printed, or nothing.
std::string state_words(const std::string& state);

// Checks whether the run can begin, writes it to the journal, carries it out, and prints how it
// ended. The options of `names` are taken from the work. Returns the exit code; `refused` when it
// cannot begin.
int begin_run(CommandRun& run, const RunArguments& arguments, runs::Work& work,
              journal::NewRun names, int refused = kPreflightFailed);

// Prints what a cancel did on stderr, a line for each step. Returns whether something is left that
// should not be.
bool print_undone(const std::vector<runs::Undone>& undone);

void add_run_commands(Verb& program, int& exit_code);       // list, status, set, forget
void add_steering_commands(Verb& program, int& exit_code);  // resume, pause, cancel

// How the events of a run reach the terminal. The line must outlive them. Errors: an unknown
// --die-at.
class ProgressLine;
Result<runs::Events> events_of(CommandRun& run, const RunArguments& arguments, ProgressLine& line);

// Resumes a run of any method. Returns the exit code.
int resume_run(const RunArguments& arguments, const std::string& id);

}  // namespace pegmove::apps
