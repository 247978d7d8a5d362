// backup: has a cluster back a table up, and watches it.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "apps/backup_stores.h"
#include "apps/journaled_run.h"
#include "base/units.h"
#include "blockstore/path.h"
#include "migration/cold_backup/back_up.h"

namespace pegmove::apps {
namespace {

using migration::BackupReport;
using migration::BackupRequest;

struct BackupArguments {
  RunArguments run;
  std::string from, table, store, path;
};

std::string to_text(const BackupReport& report) {
  const auto& place = report.place;
  std::string text =
      "Backed up table " + place.table + " (" + std::to_string(report.partitions) + " partitions";
  if (report.bytes >= 0) text += ", " + base::format_size(uint64_t(report.bytes));
  text += ") in " + base::format_duration(report.elapsed) + ": backup " +
          std::to_string(place.backup_id) + " in " + report.provider + ":/" +
          place.backup_folder() + "\n";
  if (!report.note.empty()) text += "Note: " + report.note + ".\n";
  return text;
}

Task<int> work(CommandRun& run, BackupStores& stores, const RunArguments& arguments, std::string id,
               BackupRequest request) {
  auto cluster = CO_TRY(co_await run.connect(request.from_metas));
  auto store = CO_TRY(stores.find(request.provider));
  co_return co_await carry_out(
      run, arguments, std::move(id),
      [&](auto& keeper, auto show) {
        return migration::run_backup(
            keeper, std::move(cluster), std::move(request), std::move(store), run.stop(),
            [show](const auto& progress) { show(migration::to_line(progress)); });
      },
      to_text);
}

int backup(const BackupArguments& arguments) {
  auto run = CommandRun::start(arguments.run.common);
  if (!run) return report(run.error(), kUsage);
  auto metas = (*run)->config().metas_text(arguments.from);
  if (!metas) return report(metas.error(), kUsage);
  if (auto path = blockstore::check_path(arguments.path); !path)
    return report(std::move(path.error()).with_context("--path"), kUsage);
  auto stores = BackupStores::open(**run);
  if (!stores) return report(stores.error(), kUsage);
  BackupRequest request{.from_metas = *metas,
                        .table = arguments.table,
                        .provider = arguments.store,
                        .path = arguments.path,
                        .timeout = (*run)->timeout()};
  (*run)->prepare();
  auto known =
      (*run)->wait_for([](CommandRun& run, std::string cluster, std::string table) -> Task<> {
        auto connected = CO_TRY(co_await run.connect(cluster));
        CO_TRY(co_await connected->table_info(table, Deadline::in(run.clock(), run.timeout())));
        co_return Result<void>();
      }(**run, *metas, arguments.table));
  if (!known) return report(known.error(), kPreflightFailed);
  auto id = [&]() -> Result<std::string> {
    auto journal = TRY(open_journal(arguments.run.state, (*run)->clock()));
    auto begun = TRY(journal.begin({.method = std::string(migration::kBackupMethod),
                                    .from = arguments.from,
                                    .to = arguments.store,
                                    .table = arguments.table,
                                    .to_table = arguments.table,
                                    .options = migration::to_json(request)}));
    return begun.id;
  }();
  if (!id) return report(id.error());
  auto code = (*run)->wait_for(work(**run, **stores, arguments.run, *id, std::move(request)));
  return code ? *code : report(code.error());
}

}  // namespace

int resume_backup(const RunArguments& arguments, const journal::Run& found) {
  auto request = migration::backup_request_from_json(found.options);
  if (!request) return report(std::move(request).error().with_context("run " + found.id));
  auto run = CommandRun::start(arguments.common);
  if (!run) return report(run.error(), kUsage);
  auto stores = BackupStores::open(**run);
  if (!stores) return report(stores.error(), kUsage);
  auto code = (*run)->wait_for(work(**run, **stores, arguments, found.id, *std::move(request)));
  return code ? *code : report(code.error());
}

int cancel_backup(const journal::Run& found) {
  const auto result = nlohmann::json::parse(found.result, nullptr, false);
  if (!result.is_object() || !result.contains("backup_id")) return kDone;  // it had not begun
  auto request = migration::backup_request_from_json(found.options);
  if (!request) return report(request.error());
  auto run = CommandRun::start({});
  if (!run) return report(run.error());
  auto told = (*run)->wait_for([](CommandRun& run, std::string metas, std::string app_id,
                                  std::string backup_id) -> Task<std::optional<std::string>> {
    auto cluster = CO_TRY(co_await run.connect(metas));
    co_return co_await migration::ask_meta(*cluster, "backup.cancel", {app_id, backup_id},
                                           Deadline::in(run.clock(), run.timeout()));
  }(**run, request->from_metas, result["app_id"].dump(), result["backup_id"].dump()));
  if (!told)
    return report(std::move(told.error()).with_context("ending the backup on the cluster"));
  if (*told) return kDone;
  std::fprintf(stderr,
               "pegmove: this version of Pegasus cannot end a backup: it goes on, and `pegmove "
               "backups rm` removes it when it has ended\n");
  return kFailed;
}

void add_backup_command(CLI::App& program, int& exit_code) {
  auto arguments = std::make_shared<BackupArguments>();
  auto* verb = add_verb(
      program, "backup",
      "Example: pegmove backup --from A --table t --store hdfs_x --path /user/pegasus/backup\n\n"
      "Has a cluster write a cold backup of a table to a block store, and watches it until it is "
      "whole. The cluster's own servers do the work: --store is a [block_service.NAME] of their "
      "configuration. Where pegmove's own configuration has the section, too, the table's app envs "
      "are written beside the backup (real clusters keep none), and `pegmove backups` can look "
      "into "
      "it.\n\n"
      "Interrupted or killed, the cluster goes on by itself; `pegmove resume` watches it again. "
      "`pegmove cancel` ends the backup where the cluster can: real clusters cannot.");
  verb->add_option("--from", arguments->from,
                   "cluster: a name of the config file, or host:port,...")
      ->required();
  verb->add_option("--table", arguments->table, "table to back up")->required();
  verb->add_option("--store", arguments->store, "block service, as the cluster's servers know it")
      ->required();
  verb->add_option("--path", arguments->path,
                   "folder in it, above that of the cluster; default: the service's root");
  add_state_option(*verb, arguments->run.state);
  add_common_options(*verb, arguments->run.common);
  verb->callback([arguments, &exit_code] { exit_code = backup(*arguments); });
}

}  // namespace pegmove::apps
