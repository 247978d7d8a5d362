// list, status, set, forget: the runs of the journal.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "apps/process_ports.h"
#include "apps/runs.h"
#include "apps/terminal.h"
#include "base/json_text.h"
#include "base/standard_streams.h"
#include "base/units.h"
#include "migration/methods.h"
#include "runs/run_view.h"

namespace pegmove::apps {
namespace {

using async::milliseconds;
using journal::Journal;
using runs::RunView;

struct RunIdArguments {
  std::string state, id;
  bool json = false;
  bool watch = false;
  int64_t most = 50;
  std::vector<std::string> ids;
  std::string older_than;
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

int list(const RunIdArguments& arguments, Journal& journal) {
  auto runs = journal.list(arguments.most);
  if (!runs) return report(runs.error());
  std::vector<RunView> views;
  for (auto& run : *runs) {
    auto view = runs::view_of(journal, std::move(run));
    if (!view) return report(view.error());
    views.push_back(std::move(*view));
  }
  if (!arguments.json) {
    std::fputs(runs::table_of(views, columns_of_stdout()).c_str(), stdout);
    if (int64_t(views.size()) == arguments.most)
      std::fprintf(stderr, "pegmove: only the newest %lld runs are shown; --most shows more\n",
                   static_cast<long long>(arguments.most));
    return kDone;
  }
  auto out = nlohmann::ordered_json::array();
  for (const auto& view : views) out.push_back(to_json(view));
  std::printf("%s\n", base::json_text(out, 2).c_str());
  return kDone;
}

Result<RunView> find(const Journal& journal, const std::string& id) {
  return runs::view_of(journal, TRY(journal.get(id)));
}

int status(const RunIdArguments& arguments, Journal& journal) {
  while (true) {
    auto view = find(journal, arguments.id);
    if (!view) return report(view.error(), kUsage);
    if (arguments.json)
      std::printf("%s\n",
                  base::json_text(to_detailed_json(*view), arguments.watch ? -1 : 2).c_str());
    else
      std::printf("%s\n", to_line(*view).c_str());
    if (auto printed = base::flush_standard_output(); !printed) return report(printed.error());
    if (!arguments.watch || !view->process) return kDone;
    wait(milliseconds(1000));
  }
}

int forget(const RunIdArguments& arguments, Journal& journal) {
  if (arguments.ids.empty() == arguments.older_than.empty())
    return report(Error(Code::kInvalidArgument, "give the ids of runs, or --older-than"), kUsage);
  for (const auto& id : arguments.ids) {
    if (auto forgotten = journal.forget(id); !forgotten)
      return report(forgotten.error(),
                    forgotten.error().code() == Code::kRefused ? kFailed : kUsage);
    std::printf("Run %s was removed from the journal.\n", id.c_str());
  }
  if (arguments.older_than.empty()) return kDone;
  auto age = base::parse_duration(arguments.older_than);
  if (!age) return report(std::move(age).error().with_context("--older-than"), kUsage);
  auto forgotten = journal.forget_before(async::SystemClock().unix_us() / 1000 - age->count());
  if (!forgotten) return report(forgotten.error());
  for (const auto& id : *forgotten)
    std::printf("Run %s was removed from the journal.\n", id.c_str());
  std::printf("%zu runs were removed from the journal.\n", forgotten->size());
  return kDone;
}

Result<void> check_setting(const runs::Registry& registry, const journal::Run& run,
                           const std::string& key, const std::string& value) {
  const auto& method = *TRY(registry.find(run));
  if (method.check_setting) return method.check_setting(key, value);
  return fail(Code::kInvalidArgument,
              fmt::format("runs of method '{}' have no settings", run.method));
}

int set(const RunIdArguments& arguments, Journal& journal) {
  auto run = journal.get(arguments.id);
  if (!run) return report(run.error(), kUsage);
  auto command = CommandRun::start({});
  if (!command) return report(command.error(), kUsage);
  const ProcessPorts ports(**command);
  const auto registry = migration::methods(ports.get());
  std::vector<std::pair<std::string, std::string>> settings;
  for (const auto& text : arguments.settings) {
    auto equals = text.find('=');
    if (equals == std::string::npos)
      return report(Error(Code::kInvalidArgument, fmt::format("'{}' is not KEY=VALUE", text)),
                    kUsage);
    settings.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    const auto& [key, value] = settings.back();
    if (auto checked = check_setting(registry, *run, key, value); !checked)
      return report(checked.error(), kUsage);
  }
  for (const auto& [key, value] : settings) {
    if (auto done = journal.set(arguments.id, key, value); !done) return report(done.error());
    std::printf("Run %s: %s = %s\n", arguments.id.c_str(), key.c_str(), value.c_str());
  }
  return kDone;
}

using RunAction = int (*)(const RunIdArguments& arguments, Journal& journal);

// A missing journal is created: the first `pegmove list` shows no runs instead of failing.
int with_journal(const RunIdArguments& arguments, RunAction action) {
  async::SystemClock clock;
  auto journal = open_journal(arguments.state, clock);
  if (!journal) return report(journal.error());
  return action(arguments, *journal);
}

Verb* add_run_verb(Verb& program, int& exit_code, const std::string& name,
                   const std::string& description, std::shared_ptr<RunIdArguments> arguments,
                   RunAction action) {
  auto* verb = program.add_verb(name, description);
  add_state_option(*verb, arguments->state);
  verb->callback([arguments, action, &exit_code] { exit_code = with_journal(*arguments, action); });
  return verb;
}

void add_id(Verb& verb, RunIdArguments& arguments) {
  verb.add_option("id", arguments.id, "id of the run, as `pegmove list` shows it")->required();
}

void add_list_and_status(Verb& program, int& exit_code) {
  auto arguments = std::make_shared<RunIdArguments>();
  auto* verb = add_run_verb(
      program, exit_code, "list",
      "Example: pegmove list\n\n"
      "Lists the runs of the journal, newest first. A run whose process "
      "ended unexpectedly is \"killed\": continue it with `pegmove resume`.",
      arguments, [](const RunIdArguments& a, Journal& journal) { return list(a, journal); });
  verb->list_under(kRunInProgress, "shows the runs of the journal");
  verb->add_flag("--json", arguments->json, "print an array of objects");
  verb->add_option("--most", arguments->most, "how many runs to show")
      ->capture_default_str()
      ->in_range(int64_t(1), Journal::kMostListed);

  arguments = std::make_shared<RunIdArguments>();
  verb = add_run_verb(program, exit_code, "status",
                      "Example: pegmove status copy-20261122-1 --watch\n\n"
                      "Shows the progress of a run, and what it waits for.",
                      arguments,
                      [](const RunIdArguments& a, Journal& journal) { return status(a, journal); });
  verb->list_under(kRunInProgress, "shows the progress of a run, and what it waits for");
  add_id(*verb, *arguments);
  verb->add_flag("--watch", arguments->watch,
                 "print one line per second until no process works on the run");
  verb->add_flag("--json", arguments->json, "print an object; with --watch one per line");
}

void add_set(Verb& program, int& exit_code) {
  auto arguments = std::make_shared<RunIdArguments>();
  auto* verb = add_run_verb(
      program, exit_code, "set",
      "Example: pegmove set copy-20261122-1 max-rows-per-second=50000\n\n"
      "Changes the limits of a run, while it works or for the next `pegmove resume`: "
      "of a copy max-rows-per-second and max-megabytes-per-second (0: no limit), latency-bound "
      "(200ms), full-speed (true, false); of a hot migration max-write-hold (60s).",
      arguments, [](const RunIdArguments& a, Journal& journal) { return set(a, journal); });
  verb->list_under(kRunInProgress, "changes the limits of a run, while it works or for later");
  add_id(*verb, *arguments);
  verb->add_option("settings", arguments->settings, "KEY=VALUE ...")->required();
}

void add_forget(Verb& program, int& exit_code) {
  auto arguments = std::make_shared<RunIdArguments>();
  auto* verb = add_run_verb(
      program, exit_code, "forget",
      "Example: pegmove forget --older-than 2160h\n\n"
      "Removes runs that have ended (done or cancelled) from the journal. Tables, backups and "
      "files are kept.",
      arguments, [](const RunIdArguments& a, Journal& journal) { return forget(a, journal); });
  verb->list_under(kRunInProgress, "removes finished runs from the journal");
  verb->add_option("ids", arguments->ids, "ids of runs, as `pegmove list` shows them");
  verb->add_option("--older-than", arguments->older_than,
                   "all runs that ended longer ago than this; 2160h is 90 days");
}

}  // namespace

void add_run_commands(Verb& program, int& exit_code) {
  add_list_and_status(program, exit_code);
  add_set(program, exit_code);
  add_forget(program, exit_code);
}

}  // namespace pegmove::apps
