// list, status, pause, cancel, set: looking at runs of the journal, and steering them from outside.
#include <cstdio>

#include "apps/run_view.h"
#include "apps/runs.h"
#include "base/units.h"
#include "migration/cold_backup/back_up.h"
#include "migration/copy/copy_run.h"
#include "migration/load/load.h"

namespace pegmove::apps {
namespace {

using async::milliseconds;
using journal::Journal;
using journal::Request;
using journal::RunState;

struct Arguments {
  std::string state, id;
  bool json = false;
  bool watch = false;
  std::string wait = "1m";
  std::vector<std::string> settings;
};

void wait(milliseconds length) {
  asio::io_context context;
  async::SystemClock clock;
  auto sleep = [](Clock& clock, milliseconds length) -> Routine<bool> {
    co_await clock.sleep_for(length);  // no result
    co_return true;
  };
  async::run_to_end(context, sleep(clock, length));
}

int list(const Arguments& arguments, const Journal& journal) {
  auto runs = journal.list();
  if (!runs) return report(runs.error());
  std::vector<RunView> views;
  for (auto& run : *runs) {
    auto view = view_of(journal, std::move(run));
    if (!view) return report(view.error());
    views.push_back(std::move(*view));
  }
  if (!arguments.json) {
    std::fputs(table_of(views).c_str(), stdout);
    return kDone;
  }
  auto out = nlohmann::ordered_json::array();
  for (const auto& view : views) out.push_back(to_json(view));
  std::printf("%s\n", out.dump(2).c_str());
  return kDone;
}

Result<RunView> find(const Journal& journal, const std::string& id) {
  return view_of(journal, TRY(journal.get(id)));
}

int status(const Arguments& arguments, const Journal& journal) {
  while (true) {
    auto view = find(journal, arguments.id);
    if (!view) return report(view.error(), kUsage);
    auto positions = journal.positions(arguments.id);
    if (!positions) return report(positions.error());
    if (arguments.json)
      std::printf("%s\n", to_json(*view, *positions).dump(arguments.watch ? -1 : 2).c_str());
    else
      std::printf("%s\n", to_line(*view, *positions).c_str());
    std::fflush(stdout);
    if (!arguments.watch || !view->process) return kDone;
    wait(milliseconds(1000));
  }
}

// Nobody works on the run: it gets its state here. False when somebody does after all. A load is
// ended on its cluster first: as long as that fails, the run can be cancelled again.
Result<bool> end_unattended(Journal& journal, const std::string& id, RunState state) {
  auto lock = journal::RunLock::take(journal, id);
  if (!lock && lock.error().code() == Code::kBusy) return false;
  TRY(std::move(lock));
  auto run = TRY(journal.get(id));
  if (run.state == state) return true;
  if (run.method == migration::kLoadMethod && state == RunState::kCancelled &&
      !journal::is_final(run.state))
    TRY(cancel_load(run));
  TRY(journal.set_state(id, state));
  return true;
}

// Asks whoever works on the run to end, and waits until that has happened.
int steer(const Arguments& arguments, Journal& journal, Request request, RunState wanted) {
  auto longest = base::parse_duration(arguments.wait);
  if (!longest) return report(std::move(longest).error().with_context("--wait"), kUsage);
  if (auto run = journal.get(arguments.id); !run) return report(run.error(), kUsage);
  if (auto requested = journal.request(arguments.id, request); !requested)
    return report(requested.error());
  async::SystemClock clock;
  auto deadline = Deadline::in(clock, *longest);
  while (true) {
    auto ended = end_unattended(journal, arguments.id, wanted);
    if (!ended && ended.error().code() != Code::kRefused) return report(ended.error());
    auto run = journal.get(arguments.id);
    if (!run) return report(run.error());
    if (!ended || *ended) {
      std::printf("Run %s is %s.\n", run->id.c_str(),
                  std::string(journal::to_string(run->state)).c_str());
      if (ended && wanted == RunState::kCancelled) {  // nobody watched it
        if (run->method == migration::kBackupMethod) return cancel_backup(*run);
      }
      return run->state == wanted ? kDone : kFailed;
    }
    if (deadline.passed(clock)) {
      return report(Error(Code::kTimeout, "run " + arguments.id +
                                              " was asked to end, but its process works on; "
                                              "`pegmove status " +
                                              arguments.id + "` tells why"));
    }
    wait(milliseconds(50));
  }
}

Result<void> check_setting(const journal::Run& run, const std::string& key,
                           const std::string& value) {
  if (run.method != migration::kCopyMethod)
    return fail(Code::kInvalidArgument, "runs of method '" + run.method + "' have no settings");
  rows::PaceOptions pace;
  return migration::apply_setting(pace, key, value);
}

int set(const Arguments& arguments, Journal& journal) {
  auto run = journal.get(arguments.id);
  if (!run) return report(run.error(), kUsage);
  std::vector<std::pair<std::string, std::string>> settings;
  for (const auto& text : arguments.settings) {
    auto equals = text.find('=');
    if (equals == std::string::npos)
      return report(Error(Code::kInvalidArgument, "'" + text + "' is no KEY=VALUE"), kUsage);
    settings.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    const auto& [key, value] = settings.back();
    if (auto checked = check_setting(*run, key, value); !checked)
      return report(checked.error(), kUsage);
  }
  for (const auto& [key, value] : settings) {
    if (auto done = journal.set(arguments.id, key, value); !done) return report(done.error());
    std::printf("Run %s: %s = %s\n", arguments.id.c_str(), key.c_str(), value.c_str());
  }
  return kDone;
}

using Action = int (*)(const Arguments& arguments, Journal& journal);

// The journal is made when it is not there: a first `pegmove list` shows that there is nothing.
int with_journal(const Arguments& arguments, Action action) {
  async::SystemClock clock;
  auto journal = open_journal(arguments.state, clock);
  if (!journal) return report(journal.error());
  return action(arguments, *journal);
}

CLI::App* add_run_verb(CLI::App& program, int& exit_code, const std::string& name,
                       const std::string& description, std::shared_ptr<Arguments> arguments,
                       Action action) {
  auto* verb = add_verb(program, name, description);
  add_state_option(*verb, arguments->state);
  verb->callback([arguments, action, &exit_code] { exit_code = with_journal(*arguments, action); });
  return verb;
}

void add_id(CLI::App& verb, Arguments& arguments) {
  verb.add_option("id", arguments.id, "the run, as `pegmove list` shows it")->required();
}

void add_list_and_status(CLI::App& program, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  auto* verb = add_run_verb(
      program, exit_code, "list",
      "Example: pegmove list\n\nThe runs of the journal, newest first. A run whose process is gone "
      "without a word is \"killed\": `pegmove resume` goes on with it.",
      arguments, [](const Arguments& a, Journal& journal) { return list(a, journal); });
  verb->add_flag("--json", arguments->json, "print an array of objects");

  arguments = std::make_shared<Arguments>();
  verb = add_run_verb(program, exit_code, "status",
                      "Example: pegmove status copy-20261122-1 --watch\n\nHow far a run is, and "
                      "what it waits for.",
                      arguments,
                      [](const Arguments& a, Journal& journal) { return status(a, journal); });
  add_id(*verb, *arguments);
  verb->add_flag("--watch", arguments->watch, "a line a second until nobody works on it any more");
  verb->add_flag("--json", arguments->json, "print an object, with --watch one a line");
}

void add_pause_and_cancel(CLI::App& program, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  auto* verb = add_run_verb(
      program, exit_code, "pause",
      "Example: pegmove pause copy-20261122-1\n\nHas the process that works on a run bring to an "
      "end what it is writing, and exit (with 7). `pegmove resume` goes on.",
      arguments, [](const Arguments& a, Journal& journal) {
        return steer(a, journal, Request::kPause, RunState::kPaused);
      });
  add_id(*verb, *arguments);
  verb->add_option("--wait", arguments->wait, "how long to wait for that")->capture_default_str();

  arguments = std::make_shared<Arguments>();
  verb = add_run_verb(
      program, exit_code, "cancel",
      "Example: pegmove cancel copy-20261122-1\n\nEnds a run for good. A copy changes nothing in "
      "its source; the rows that it has written, and the table that it may have made, stay in the "
      "target: drop that table if you do not want them. A backup is ended on the cluster, where it "
      "can be, and what it uploaded is removed; a restore goes on there.",
      arguments, [](const Arguments& a, Journal& journal) {
        return steer(a, journal, Request::kCancel, RunState::kCancelled);
      });
  add_id(*verb, *arguments);
  verb->add_option("--wait", arguments->wait, "how long to wait for that")->capture_default_str();
}

void add_set(CLI::App& program, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  auto* verb = add_run_verb(
      program, exit_code, "set",
      "Example: pegmove set copy-20261122-1 max-rows-per-second=50000\n\nChanges how a run works, "
      "while it works or for the next `pegmove resume`: max-rows-per-second and "
      "max-megabytes-per-second (0: no limit), latency-bound (200ms), full-speed (true, false).",
      arguments, [](const Arguments& a, Journal& journal) { return set(a, journal); });
  add_id(*verb, *arguments);
  verb->add_option("settings", arguments->settings, "KEY=VALUE ...")->required();
}

}  // namespace

void add_run_commands(CLI::App& program, int& exit_code) {
  add_list_and_status(program, exit_code);
  add_pause_and_cancel(program, exit_code);
  add_set(program, exit_code);
}

}  // namespace pegmove::apps
