// backup: has a cluster back up a table, and watches it.
#include "apps/process_ports.h"
#include "apps/runs.h"
#include "base/units.h"
#include "blockstore/path.h"
#include "migration/cold_backup/back_up.h"

namespace pegmove::apps {
namespace {

struct BackupArguments {
  RunArguments run;
  std::string from, table, store, path, end_within = "60s";
  bool finish = false;
};

int backup(const BackupArguments& arguments) {
  auto run = CommandRun::start(arguments.run.common);
  if (!run) return report(run.error(), kUsage);
  auto metas = (*run)->config().metas_text(arguments.from);
  if (!metas) return report(metas.error(), kUsage);
  if (auto path = blockstore::check_path(arguments.path); !path)
    return report(std::move(path.error()).with_context("--path"), kUsage);
  auto end_within = base::parse_duration(arguments.end_within);
  if (!end_within)
    return report(std::move(end_within.error()).with_context("--end-within"), kUsage);
  const ProcessPorts ports(**run);
  migration::BackUp work({.from_metas = *metas,
                          .table = arguments.table,
                          .provider = arguments.store,
                          .path = arguments.path,
                          .end_within = *end_within,
                          .finish = arguments.finish,
                          .timeout = (*run)->timeout()},
                         ports.get());
  return begin_run(**run, arguments.run, work,
                   {.method = std::string(migration::kBackupMethod),
                    .from = arguments.from,
                    .to = arguments.store,
                    .table = arguments.table,
                    .to_table = arguments.table});
}

}  // namespace

void add_backup_command(Verb& program, int& exit_code) {
  auto arguments = std::make_shared<BackupArguments>();
  auto* verb = program.add_verb(
      "backup",
      "Example: pegmove backup --from A --table t --store hdfs_x --path /user/pegasus/backup\n\n"
      "Has a cluster write a cold backup of a table to a block store, and watches it until it is "
      "complete. The cluster's own servers do the work: --store is a [block_service.NAME] of their "
      "configuration. When pegmove's own configuration also has the section, the table's app envs "
      "are written beside the backup (real clusters do not keep them), and `pegmove backups` can "
      "read the backup.\n\n"
      "When pegmove is interrupted or killed, the cluster continues by itself; `pegmove resume` "
      "watches it again. `pegmove cancel` ends the backup if the cluster can do that; real "
      "clusters cannot.\n\n"
      "A real meta server sometimes never ends a backup, although all files are in the store. "
      "After --end-within pegmove explains it. With --finish, or when the question on the terminal "
      "is answered with yes, it verifies the files and writes backup_info itself, so that the "
      "backup can be restored. The meta server refuses further backups of the table until it is "
      "restarted.");
  verb->list_under(kMoving, "has a cluster write a table to a block store (a folder, HDFS, S3)");
  verb->add_option("--from", arguments->from,
                   "source cluster: a name in the config file, or host:port,...")
      ->required();
  verb->add_option("--table", arguments->table, "table to back up")->required();
  verb->add_option(
          "--store", arguments->store,
          "block service: a [block_service.NAME] in the configuration of the cluster's servers")
      ->required();
  verb->add_option("--path", arguments->path,
                   "folder in the store that will contain the cluster's folder; default: the root");
  verb->add_option("--end-within", arguments->end_within,
                   "how long the meta server may take to end the backup when all files are in the "
                   "store")
      ->capture_default_str();
  verb->add_flag("--finish", arguments->finish,
                 "then verify the files and write backup_info without asking");
  add_run_options(*verb, arguments->run);
  verb->callback([arguments, &exit_code] { exit_code = backup(*arguments); });
}

}  // namespace pegmove::apps
