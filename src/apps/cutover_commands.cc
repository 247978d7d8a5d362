// cutover, rollback, complete, guard: the word that a hot migration waits for, and who gives a
// cutover back when pegmove is gone.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "apps/process_ports.h"
#include "apps/progress_line.h"
#include "apps/runs.h"
#include "apps/terminal.h"
#include "apps/time_guard.h"
#include "base/json_text.h"
#include "base/units.h"
#include "migration/hot/hot.h"
#include "migration/hot/journal_holder.h"
#include "migration/methods.h"
#include "runs/steering.h"

namespace pegmove::apps {
namespace {

using journal::Request;
using journal::StepRecord;
using journal::StepState;
namespace hot = migration::hot;

struct CutoverArguments {
  RunArguments run;
  std::string id;
  std::string wait = "10m";
  bool yes = false;
};

using Steps = std::vector<StepRecord>;

StepRecord record_of(const Steps& steps, std::string_view name) {
  const auto found = std::ranges::find(steps, name, &StepRecord::name);
  return found == steps.end() ? StepRecord{.state = StepState::kUndone} : *found;
}

bool target_serves(const Steps& steps) {
  return record_of(steps, hot::kCutoverStep).state == StepState::kDone;
}

// What a rollback that was asked for has not ended yet, or a cutover: the step finds out who
// serves.
bool is_switch_open(const Steps& steps) {
  const auto cutover = record_of(steps, hot::kCutoverStep);
  return cutover.state == StepState::kBegun || cutover.state == StepState::kUndoing ||
         cutover.outcome == hot::kRollbackAsked;
}

// Whether the step has done what was asked. `before`: the step when it was asked.
bool is_done(Request request, const Steps& steps, const StepRecord& before) {
  const auto now = record_of(steps, hot::kCutoverStep);
  if (request == Request::kCutover) return now.state == StepState::kDone;
  if (request == Request::kRollback)
    return now.state == StepState::kUndone && now.outcome == hot::kRolledBack && now != before;
  return false;  // the run ends
}

Result<void> check_can_ask(Request request, const journal::Run& run, const Steps& steps) {
  if (run.method != hot::kHotMethod)
    return fail(Code::kInvalidArgument,
                fmt::format("run {} is of method {}: only a hot migration has a {}", run.id,
                            run.method, journal::to_string(request)));
  const bool serves = target_serves(steps);
  if (request == Request::kCutover && serves)
    return fail(Code::kInvalidArgument,
                fmt::format("cluster {} serves table {} already; `pegmove rollback {}` moves it "
                            "back, `pegmove complete {}` ends the migration",
                            run.to, run.to_table, run.id, run.id));
  if (request == Request::kCutover &&
      record_of(steps, hot::kCutoverStep).outcome == hot::kRollbackAsked)
    return fail(Code::kInvalidArgument,
                fmt::format("a rollback of run {} has begun and not ended; `pegmove rollback {}` "
                            "ends it",
                            run.id, run.id));
  if (request != Request::kCutover && !serves && !is_switch_open(steps))
    return fail(
        Code::kInvalidArgument,
        fmt::format("cluster {} serves table {}: there is nothing to {}; `pegmove cutover "
                    "{}` moves it, `pegmove cancel {}` ends the migration",
                    run.from, run.table, request == Request::kRollback ? "roll back" : "complete",
                    run.id, run.id));
  const bool has_way_back =
      std::ranges::count(steps, hot::kDuplicateBackStep, &StepRecord::name) > 0;
  if (request == Request::kRollback && !has_way_back)
    return fail(Code::kInvalidArgument, hot::kNoWayBack);
  return {};
}

struct Found {
  std::string path;
  journal::Run run;
  Steps steps;
};
Result<Found> find_run(const CutoverArguments& arguments, const Clock& clock) {
  auto path = TRY(journal_path(arguments.run.state));
  const auto journal = TRY(journal::Journal::open(path, clock));
  return Found{std::move(path), TRY(journal.get(arguments.id)), TRY(journal.steps(arguments.id))};
}

std::string words_of(Request request) {
  return request == Request::kCutover    ? "cut over"
         : request == Request::kRollback ? "rolled back"
                                         : "complete";
}

// What came of it, as the journal has it.
int report_asked(const CutoverArguments& arguments, Request request, const StepRecord& before,
                 const runs::Asked& asked, const Steps& steps) {
  const auto now = record_of(steps, hot::kCutoverStep);
  const bool is_complete =
      request == Request::kComplete && asked.run.state == journal::RunState::kDone;
  const bool done = is_complete || is_done(request, steps, before);
  const bool given_back = !done && now != before && now.outcome.starts_with(hot::kGivenBack);
  if (arguments.run.common.json) {
    nlohmann::ordered_json out{{"id", asked.run.id},
                               {"asked", journal::to_string(request)},
                               {"done", done},
                               {"given_back", given_back},
                               {"reason", done         ? ""
                                          : given_back ? now.outcome
                                                       : asked.run.reason}};
    if (done && !now.product.empty())
      out["switch"] = base::parse_json<nlohmann::ordered_json>(now.product);
    std::printf("%s\n", base::json_text(out, 2, base::NoUtf8::kReplace).c_str());
  } else if (done) {
    std::printf("Run %s is %s.\n", asked.run.id.c_str(), words_of(request).c_str());
  }
  if (done) return kDone;
  std::fprintf(stderr, "pegmove: run %s is not %s: %s\n", asked.run.id.c_str(),
               words_of(request).c_str(),
               given_back                 ? now.outcome.c_str()
               : asked.run.reason.empty() ? "its process has ended; ask again"
                                          : asked.run.reason.c_str());
  return given_back ? kGivenBack : kFailed;
}

// Carries the run on in this process until it has done what was asked.
Task<runs::Ending> carry_on(runs::RunSession& session, const runs::Registry& registry,
                            runs::Events events, Request request, async::StopSignal& stop) {
  auto work = CO_TRY((*CO_TRY(registry.find(session.run()))).make(session.run()));
  const auto enough =
      std::string(request == Request::kCutover    ? "cutover.done"
                  : request == Request::kRollback ? fmt::format("{}.repeats", hot::kWaitStep)
                                                  : "");
  events.at = [at = events.at, enough, &stop](std::string_view point) {
    if (at) at(point);
    if (point == enough) stop.request();
  };
  co_return co_await runs::carry_out(session, *work, events, false);
}

int ask_for(const CutoverArguments& arguments, Request request, CommandRun& run,
            const Found& found) {
  const auto longest = base::parse_duration(arguments.wait);
  if (!longest) return report(Error(longest.error()).with_context("--wait"), kUsage);
  const ProcessPorts ports(run, arguments.run.state, guard_words(arguments.run.failpoints));
  const auto registry = migration::methods(ports.get());
  ProgressLine line(arguments.run.common.quiet);
  const auto events = events_of(run, arguments.run, line);
  if (!events) return report(events.error(), kUsage);
  const auto before = record_of(found.steps, hot::kCutoverStep);
  const runs::SessionPlace place{.executor = run.context().get_executor(),
                                 .clock = run.clock(),
                                 .stop = run.stop(),
                                 .journal_path = found.path,
                                 .run = arguments.id};
  const auto asked = run.wait_for(runs::ask(
      place, request,
      [request, &before](const Steps& steps) { return is_done(request, steps, before); },
      [&](runs::RunSession& session) {
        return carry_on(session, registry, *events, request, run.stop());
      },
      Deadline::in(run.clock(), *longest)));
  line.end();
  if (!asked) return report(asked.error());
  if (asked->ending && asked->ending->refused)
    return report(*asked->ending->refused, kPreflightFailed);
  if (asked->ending && asked->ending->report && !arguments.run.common.json)
    std::fputs(asked->ending->report->text.c_str(), stdout);
  const auto now = find_run(arguments, run.clock());
  if (!now) return report(now.error());
  return report_asked(arguments, request, before, *asked, now->steps);
}

Task<std::string> describe(hot::HotMigration& work, Steps steps, bool goes_back) {
  CO_TRY(co_await work.open(runs::Purpose::kUndo));
  CO_TRY(work.take_steps(steps));
  co_return co_await work.describe_switch(goes_back);
}

int show_dry_run(const CutoverArguments& arguments, Request request, CommandRun& run,
                 const Found& found) {
  auto options = hot::hot_request_from_json(found.run.options);
  if (!options) return report(options.error());
  const ProcessPorts ports(run, arguments.run.state);
  hot::HotMigration work(*std::move(options), ports.get());
  const auto text = run.wait_for(describe(work, found.steps, request == Request::kRollback));
  if (!text) return report(text.error());
  if (arguments.run.common.json)
    std::printf("%s\n", base::json_text(nlohmann::ordered_json{{"would", *text}}, 2).c_str());
  else
    std::fputs(text->c_str(), stdout);
  return kDone;
}

// There is no way back after it.
Result<bool> is_confirmed(const CutoverArguments& arguments, CommandRun& run, const Found& found) {
  if (arguments.yes) return true;
  if (!is_on_terminal())
    return fail(Code::kInvalidArgument, "after this there is no rollback; confirm it with --yes");
  return run.wait_for(ask_on_terminal(
      run.clock(), run.stop(),
      fmt::format(
          "Cluster {} keeps table {}, and there is no rollback after this. Complete run {}?",
          found.run.to, found.run.to_table, found.run.id)));
}

int steer_hot(const CutoverArguments& arguments, Request request) {
  auto run = CommandRun::start(arguments.run.common);
  if (!run) return report(run.error(), kUsage);
  const auto found = find_run(arguments, (*run)->clock());
  if (!found)
    return report(found.error(), found.error().code() == Code::kNotFound ? kUsage : kFailed);
  if (auto can = check_can_ask(request, found->run, found->steps); !can)
    return report(can.error(), kUsage);
  if (arguments.run.dry_run) return show_dry_run(arguments, request, **run, *found);
  if (request == Request::kComplete) {
    const auto confirmed = is_confirmed(arguments, **run, *found);
    if (!confirmed) return report(confirmed.error(), kUsage);
    if (!*confirmed) return report(Error(Code::kInterrupted, "not completed"));
  }
  return ask_for(arguments, request, **run, *found);
}

Task<hot::GuardEnd> guard_run(hot::HotMigration& work, Steps steps, hot::Holder& holder,
                              hot::CutoverHooks hooks) {
  CO_TRY(co_await work.open(runs::Purpose::kUndo));
  CO_TRY(work.take_steps(steps));
  co_return co_await work.guard(record_of(steps, hot::kCutoverStep), holder, std::move(hooks));
}

int guard(const CutoverArguments& arguments) {
  auto run = CommandRun::start(arguments.run.common);
  if (!run) return report(run.error(), kUsage);
  const auto at = failpoint_listener(arguments.run.failpoints);
  if (!at) return report(at.error(), kUsage);
  const auto found = find_run(arguments, (*run)->clock());
  if (!found)
    return report(found.error(), found.error().code() == Code::kNotFound ? kUsage : kFailed);
  const auto record = record_of(found->steps, hot::kCutoverStep);
  if (record.state != StepState::kBegun) {
    std::printf("Run %s has no cutover in progress: there is nothing to guard.\n",
                arguments.id.c_str());
    return kDone;
  }
  auto options = hot::hot_request_from_json(found->run.options);
  if (!options) return report(options.error());
  auto holder = hot::JournalHolder::open(found->path, (*run)->clock(), arguments.id, record);
  if (!holder) return report(holder.error());
  const ProcessPorts ports(**run, arguments.run.state);
  hot::HotMigration work(*std::move(options), ports.get());
  const hot::CutoverHooks hooks{.at =
                                    [&](std::string_view point) {
                                      if (*at) (*at)(point);
                                      if (point != "guard.started") return;
                                      std::printf("guarding the cutover of run %s\n",
                                                  arguments.id.c_str());
                                      std::fflush(stdout);
                                    },
                                .warn =
                                    [](const std::string& text) {
                                      std::fprintf(stderr, "pegmove guard: %s\n", text.c_str());
                                    },
                                .abandoned = [&run] { return (*run)->stop().requested(); }};
  const auto ended = (*run)->wait_for(guard_run(work, found->steps, *holder, hooks));
  if (!ended) return report(ended.error());
  if (!ended->gave_back) return kDone;
  std::fprintf(stderr, "pegmove guard: %s\n", ended->gave_back->says.c_str());
  return ended->gave_back->end == hot::GaveBack::kSourceServes ? kGivenBack : kFailed;
}

Verb* add_verb_of_hot_run(Verb& program, const char* name, const char* description,
                          const char* line, std::shared_ptr<CutoverArguments> arguments,
                          bool is_id_required = true) {
  auto* verb = program.add_verb(name, description);
  verb->list_under(kRunInProgress, line);
  auto* id = verb->add_option("id", arguments->id, "id of the run, as `pegmove list` shows it");
  if (is_id_required) id->required();
  add_state_option(*verb, arguments->run.state);
  add_common_options(*verb, arguments->run.common);
  add_failpoint_options(*verb, arguments->run.failpoints);
  return verb;
}

void add_wait(Verb& verb, CutoverArguments& arguments) {
  verb.add_option("--wait", arguments.wait,
                  "how long to wait for the process that works on the run")
      ->capture_default_str();
}

void add_switches(Verb& program, int& exit_code) {
  auto arguments = std::make_shared<CutoverArguments>();
  auto* verb = add_verb_of_hot_run(
      program, "cutover",
      "Example: pegmove cutover hot-20261122-1\n\n"
      "Sends the clients of a hot migration over to the target: the source is fenced, each of its "
      "servers is seen to deny, the target is proven to have everything, and the node in ZooKeeper "
      "is switched by compare-and-set, which is the point of no return without a rollback. It "
      "waits until the target has nearly everything. When no process works on the run, it is "
      "carried on here until the cutover has ended.\n\n"
      "A cutover that does not end within --max-write-hold of `pegmove hot` is given back: the "
      "source serves again, and the exit code is 6. A guard, a process of its own, does that when "
      "pegmove is killed or hangs.",
      "switches the clients of a hot migration to the target", arguments);
  verb->add_flag("--dry-run", arguments->run.dry_run,
                 "show what would be done, and change nothing");
  add_wait(*verb, *arguments);
  verb->callback([arguments, &exit_code] { exit_code = steer_hot(*arguments, Request::kCutover); });

  arguments = std::make_shared<CutoverArguments>();
  verb = add_verb_of_hot_run(
      program, "rollback",
      "Example: pegmove rollback hot-20261122-1\n\n"
      "Moves the clients of a hot migration back to the source: a cutover in the other direction. "
      "What was written to the target is on the source then; under the target's fence both tables "
      "are compared, before the source opens. That takes longer with many rows: `pegmove set ID "
      "max-write-hold=60s` gives more time. Exit code 6: it was given back, and the target "
      "serves.\n\n"
      "After it `pegmove cutover` may be repeated, or `pegmove cancel` ends the migration.",
      "moves the clients of a hot migration back to the source", arguments);
  verb->add_flag("--dry-run", arguments->run.dry_run,
                 "show what would be done, and change nothing");
  add_wait(*verb, *arguments);
  verb->callback(
      [arguments, &exit_code] { exit_code = steer_hot(*arguments, Request::kRollback); });
}

}  // namespace

void add_cutover_commands(Verb& program, int& exit_code) {
  add_switches(program, exit_code);
  auto arguments = std::make_shared<CutoverArguments>();
  auto* verb = add_verb_of_hot_run(
      program, "complete",
      "Example: pegmove complete hot-20261122-1 --yes\n\n"
      "Ends a hot migration whose target serves: both duplications are removed, and settings of "
      "servers are put back. There is no rollback after it. The source table stays and denies its "
      "clients, unless the run began with --drop-source.",
      "ends a hot migration whose target serves", arguments);
  verb->add_flag("--yes", arguments->yes, "do not ask");
  add_wait(*verb, *arguments);
  verb->callback(
      [arguments, &exit_code] { exit_code = steer_hot(*arguments, Request::kComplete); });

  arguments = std::make_shared<CutoverArguments>();
  verb = add_verb_of_hot_run(
      program, "guard",
      "Example: pegmove guard hot-20261122-1\n\n"
      "Gives a cutover back when the process that carries it out is gone or late: `pegmove` starts "
      "one by itself before each fence. First the node in ZooKeeper gets another version, so that "
      "a "
      "late switch fails; then the source is opened. If the node names the target, the source "
      "stays closed. Exit code 6: it was given back.\n\n"
      "On another host, where the journal is not: pegmove guard --from A --to B --table t "
      "--zookeeper HOST:PORT. It goes by the time alone: a fence that stays for longer than "
      "--longest-hold, while the node does not change, is given back. Start it before the cutover, "
      "and end it with Ctrl-C.",
      "gives a cutover back when pegmove is gone", arguments, false);
  auto elsewhere = std::make_shared<TimeGuardArguments>();
  add_time_guard_options(*verb, *elsewhere);
  verb->callback([arguments, elsewhere, &exit_code] {
    exit_code =
        arguments->id.empty() ? guard_by_time(arguments->run, *elsewhere) : guard(*arguments);
  });
}

}  // namespace pegmove::apps
