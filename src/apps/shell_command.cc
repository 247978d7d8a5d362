#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>

#include "apps/command.h"
#include "shell/session.h"

namespace pegmove::apps {
namespace {

struct ShellArguments {
  std::string config, cluster, script;
  std::optional<std::string> commands;
};

Result<std::string> read_script(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return fail(Code::kNotFound, fmt::format("script {} cannot be read", path));
  return text.str();
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
  std::string script = arguments.commands.value_or("");
  if (!arguments.script.empty()) {
    auto text = read_script(arguments.script);
    if (!text) return report(text.error(), kUsage);
    script = *text;
  }
  auto cluster = arguments.cluster.empty() ? default_cluster((*run)->config()) : arguments.cluster;
  if (!cluster) return report(cluster.error(), kUsage);
  if (auto known = (*run)->check_clusters({*cluster}); !known) return report(known.error(), kUsage);
  shell::Session session((*run)->context(), (*run)->client(), (*run)->config(), std::cout,
                         std::cerr);
  (*run)->on_stop([&session] { session.stop_signal().request(); });
  if (auto connected = session.connect(*cluster); !connected) return report(connected.error());
  bool scripted = arguments.commands || !arguments.script.empty();
  if (!scripted) {
    shell::run_interactive(session, history_path());
    return kDone;
  }
  return shell::run_script(session, script) ? kDone : kFailed;
}

}  // namespace

void add_shell_command(Verb& program, int& exit_code) {
  auto arguments = std::make_shared<ShellArguments>();
  auto* verb =
      program.add_verb("shell",
                       "Example: pegmove shell --cluster A -e 'use t; set h s value; get h s'\n\n"
                       "Runs Pegasus's own shell commands (`help` lists them): typed, from -e, or "
                       "from a file. Results are printed on stdout. With -e or a file, it stops "
                       "at the first command that fails and exits with code 1.");
  verb->add_option("--cluster", arguments->cluster,
                   "cluster: a name in the config file, or host:port,...");
  verb->add_option("--config", arguments->config, "INI file with [pegasus.clusters]");
  auto* commands =
      verb->add_option("-e", arguments->commands, "commands, separated by ; or newlines");
  verb->add_option("FILE", arguments->script, "file of commands")->excludes(commands);
  verb->callback([arguments, &exit_code] { exit_code = run_shell(*arguments); });
}

}  // namespace pegmove::apps
