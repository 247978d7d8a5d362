#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>
#include <streambuf>

#include "apps/command.h"
#include "base/standard_streams.h"
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
  std::string script = arguments.commands.value_or("");
  if (!arguments.script.empty()) {
    auto text = read_script(arguments.script);
    if (!text) return report(text.error(), kUsage);
    script = *text;
  }
  auto cluster = arguments.cluster.empty() ? default_cluster((*run)->config()) : arguments.cluster;
  if (!cluster) return report(cluster.error(), kUsage);
  if (auto known = (*run)->check_clusters({*cluster}); !known) return report(known.error(), kUsage);
  StandardOutput standard_output;
  std::ostream out(&standard_output);
  shell::Session session((*run)->context(), (*run)->client(), (*run)->config(), out, std::cerr);
  (*run)->on_stop([&session] { session.stop_signal().request(); });
  if (auto connected = session.connect(*cluster); !connected) return report(connected.error());
  bool scripted = arguments.commands || !arguments.script.empty();
  bool succeeded = true;
  if (scripted)
    succeeded = shell::run_script(session, script);
  else
    shell::run_interactive(session, history_path());
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
