#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <streambuf>

#include "apps/command.h"
#include "base/small_file.h"
#include "base/standard_streams.h"
#include "shell/frame.h"
#include "shell/session.h"

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

// Prints through stdio, as the rest of the program does, and keeps the first error: a stream does
// not say why it failed.
class StandardOutput : public std::streambuf {
 public:
  const Result<void>& written() const { return written_; }

 protected:
  std::streamsize xsputn(const char* text, std::streamsize size) override {
    if (std::fwrite(text, 1, size_t(size), stdout) == size_t(size)) return size;
    sync();
    return 0;
  }
  int_type overflow(int_type byte) override {
    const char text = traits_type::to_char_type(byte);
    return xsputn(&text, 1) == 1 ? byte : traits_type::eof();
  }
  int sync() override {
    if (written_) written_ = base::flush_standard_output();
    return written_ ? 0 : -1;
  }

 private:
  Result<void> written_;
};

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
  StandardOutput standard_output;
  std::ostream out(&standard_output);
  shell::Session session((*run)->context(), (*run)->client(), (*run)->config(), out, std::cerr);
  (*run)->on_stop([&session] { session.stop_signal().request(); });
  if (auto connected = session.connect(*cluster); !connected) return report(connected.error());
  const auto& config_file = (*run)->config().path();
  bool succeeded = true;
  if (*script)
    succeeded = shell::run_script(session, **script);
  else if (isatty(STDIN_FILENO))
    shell::run_interactive(session, config_file, history_path());
  else
    shell::run_piped(session, std::cin, config_file);
  out.flush();
  if (!standard_output.written()) return report(standard_output.written().error());
  return succeeded ? kDone : kFailed;
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
