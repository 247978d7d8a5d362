#include "apps/runs.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

#include "apps/process_ports.h"
#include "apps/progress_line.h"
#include "apps/terminal.h"
#include "journal/location.h"
#include "migration/methods.h"

namespace pegmove::apps {
namespace {

using journal::RunState;
using runs::Ending;
using runs::UndoEnd;

void say(const std::string& text) { std::fprintf(stderr, "pegmove: %s\n", text.c_str()); }

void print_assessment(const runs::Assessment& assessment, bool quiet) {
  for (const auto& warning : assessment.warnings) say(warning);
  if (quiet) return;
  for (const auto& note : assessment.notes) say(note);
}

void announce(const std::string& run, const RunArguments& arguments) {
  if (arguments.common.quiet) return;
  say(fmt::format("run {}; if it is interrupted, continue with `pegmove resume {}{}`", run, run,
                  state_words(arguments.state)));
}

void print_report(const runs::Report& report, bool json) {
  std::fputs((json ? report.json + "\n" : report.text).c_str(), stdout);
}

// How to continue a run that has not ended.
void print_next_step(const std::string& run, const RunArguments& arguments, RunState state) {
  const auto words = run + state_words(arguments.state);
  const auto is = fmt::format("run {} is {}; ", run, journal::to_string(state));
  if (state == RunState::kFailed)
    say(fmt::format("run {} failed; fix the cause, then continue with `pegmove resume {}`", run,
                    words));
  else if (state == RunState::kCancelling)
    say(
        fmt::format("{}fix the cause, then continue with `pegmove cancel {}`, or end it as it is "
                    "with --abandon",
                    is, words));
  else
    say(fmt::format("{}continue with `pegmove resume {}`", is, words));
}

int report_ending(const std::string& run, const RunArguments& arguments, const Ending& ending) {
  if (ending.refused) return report(*ending.refused, kPreflightFailed);
  if (ending.report) print_report(*ending.report, arguments.common.json);
  if (ending.state == RunState::kDone) return ending.report->tables_differ ? kTablesDiffer : kDone;
  if (!ending.reason.empty()) say(ending.reason);
  if (ending.state == RunState::kCancelled) {
    say(fmt::format("run {} is cancelled", run));
    print_undone(ending.undone);
    return kInterrupted;
  }
  if (ending.has_given_back) return kGivenBack;  // the reason says how to try again
  print_next_step(run, arguments, ending.state);
  if (ending.report && ending.report->tables_differ) return kTablesDiffer;
  const bool is_failure =
      ending.state == RunState::kFailed || ending.state == RunState::kCancelling;
  return is_failure ? kFailed : kInterrupted;
}

// Carries out a run of the journal; `make` returns the work once the run is locked.
int carry_out(CommandRun& run, const RunArguments& arguments, const std::string& id,
              std::function<Result<runs::Work*>(const journal::Run&)> make, bool is_open) {
  auto path = journal_path(arguments.state);
  if (!path) return report(path.error());
  ProgressLine line(arguments.common.quiet);
  auto events = events_of(run, arguments, line);
  if (!events) return report(events.error(), kUsage);
  auto work_on = [&](runs::RunSession& session) -> Task<Ending> {  // outlives: this call
    auto* work = CO_TRY(make(session.run()));
    run.begin_work();
    announce(id, arguments);
    co_return co_await runs::carry_out(session, *work, *events, is_open);
  };
  auto ending =
      run.wait_for(runs::RunSession::hold<Ending>({.executor = run.context().get_executor(),
                                                   .clock = run.clock(),
                                                   .stop = run.stop(),
                                                   .journal_path = *path,
                                                   .run = id},
                                                  work_on));
  if (!ending) return report(ending.error());
  line.end();
  return report_ending(id, arguments, *ending);
}

// With what the checks have found, where the work has it as JSON; for people that is on stderr.
void print_procedure(const RunArguments& arguments, runs::Work& work,
                     const runs::Assessment& assessment) {
  const auto steps = work.steps();
  if (!arguments.common.json)
    std::fputs(runs::procedure_text(steps).c_str(), stdout);
  else if (assessment.checks_json.empty())
    std::printf("%s\n", runs::procedure_json(steps).c_str());
  else
    std::printf("{\"preflight\": %s,\n\"steps\": %s}\n", assessment.checks_json.c_str(),
                runs::procedure_json(steps).c_str());
}

}  // namespace

Result<runs::Events> events_of(CommandRun& run, const RunArguments& arguments, ProgressLine& line) {
  runs::Events events{.show = [&line](const std::string& text) { line.show(text); },
                      .warn = say,
                      .at = TRY(failpoint_listener(arguments.failpoints))};
  if (!arguments.common.quiet) events.say = say;
  if (is_on_terminal())
    events.ask = [&run, &line](std::string question) {
      line.end();
      return ask_on_terminal(run.clock(), run.stop(), std::move(question));
    };
  return events;
}

void add_state_option(Verb& verb, std::string& state) {
  verb.add_option("--state", state,
                  "the journal file; default: $XDG_STATE_HOME/pegmove/journal.db, or "
                  "~/.local/state/pegmove/journal.db");
}

void add_run_options(Verb& verb, RunArguments& arguments) {
  add_state_option(verb, arguments.state);
  verb.add_flag("--dry-run", arguments.dry_run,
                "run the preflight checks, print the steps, and change nothing");
  add_failpoint_options(verb, arguments.failpoints);
  add_common_options(verb, arguments.common);
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

bool print_undone(const std::vector<runs::Undone>& undone) {
  bool is_left = false;
  for (const auto& each : undone) {
    if (!each.says.empty()) say((each.end == UndoEnd::kCannot ? "not undone: " : "") + each.says);
    is_left |= each.end == UndoEnd::kCannot;
  }
  return is_left;
}

int begin_run(CommandRun& run, const RunArguments& arguments, runs::Work& work,
              journal::NewRun names, int refused) {
  if (auto known = failpoint_listener(arguments.failpoints); !known)
    return report(known.error(), kUsage);
  run.prepare();
  auto assessment = run.wait_for(work.open(runs::Purpose::kBegin));
  if (!assessment) return report(assessment.error(), refused);
  print_assessment(*assessment, arguments.common.quiet);
  const bool is_refused = assessment->refusal.has_value();
  // Programs want to know what is wrong, too.
  const bool shows_refused = arguments.common.json && !assessment->checks_json.empty();
  if (arguments.dry_run && (!is_refused || shows_refused))
    print_procedure(arguments, work, *assessment);
  if (is_refused) return report(*assessment->refusal, refused);
  if (arguments.dry_run) return kDone;
  names.options = work.options();
  auto begun = [&]() -> Result<journal::Run> {
    return TRY(open_journal(arguments.state, run.clock())).begin(names);
  }();
  if (!begun) return report(begun.error());
  return carry_out(
      run, arguments, begun->id,
      [&work](const journal::Run&) { return Result<runs::Work*>(&work); }, true);
}

int resume_run(const RunArguments& arguments, const std::string& id) {
  auto run = CommandRun::start(arguments.common);
  if (!run) return report(run.error(), kUsage);
  auto found = [&]() -> Result<journal::Run> {
    return TRY(open_journal(arguments.state, (*run)->clock())).get(id);
  }();
  if (!found)
    return report(found.error(), found.error().code() == Code::kNotFound ? kUsage : kFailed);
  const ProcessPorts ports(**run, arguments.state, guard_words(arguments.failpoints));
  const auto registry = migration::methods(ports.get());
  std::unique_ptr<runs::Work> work;
  return carry_out(
      **run, arguments, id,
      [&](const journal::Run& locked) -> Result<runs::Work*> {
        work = TRY((*TRY(registry.find(locked))).make(locked));
        return work.get();
      },
      false);
}

}  // namespace pegmove::apps
