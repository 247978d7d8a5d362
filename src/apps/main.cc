#include <csignal>
#include <cstdio>

#include "apps/command.h"
#include "apps/runs.h"

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App program(
      "pegmove moves whole tables between Apache Pegasus clusters, and contains an embedded "
      "cluster for trials, rehearsals and tests. `pegmove VERB --help` begins with an example.");
  program.name("pegmove");
  program.set_version_flag("--version", "pegmove " PEGMOVE_VERSION);
  program.require_subcommand(0, 1);
  int exit_code = pegmove::apps::kDone;
  pegmove::apps::add_check_command(program, exit_code);
  pegmove::apps::add_copy_command(program, exit_code);
  pegmove::apps::add_backup_command(program, exit_code);
  pegmove::apps::add_restore_command(program, exit_code);
  pegmove::apps::add_backups_command(program, exit_code);
  pegmove::apps::add_split_command(program, exit_code);
  pegmove::apps::add_split_unit_command(program, exit_code);
  pegmove::apps::add_load_command(program, exit_code);
  pegmove::apps::add_verify_command(program, exit_code);
  pegmove::apps::add_run_commands(program, exit_code);
  pegmove::apps::add_steering_commands(program, exit_code);
  pegmove::apps::add_diff_command(program, exit_code);
  pegmove::apps::add_repair_command(program, exit_code);
  pegmove::apps::add_import_export_commands(program, exit_code);
  pegmove::apps::add_cluster_command(program, exit_code);
  pegmove::apps::add_shell_command(program, exit_code);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? pegmove::apps::kDone : pegmove::apps::kUsage;
  }
  if (program.get_subcommands().empty()) {
    std::fputs("pegmove: no verb was given\nRun with --help for more information.\n", stderr);
    return pegmove::apps::kUsage;
  }
  return exit_code;
}
