// restore: has a cluster create a table from a backup, and watches it.
#include "apps/process_ports.h"
#include "apps/runs.h"
#include "backup/layout.h"
#include "base/table_name.h"
#include "migration/restore/restore.h"

namespace pegmove::apps {
namespace {

struct RestoreArguments {
  RunArguments run;
  std::string to, table, to_table, store, path, cluster, policy;
  int64_t backup_id = 0;
  int32_t app_id = 0;
  bool skip_bad_partition = false;
};

int restore(const RestoreArguments& arguments) {
  auto run = CommandRun::start(arguments.run.common);
  if (!run) return report(run.error(), kUsage);
  auto metas = (*run)->config().metas_text(arguments.to);
  if (!metas) return report(metas.error(), kUsage);
  if (auto root = backup::root_of(arguments.path, arguments.cluster, arguments.policy); !root)
    return report(root.error(), kUsage);
  const auto& new_table = arguments.to_table.empty() ? arguments.table : arguments.to_table;
  if (auto named = base::check_new_table(new_table); !named)
    return report(std::move(named.error()).with_context("--to-table"), kUsage);
  const ProcessPorts ports(**run);
  migration::Restore work({.to_metas = *metas,
                           .restore = {.cluster = arguments.cluster,
                                       .policy = arguments.policy,
                                       .backup_id = arguments.backup_id,
                                       .table = arguments.table,
                                       .app_id = arguments.app_id,
                                       .new_table = arguments.to_table,
                                       .provider = arguments.store,
                                       .skip_bad_partition = arguments.skip_bad_partition,
                                       .path = arguments.path},
                           .timeout = (*run)->timeout()},
                          ports.get());
  return begin_run(**run, arguments.run, work,
                   {.method = std::string(migration::kRestoreMethod),
                    .from = arguments.store,
                    .to = arguments.to,
                    .table = arguments.table,
                    .to_table = new_table});
}

}  // namespace

void add_restore_command(Verb& program, int& exit_code) {
  auto arguments = std::make_shared<RestoreArguments>();
  auto* verb = program.add_verb(
      "restore",
      "Example: pegmove restore --to B --store hdfs_x --path /user/pegasus/backup "
      "--cluster A --table t\n\n"
      "Has a cluster create a new table from a cold backup, with the partition count of "
      "the backup, and watches it until all partitions serve. The table and the cluster "
      "that were backed up need not exist any more. The cluster's own servers do the "
      "work: --store is a [block_service.NAME] of their configuration. When pegmove's own "
      "configuration also has the section, pegmove finds the newest backup there, and "
      "sets the app envs that `pegmove backup` kept.\n\n"
      "When pegmove is interrupted or killed, the cluster continues by itself; `pegmove "
      "resume` watches it again.");
  verb->list_under(kMoving, "has a cluster create a table from a backup");
  verb->add_option("--to", arguments->to,
                   "target cluster: a name in the config file, or host:port,...")
      ->required();
  verb->add_option(
          "--store", arguments->store,
          "block service: a [block_service.NAME] in the configuration of the cluster's servers")
      ->required();
  verb->add_option("--path", arguments->path,
                   "folder in the store that contains the cluster's folder");
  verb->add_option("--cluster", arguments->cluster,
                   "the cluster that wrote the backup: its folder in the store")
      ->required();
  verb->add_option(
      "--policy", arguments->policy,
      "name of the folder between the cluster's folder and the backups; only before Pegasus 2.2");
  verb->add_option("--table", arguments->table, "table of the backup")->required();
  verb->add_option("--to-table", arguments->to_table, "name of the new table; default: the same");
  add_backup_id(*verb, arguments->backup_id, "id of the backup; default: the newest complete one");
  verb->was_named("--backup-id", "--backup");
  verb->add_option("--app-id", arguments->app_id,
                   "the table's id in the backup; default: looked up in the store")
      ->in_range(1, INT32_MAX);
  verb->add_flag("--skip-bad-partition", arguments->skip_bad_partition,
                 "create partitions whose backup is damaged as empty ones");
  add_run_options(*verb, arguments->run);
  verb->callback([arguments, &exit_code] { exit_code = restore(*arguments); });
}

}  // namespace pegmove::apps
