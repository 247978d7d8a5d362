// resume, pause, cancel: continuing and steering runs of any method.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "apps/process_ports.h"
#include "apps/runs.h"
#include "base/json_text.h"
#include "base/units.h"
#include "migration/methods.h"
#include "runs/steering.h"

namespace pegmove::apps {
namespace {

using journal::RunState;

struct SteeringArguments {
  RunArguments run;
  std::string id;
  std::string wait = "1m";
  bool abandon = false;
};

runs::SessionPlace place_of(CommandRun& run, std::string path, const std::string& id) {
  return {.executor = run.context().get_executor(),
          .clock = run.clock(),
          .stop = run.stop(),
          .journal_path = std::move(path),
          .run = id};
}

int report_steered(const SteeringArguments& arguments, const Result<journal::Run>& run,
                   RunState wanted) {
  if (!run) {
    const auto code = run.error().code();
    return report(run.error(),
                  code == Code::kNotFound || code == Code::kInvalidArgument ? kUsage : kFailed);
  }
  const auto undone = runs::undone_of(*run);
  const auto state = std::string(journal::to_string(run->state));
  if (arguments.run.common.json) {
    nlohmann::ordered_json out{{"id", run->id}, {"state", state}, {"reason", run->reason}};
    if (!run->result.empty()) out["result"] = base::parse_json<nlohmann::ordered_json>(run->result);
    std::printf("%s\n", base::json_text(out, 2).c_str());
  } else {
    std::printf("Run %s is %s.\n", run->id.c_str(), state.c_str());
  }
  const bool is_left = print_undone(undone);
  if (run->state == RunState::kCancelling)
    std::fprintf(stderr,
                 "pegmove: %s\npegmove: fix the cause, then repeat `pegmove cancel %s%s`, or end "
                 "the run as it is with --abandon\n",
                 run->reason.c_str(), run->id.c_str(), state_words(arguments.run.state).c_str());
  return run->state == wanted && !is_left ? kDone : kFailed;
}

int steer(const SteeringArguments& arguments, RunState wanted) {
  auto longest = base::parse_duration(arguments.wait);
  if (!longest) return report(std::move(longest).error().with_context("--wait"), kUsage);
  auto run = CommandRun::start(arguments.run.common);
  if (!run) return report(run.error(), kUsage);
  auto path = journal_path(arguments.run.state);
  if (!path) return report(path.error());
  auto at = failpoint_listener(arguments.run.failpoints);
  if (!at) return report(at.error(), kUsage);
  const ProcessPorts ports(**run);
  const auto registry = migration::methods(ports.get());
  const runs::Events events{
      .warn = [](const std::string& text) { std::fprintf(stderr, "pegmove: %s\n", text.c_str()); },
      .at = *at};
  auto place = place_of(**run, *path, arguments.id);
  const auto deadline = Deadline::in((*run)->clock(), *longest);
  auto steered = (*run)->wait_for(
      wanted == RunState::kPaused ? runs::pause(std::move(place), deadline)
      : arguments.abandon         ? runs::abandon(std::move(place), registry)
                                  : runs::cancel(std::move(place), registry, events, deadline));
  return report_steered(arguments, steered, wanted);
}

Verb* add_verb_of_run(Verb& program, const char* name, const char* description,
                      std::shared_ptr<SteeringArguments> arguments) {
  auto* verb = program.add_verb(name, description);
  verb->add_option("id", arguments->id, "id of the run, as `pegmove list` shows it")->required();
  add_state_option(*verb, arguments->run.state);
  add_common_options(*verb, arguments->run.common);
  add_failpoint_options(*verb, arguments->run.failpoints);
  return verb;
}

void add_pause(Verb& program, int& exit_code) {
  auto arguments = std::make_shared<SteeringArguments>();
  auto* verb = add_verb_of_run(program, "pause",
                               "Example: pegmove pause copy-20261122-1\n\n"
                               "Asks the process that works on a run to finish its current batches "
                               "and exit (with code 7). Continue with `pegmove resume`.",
                               arguments);
  verb->list_under(kRunInProgress, "stops a run for now");
  verb->add_option("--wait", arguments->wait, "how long to wait for the process to exit")
      ->capture_default_str();
  verb->callback([arguments, &exit_code] { exit_code = steer(*arguments, RunState::kPaused); });
}

void add_cancel(Verb& program, int& exit_code) {
  auto arguments = std::make_shared<SteeringArguments>();
  auto* verb = add_verb_of_run(
      program, "cancel",
      "Example: pegmove cancel copy-20261122-1\n\n"
      "Ends a run for good. Its steps are undone in reverse order: settings that it changed are "
      "put back, and a backup or load that it started is ended on the cluster, where the cluster "
      "can. What was done, and what is left, is printed and kept with the run. A copy changes "
      "nothing in its source; rows that it has written, and a table that it has created, stay in "
      "the target.\n\n"
      "When a step cannot be undone now, for instance because the cluster is down, the run stays "
      "\"cancelling\": repeat the cancel. Exit code 1: something is left that should not be.",
      arguments);
  verb->list_under(kRunInProgress, "ends a run for good, and undoes its steps");
  verb->add_option("--wait", arguments->wait,
                   "how long to wait for the process that works on the run")
      ->capture_default_str();
  verb->add_flag("--abandon", arguments->abandon,
                 "undo nothing: end the run as it is, and list what is left");
  verb->callback([arguments, &exit_code] { exit_code = steer(*arguments, RunState::kCancelled); });
}

void add_resume(Verb& program, int& exit_code) {
  auto arguments = std::make_shared<SteeringArguments>();
  auto* verb = add_verb_of_run(program, "resume",
                               "Example: pegmove resume copy-20261122-1\n\n"
                               "Continues a run that was interrupted, killed or paused, or that "
                               "failed, from its position in the journal. It keeps the options "
                               "that it was started with, and the changes made with `pegmove set`.",
                               arguments);
  verb->list_under(kRunInProgress,
                   "continues a run that was paused or interrupted, or that failed");
  verb->callback(
      [arguments, &exit_code] { exit_code = resume_run(arguments->run, arguments->id); });
}

}  // namespace

void add_steering_commands(Verb& program, int& exit_code) {
  add_resume(program, exit_code);
  add_pause(program, exit_code);
  add_cancel(program, exit_code);
}

}  // namespace pegmove::apps
