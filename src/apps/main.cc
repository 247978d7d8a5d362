#include <csignal>

#include "apps/command.h"
#include "apps/runs.h"
#include "base/standard_streams.h"

int main(int argc, char** argv) {
  pegmove::base::open_missing_standard_streams();
  std::signal(SIGPIPE, SIG_IGN);
  pegmove::apps::Program program(
      "pegmove",
      "pegmove moves whole tables between Apache Pegasus clusters, and contains an embedded\n"
      "cluster for trials, rehearsals and tests.",
      "pegmove " PEGMOVE_VERSION);
  int exit_code = pegmove::apps::kDone;
  pegmove::apps::add_copy_command(program.root(), exit_code);
  pegmove::apps::add_backup_command(program.root(), exit_code);
  pegmove::apps::add_restore_command(program.root(), exit_code);
  pegmove::apps::add_split_command(program.root(), exit_code);
  pegmove::apps::add_split_unit_command(program.root(), exit_code);
  pegmove::apps::add_load_command(program.root(), exit_code);
  pegmove::apps::add_hot_command(program.root(), exit_code);
  pegmove::apps::add_check_command(program.root(), exit_code);
  pegmove::apps::add_run_commands(program.root(), exit_code);
  pegmove::apps::add_steering_commands(program.root(), exit_code);
  pegmove::apps::add_cutover_commands(program.root(), exit_code);
  pegmove::apps::add_verify_command(program.root(), exit_code);
  pegmove::apps::add_diff_command(program.root(), exit_code);
  pegmove::apps::add_repair_command(program.root(), exit_code);
  pegmove::apps::add_backups_command(program.root(), exit_code);
  pegmove::apps::add_import_export_commands(program.root(), exit_code);
  pegmove::apps::add_cluster_command(program.root(), exit_code);
  pegmove::apps::add_metaproxy_command(program.root(), exit_code);
  pegmove::apps::add_relay_command(program.root(), exit_code);
  pegmove::apps::add_routes_command(program.root(), exit_code);
  pegmove::apps::add_shell_command(program.root(), exit_code);
  const auto ended = program.run(argc, argv);
  return pegmove::apps::end_output(ended.value_or(exit_code));
}
