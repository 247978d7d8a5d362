// restore: has a cluster make a table out of a backup, and watches it.
#include <cstdio>

#include "apps/backup_stores.h"
#include "apps/journaled_run.h"
#include "backup/reader.h"
#include "base/units.h"
#include "blockstore/path.h"
#include "migration/restore/restore.h"

namespace pegmove::apps {
namespace {

using migration::RestoreReport;
using migration::RestoreRun;

struct RestoreArguments {
  RunArguments run;
  std::string to, table, to_table, store, path, cluster, policy;
  int64_t backup_id = 0;
  int32_t app_id = 0;
  bool skip_bad_partition = false;
};

std::string to_text(const RestoreReport& report) {
  std::string text = "Restored table " + report.table + " (id " + std::to_string(report.app_id) +
                     ", " + std::to_string(report.partitions) + " partitions) in " +
                     base::format_duration(report.elapsed) + ".\n";
  if (!report.skipped.empty()) {
    text += "Made empty, since their backup is damaged: partitions";
    for (const auto partition : report.skipped) text += " " + std::to_string(partition);
    text += ".\n";
  }
  if (!report.envs.empty()) {
    text += "App envs brought back:";
    for (const auto& name : report.envs) text += " " + name;
    text += ".\n";
  }
  for (const auto& note : report.notes) text += "Note: " + note + ".\n";
  return text;
}

// What the arguments leave open is looked up in the store: the newest whole backup of the table,
// and the table's id in it.
Task<> complete(BackupStores& stores, client::RestoreRequest& restore) {
  if (restore.backup_id > 0 && restore.app_id > 0) co_return Result<void>();
  auto found = stores.get(restore.provider);
  if (!found)
    co_return fail(std::move(found.error())
                       .with_context("without --backup-id and --app-id the store is looked into"));
  const auto root = CO_TRY(backup::root_of(restore.path, restore.cluster, restore.policy));
  const auto place = CO_TRY(
      co_await backup::find_backup(*found, root, restore.backup_id, restore.table, restore.app_id));
  restore.backup_id = place.backup_id;
  restore.app_id = place.app_id;
  // A policy's backups are in a folder of its name.
  if (place.root != root) restore.policy = blockstore::name_of(place.root);
  co_return Result<void>();
}

// What can be known before the cluster is told anything.
Task<> look_before(CommandRun& run, BackupStores& stores, RestoreRun& request) {
  auto& restore = request.restore;
  CO_TRY(co_await complete(stores, restore));
  const auto name = restore.new_table.empty() ? restore.table : restore.new_table;
  auto cluster = CO_TRY(co_await run.connect(request.to_metas));
  auto table = co_await cluster->table_info(name, Deadline::in(run.clock(), run.timeout()));
  if (table)
    co_return fail(Code::kAlreadyExists,
                   "cluster '" + cluster->name() + "' has a table '" + name +
                       "' already; restore into another one with --to-table, or drop it");
  if (table.error().code() != Code::kNotFound) co_return fail(std::move(table.error()));
  co_return Result<void>();
}

Task<int> work(CommandRun& run, BackupStores& stores, const RunArguments& arguments, std::string id,
               RestoreRun request) {
  auto cluster = CO_TRY(co_await run.connect(request.to_metas));
  auto store = CO_TRY(stores.find(request.restore.provider));
  co_return co_await carry_out(
      run, arguments, std::move(id),
      [&](auto& keeper, auto show) {
        return migration::run_restore(
            keeper, std::move(cluster), std::move(request), std::move(store), run.stop(),
            [show](const auto& progress) { show(migration::to_line(progress)); });
      },
      to_text);
}

int restore(const RestoreArguments& arguments) {
  auto run = CommandRun::start(arguments.run.common);
  if (!run) return report(run.error(), kUsage);
  auto metas = (*run)->config().metas_text(arguments.to);
  if (!metas) return report(metas.error(), kUsage);
  if (auto root = backup::root_of(arguments.path, arguments.cluster, arguments.policy); !root)
    return report(root.error(), kUsage);
  auto stores = BackupStores::open(**run);
  if (!stores) return report(stores.error(), kUsage);
  RestoreRun request{.to_metas = *metas,
                     .restore = {.cluster = arguments.cluster,
                                 .policy = arguments.policy,
                                 .backup_id = arguments.backup_id,
                                 .table = arguments.table,
                                 .app_id = arguments.app_id,
                                 .new_table = arguments.to_table,
                                 .provider = arguments.store,
                                 .skip_bad_partition = arguments.skip_bad_partition,
                                 .path = arguments.path},
                     .timeout = (*run)->timeout()};
  (*run)->prepare();
  auto completed = (*run)->wait_for(look_before(**run, **stores, request));
  if (!completed) return report(completed.error(), kPreflightFailed);
  auto id = [&]() -> Result<std::string> {
    auto journal = TRY(open_journal(arguments.run.state, (*run)->clock()));
    auto begun = TRY(journal.begin(
        {.method = std::string(migration::kRestoreMethod),
         .from = arguments.store,
         .to = arguments.to,
         .table = arguments.table,
         .to_table = arguments.to_table.empty() ? arguments.table : arguments.to_table,
         .options = migration::to_json(request)}));
    return begun.id;
  }();
  if (!id) return report(id.error());
  auto code = (*run)->wait_for(work(**run, **stores, arguments.run, *id, std::move(request)));
  return code ? *code : report(code.error());
}

}  // namespace

int resume_restore(const RunArguments& arguments, const journal::Run& found) {
  auto request = migration::restore_run_from_json(found.options);
  if (!request) return report(std::move(request).error().with_context("run " + found.id));
  auto run = CommandRun::start(arguments.common);
  if (!run) return report(run.error(), kUsage);
  auto stores = BackupStores::open(**run);
  if (!stores) return report(stores.error(), kUsage);
  auto code = (*run)->wait_for(work(**run, **stores, arguments, found.id, *std::move(request)));
  return code ? *code : report(code.error());
}

void add_restore_command(CLI::App& program, int& exit_code) {
  auto arguments = std::make_shared<RestoreArguments>();
  auto* verb = add_verb(
      program, "restore",
      "Example: pegmove restore --to B --store hdfs_x --path /user/pegasus/backup --cluster A "
      "--table t\n\n"
      "Has a cluster make a new table out of a cold backup, with the partition count of the "
      "backup, "
      "and watches it until all partitions serve. The table and the cluster that were backed up "
      "need not exist any more. The cluster's own servers do the work: --store is a "
      "[block_service.NAME] of their configuration. Where pegmove's own configuration has the "
      "section, too, the newest backup is found there, and the app envs that `pegmove backup` kept "
      "are brought back.\n\n"
      "Interrupted or killed, the cluster goes on by itself; `pegmove resume` watches it again.");
  verb->add_option("--to", arguments->to, "cluster: a name of the config file, or host:port,...")
      ->required();
  verb->add_option("--store", arguments->store, "block service, as the cluster's servers know it")
      ->required();
  verb->add_option("--path", arguments->path, "folder in it, above that of the cluster");
  verb->add_option("--cluster", arguments->cluster,
                   "the cluster that made the backup: its folder in the store")
      ->required();
  verb->add_option(
      "--policy", arguments->policy,
      "a folder of this name between the cluster's and the backups: only before Pegasus 2.2");
  verb->add_option("--table", arguments->table, "table of the backup")->required();
  verb->add_option("--to-table", arguments->to_table, "name of the new table; default: the same");
  verb->add_option("--backup-id", arguments->backup_id, "default: the newest whole one")
      ->check(CLI::Range(int64_t(1), int64_t(INT64_MAX)));
  verb->add_option("--app-id", arguments->app_id,
                   "the table's id in the backup; default: looked up in the store")
      ->check(CLI::Range(1, INT32_MAX));
  verb->add_flag("--skip-bad-partition", arguments->skip_bad_partition,
                 "make partitions empty whose backup is damaged");
  add_state_option(*verb, arguments->run.state);
  add_common_options(*verb, arguments->run.common);
  verb->callback([arguments, &exit_code] { exit_code = restore(*arguments); });
}

}  // namespace pegmove::apps
