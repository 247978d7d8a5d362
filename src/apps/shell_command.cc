#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <optional>

#include "apps/command.h"
#include "base/small_file.h"
#include "shell/frame.h"

namespace pegmove::apps {
namespace {

constexpr size_t kMostScriptBytes = 1 << 30;

struct ShellArguments {
  std::string config, cluster;
  std::optional<std::string> script, commands;
};

// The commands of -e or of the file; nullopt: they come from standard input.
Result<std::optional<std::string>> script_of(const ShellArguments& arguments) {
  if (!arguments.script) return arguments.commands;
  return TRY(in_context(base::read_input(*arguments.script, kMostScriptBytes), "script"));
}

// Without --cluster: the cluster of the config file, if it has only one.
Result<std::string> default_cluster(const ClusterConfig& config) {
  auto section = config.sections().find("pegasus.clusters");
  if (section != config.sections().end() && section->second.size() == 1)
    return section->second.begin()->first;
  return fail(Code::kInvalidArgument,
              "give --cluster: a name in the config file, or host:port,...");
}

std::string history_path() {
  const char* home = std::getenv("HOME");
  return home ? std::string(home) + "/.pegmove_shell_history" : "";
}

int run_shell(const ShellArguments& arguments) {
  auto run = CommandRun::start({.config = arguments.config});
  if (!run) return report(run.error(), kUsage);
  auto script = script_of(arguments);
  if (!script) return report(script.error(), kUsage);
  auto cluster = arguments.cluster.empty() ? default_cluster((*run)->config()) : arguments.cluster;
  if (!cluster) return report(cluster.error(), kUsage);
  if (auto known = (*run)->check_clusters({*cluster}); !known) return report(known.error(), kUsage);
  shell::Session session((*run)->context(), (*run)->client(), (*run)->config(), std::cout,
                         std::cerr);
  (*run)->on_stop([&session] { session.stop_signal().request(); });
  if (auto connected = session.connect(*cluster); !connected) return report(connected.error());
  if (*script) return shell::run_script(session, **script) ? kDone : kFailed;
  const auto& config_file = (*run)->config().path();
  if (isatty(STDIN_FILENO))
    shell::run_interactive(session, config_file, history_path());
  else
    shell::run_piped(session, std::cin, config_file);
  return kDone;
}

}  // namespace

void add_shell_command(Verb& program, int& exit_code) {
  auto arguments = std::make_shared<ShellArguments>();
  auto* verb =
      program.add_verb("shell",
                       "Example: pegmove shell --cluster A -e 'use t; set h s value; get h s'\n\n"
                       "Runs Pegasus's own shell commands (`help` lists them): typed, from -e, or "
                       "from a file. Results are printed on stdout. With -e or a file, it stops "
                       "at the first command that fails and exits with code 1; when a line is "
                       "malformed, for instance by an open quote, none is run.\n\n"
                       "Commands from a pipe (`pegmove shell --cluster A < FILE`) are run as "
                       "Pegasus's shell runs them, with its first and last lines, after failures "
                       "too, and exit code 0.");
  verb->list_under(kByHand,
                   "runs the commands of Pegasus's shell: typed, from -e, a file or a pipe");
  verb->add_option("--cluster", arguments->cluster,
                   "cluster: a name in the config file, or host:port,...");
  verb->add_option("--config", arguments->config, "INI file with [pegasus.clusters]");
  auto* commands =
      verb->add_option("-e", arguments->commands, "commands, separated by ; or newlines");
  verb->add_option("FILE", arguments->script, "file of commands")->excludes(commands);
  verb->callback([arguments, &exit_code] { exit_code = run_shell(*arguments); });
}

}  // namespace pegmove::apps
