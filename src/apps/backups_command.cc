// backups ls, show, verify, rm: the backups in a block store.
#include <fmt/format.h>

#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "apps/backup_stores.h"
#include "apps/progress_line.h"
#include "backup/finish.h"
#include "backup/reader.h"
#include "backup/sidecars.h"
#include "backup/verifier.h"
#include "base/json_text.h"
#include "base/text.h"
#include "base/units.h"
#include "blockstore/path.h"

namespace pegmove::apps {
namespace {

using backup::BackupState;
using backup::BackupSummary;
using backup::Place;
using backup::VerifyReport;
using base::format_size;
using Json = nlohmann::ordered_json;

struct BackupsArguments {
  CommonOptions common;
  std::string store, path, cluster, table;
  int64_t id = 0;
  double sample = 100;
  bool write_sidecars = false;
  bool yes = false;
  bool finish = false;
};

// Those of one cluster, or of all clusters that have backups below the path.
Task<std::vector<BackupSummary>> find_backups(const blockstore::AsyncStore& store,
                                              const BackupsArguments& arguments) {
  const auto path = CO_TRY(blockstore::check_path(arguments.path));
  std::vector<std::string> clusters{arguments.cluster};
  if (arguments.cluster.empty()) clusters = CO_TRY(co_await backup::list_clusters(store, path));
  std::vector<BackupSummary> all;
  for (const auto& cluster : clusters)
    for (auto& summary :
         CO_TRY(co_await backup::list_backups(store, CO_TRY(backup::root_of(path, cluster)))))
      if (arguments.id == 0 || summary.backup_id == arguments.id) all.push_back(std::move(summary));
  if (arguments.id != 0 && all.empty())
    co_return fail(
        Code::kNotFound,
        fmt::format("{} has no backup {} below /{}; `pegmove backups ls` lists the backups",
                    store.store().description(), arguments.id, path));
  if (arguments.id != 0 && all.size() > 1)
    co_return fail(
        Code::kInvalidArgument,
        fmt::format("several clusters have a backup {}; select one with --cluster", arguments.id));
  co_return all;
}

Json to_json(const BackupSummary& summary) {
  Json tables = Json::array();
  for (const auto& table : summary.tables)
    tables.push_back({{"table", table.table}, {"app_id", table.app_id}});
  return {{"backup_id", summary.backup_id},
          {"policy", summary.policy},
          {"folder", summary.root},
          {"state", backup::to_string(summary.state)},
          {"why", summary.why},
          {"start_time_ms", summary.start_time_ms},
          {"end_time_ms", summary.end_time_ms},
          {"tables", std::move(tables)}};
}

Task<int> list(CommandRun&, BackupStores& stores, BackupsArguments arguments) {
  auto store = CO_TRY(stores.get(arguments.store));
  auto backups = CO_TRY(co_await find_backups(store, arguments));
  if (arguments.common.json) {
    auto out = Json::array();
    for (const auto& summary : backups) out.push_back(to_json(summary));
    std::printf("%s\n", base::json_text(out, 2).c_str());
    co_return kDone;
  }
  if (backups.empty())
    std::printf("No backups directly below %s:/%s%s.\n", arguments.store.c_str(),
                arguments.path.c_str(), ("/" + arguments.cluster).c_str());
  for (const auto& summary : backups) {
    std::string tables;
    for (const auto& table : summary.tables)
      tables += fmt::format(" {} ({})", table.table, table.app_id);
    std::printf(
        "%lld  %-10s  %s  /%s %s%s%s\n", static_cast<long long>(summary.backup_id),
        std::string(backup::to_string(summary.state)).c_str(),
        base::utc_date_time(summary.start_time_ms > 0 ? summary.start_time_ms : summary.backup_id)
            .c_str(),
        summary.root.c_str(), tables.c_str(), summary.why.empty() ? "" : ": ", summary.why.c_str());
  }
  co_return kDone;
}

Place place_of(const BackupSummary& summary, const backup::TableFolder& table) {
  return {.root = summary.root,
          .backup_id = summary.backup_id,
          .table = table.table,
          .app_id = table.app_id};
}

// The contents of a table of a backup; damage is reported in the result, not as an error.
Task<Json> describe(const blockstore::AsyncStore& store, Place place) {
  Json out{{"table", place.table}, {"app_id", place.app_id}};
  auto table = co_await backup::read_table(store, place);
  if (!table) {
    out["damage"] = table.error().to_string();
    co_return out;
  }
  out["partition_count"] = table->partition_count;
  out["init_partition_count"] = table->init_partition_count;
  auto envs = CO_TRY(co_await backup::read_envs(store, place));
  out["app_envs"] = envs ? Json(*envs) : Json(nullptr);
  int64_t bytes = 0, files = 0;
  auto& partitions = out["partitions"] = Json::array();
  for (int32_t partition = 0; partition < table->partition_count; ++partition) {
    auto checkpoint = co_await backup::read_checkpoint(store, place, partition);
    Json entry{{"partition", partition}};
    if (checkpoint) {
      entry["decree"] = checkpoint->metadata.decree;
      entry["files"] = checkpoint->metadata.files.size();
      entry["bytes"] = checkpoint->metadata.total_size;
      entry["folder"] = checkpoint->folder;
      bytes += checkpoint->metadata.total_size;
      files += int64_t(checkpoint->metadata.files.size());
    } else {
      entry["damage"] = checkpoint.error().to_string();
    }
    partitions.push_back(std::move(entry));
  }
  out["files"] = files;
  out["bytes"] = bytes;
  co_return out;
}

void print_table(const Json& table) {
  std::printf("table %s (id %d): ", table["table"].get<std::string>().c_str(),
              table["app_id"].get<int>());
  if (table.contains("damage")) {
    std::printf("damaged: %s\n", table["damage"].get<std::string>().c_str());
    return;
  }
  std::printf("%d partitions, %lld files, %s", table["partition_count"].get<int>(),
              static_cast<long long>(table["files"].get<int64_t>()),
              format_size(table["bytes"].get<uint64_t>()).c_str());
  if (table["init_partition_count"] != table["partition_count"] &&
      table["init_partition_count"].get<int>() > 0)
    std::printf(", was split from %d", table["init_partition_count"].get<int>());
  std::printf(table["app_envs"].is_null() ? ", no app envs kept\n" : ", app envs kept:\n");
  if (table["app_envs"].is_object())
    for (const auto& [name, value] : table["app_envs"].items())
      std::printf("  %s = %s\n", name.c_str(), value.get<std::string>().c_str());
  for (const auto& partition : table["partitions"])
    if (partition.contains("damage"))
      std::printf("  partition %d: %s\n", partition["partition"].get<int>(),
                  partition["damage"].get<std::string>().c_str());
    else
      std::printf("  partition %d: %lld files, %s, decree %lld\n",
                  partition["partition"].get<int>(),
                  static_cast<long long>(partition["files"].get<int64_t>()),
                  format_size(partition["bytes"].get<uint64_t>()).c_str(),
                  static_cast<long long>(partition["decree"].get<int64_t>()));
}

Task<int> show(CommandRun&, BackupStores& stores, BackupsArguments arguments) {
  auto store = CO_TRY(stores.get(arguments.store));
  const auto summary = CO_TRY(co_await find_backups(store, arguments)).front();
  auto out = to_json(summary);
  out["tables"] = Json::array();
  for (const auto& table : summary.tables)
    out["tables"].push_back(CO_TRY(co_await describe(store, place_of(summary, table))));
  if (arguments.common.json) {
    std::printf("%s\n", base::json_text(out, 2).c_str());
    co_return kDone;
  }
  std::printf("backup %lld in /%s: %s%s%s, started %s, ended %s (UTC)\n",
              static_cast<long long>(summary.backup_id), summary.root.c_str(),
              std::string(backup::to_string(summary.state)).c_str(),
              summary.why.empty() ? "" : ": ", summary.why.c_str(),
              base::utc_date_time(summary.start_time_ms).c_str(),
              base::utc_date_time(summary.end_time_ms).c_str());
  for (const auto& table : out["tables"]) print_table(table);
  co_return kDone;
}

std::string progress_text(const VerifyReport& report) {
  return fmt::format("verifying: {} files, {} read, {} damaged", report.files,
                     format_size(uint64_t(report.bytes_read)), report.problem_count);
}

// A sample proves only what it read.
std::string verdict_of(const VerifyReport& report) {
  if (report.problem_count > 0) return "damaged";
  return report.files_read < report.files ? "sampled" : "whole";
}

Json to_json(const BackupSummary& summary, const std::string& table, const VerifyReport& report,
             std::optional<int64_t> sidecars) {
  Json problems = Json::array();
  for (const auto& problem : report.problems)
    problems.push_back(
        {{"partition", problem.partition}, {"file", problem.file}, {"what", problem.what}});
  Json out{{"backup_id", summary.backup_id},
           {"table", table},
           {"verdict", verdict_of(report)},
           {"partitions", report.partitions},
           {"files", report.files},
           {"bytes", report.bytes},
           {"files_read", report.files_read},
           {"bytes_read", report.bytes_read},
           {"problem_count", report.problem_count},
           {"problems", std::move(problems)}};
  if (sidecars) out["sidecars_written"] = *sidecars;
  return out;
}

void print_verdict(const BackupSummary& summary, const std::string& table,
                   const VerifyReport& report, std::optional<int64_t> sidecars) {
  for (const auto& problem : report.problems)
    std::printf("%s: /%s: %s\n",
                problem.partition < 0 ? "table"
                                      : ("partition " + std::to_string(problem.partition)).c_str(),
                problem.file.c_str(), problem.what.c_str());
  const auto read =
      fmt::format("{} of {} files read ({} of {})", report.files_read, report.files,
                  format_size(uint64_t(report.bytes_read)), format_size(uint64_t(report.bytes)));
  const auto verdict = verdict_of(report);
  const std::string end = verdict == "damaged" ? fmt::format(", {} problems", report.problem_count)
                          : verdict == "whole" ? "; all match their metadata"
                                               : "; only the size of the others was checked";
  std::printf("%s: table %s of backup %lld, %d partitions, %s%s\n",
              verdict == "damaged" ? "Damaged"
              : verdict == "whole" ? "Undamaged"
                                   : "No damage found",
              table.c_str(), static_cast<long long>(summary.backup_id), report.partitions,
              read.c_str(), end.c_str());
  if (sidecars && *sidecars > 0)
    std::printf("Wrote %lld sidecars.\n", static_cast<long long>(*sidecars));
  else if (sidecars)
    std::printf("Wrote no sidecars for table %s.\n", table.c_str());
}

Result<blockstore::AsyncStore> without_sidecars(const blockstore::AsyncStore& store) {
  if (auto bare = store.without_sidecars()) return *std::move(bare);
  return fail(Code::kInvalidArgument,
              fmt::format("--write-sidecars: {} has no sidecars; only a local_service has them",
                          store.store().description()));
}

// Where all files of a table are undamaged. Returns how many sidecars were written.
Task<int64_t> add_sidecars(const blockstore::AsyncStore& store, Place place,
                           const VerifyReport& report, std::map<std::string, std::string> md5s) {
  if (report.problem_count > 0) co_return 0;
  co_return co_await backup::write_sidecars(store, place, report.partitions, std::move(md5s));
}

// Whether this is the backup of one table without backup_info, which --finish is for. Errors:
// kInvalidArgument, for several tables.
Task<bool> needs_finish(const blockstore::AsyncStore& store, BackupSummary summary) {
  if (summary.state == BackupState::kComplete) co_return false;
  const Place place{.root = summary.root, .backup_id = summary.backup_id, .table = ""};
  if (CO_TRY(co_await backup::read_info(store, place)).has_value()) co_return false;
  if (summary.tables.size() == 1) co_return true;
  co_return fail(Code::kInvalidArgument,
                 fmt::format("backup {} has {} tables; --finish completes backups of one table",
                             summary.backup_id, summary.tables.size()));
}

Task<int> verify(CommandRun& run, BackupStores& stores, BackupsArguments arguments) {
  if (arguments.finish && arguments.sample < 100)
    co_return fail(Code::kInvalidArgument, "--finish reads every file: leave out --sample");
  const auto given = CO_TRY(stores.get(arguments.store));
  const auto store = arguments.write_sidecars ? CO_TRY(without_sidecars(given)) : given;
  auto summary = CO_TRY(co_await find_backups(store, arguments)).front();
  const bool finishes = arguments.finish && CO_TRY(co_await needs_finish(store, summary));
  bool is_whole = true;
  auto out = Json::array();
  int looked_at = 0;
  for (const auto& table : summary.tables) {
    if (!arguments.table.empty() && arguments.table != table.table) continue;
    ++looked_at;
    ProgressLine line(arguments.common.quiet);
    auto last = run.clock().now();
    std::map<std::string, std::string> md5s;
    const auto should_stop = [&run] { return run.stop().requested(); };
    const auto show = [&](const VerifyReport& report) {
      if (run.clock().now() - last < std::chrono::seconds(1)) return;
      last = run.clock().now();
      line.show(progress_text(report));
    };
    const auto place = place_of(summary, table);
    const backup::VerifyOptions options{
        .share = arguments.sample / 100,
        .should_stop = should_stop,
        .on_undamaged = [&md5s](const auto& path, const auto& sum) { md5s[path] = sum.md5; }};
    auto verified = CO_TRY(
        finishes ? co_await backup::finish_backup(store, place, {.should_stop = should_stop}, show)
                 : co_await backup::verify_table(store, place, options, show));
    if (!table.is_whole && !finishes && verified.problem_count == 0) {
      verified.problems.push_back(
          {.file = place_of(summary, table).table_folder(), .what = summary.why});
      ++verified.problem_count;
    }
    std::optional<int64_t> written;
    if (arguments.write_sidecars)
      written =
          CO_TRY(co_await add_sidecars(given, place_of(summary, table), verified, std::move(md5s)));
    is_whole = is_whole && verified.problem_count == 0;
    if (arguments.common.json)
      out.push_back(to_json(summary, table.table, verified, written));
    else
      print_verdict(summary, table.table, verified, written);
  }
  if (looked_at == 0)
    co_return fail(Code::kNotFound,
                   fmt::format("backup {} has no table '{}'", arguments.id, arguments.table));
  if (finishes && is_whole) {
    summary.state = BackupState::kComplete;
    std::fprintf(stderr, "pegmove: backup_info of backup %lld is written: it can be restored\n",
                 static_cast<long long>(summary.backup_id));
  }
  if (summary.state != BackupState::kComplete && arguments.table.empty()) {
    std::fprintf(stderr, "pegmove: backup %lld is not complete: %s\n",
                 static_cast<long long>(summary.backup_id), summary.why.c_str());
    is_whole = false;
  }
  if (arguments.common.json) std::printf("%s\n", base::json_text(out, 2).c_str());
  co_return is_whole ? kDone : kTablesDiffer;
}

Task<int> remove(CommandRun&, BackupStores& stores, BackupsArguments arguments) {
  auto store = CO_TRY(stores.get(arguments.store));
  const auto summary = CO_TRY(co_await find_backups(store, arguments)).front();
  const Place place{.root = summary.root, .backup_id = summary.backup_id, .table = ""};
  if (!arguments.yes) {
    std::fprintf(stderr, "pegmove: this removes /%s of %s permanently; confirm with --yes\n",
                 place.backup_folder().c_str(), store.store().description().c_str());
    co_return kUsage;
  }
  // The metadata first: a kill in between leaves nothing that looks like a complete backup.
  CO_TRY(co_await store.remove(place.info_file()));
  for (const auto& table : summary.tables)
    CO_TRY(co_await store.remove(place_of(summary, table).metadata_file()));
  CO_TRY(co_await store.remove(place.backup_folder()));
  std::printf("Removed backup %lld.\n", static_cast<long long>(summary.backup_id));
  co_return kDone;
}

using Action = Task<int> (*)(CommandRun& run, BackupStores& stores, BackupsArguments arguments);

int carry_out(const BackupsArguments& arguments, Action action) {
  auto run = CommandRun::start(arguments.common);
  if (!run) return report(run.error(), kUsage);
  auto stores = BackupStores::open(**run);
  if (!stores) return report(stores.error(), kUsage);
  (*run)->on_stop([&stores] { (*stores)->stop(); });
  auto code = (*run)->wait_for(action(**run, **stores, arguments));
  if (code) return *code;
  return report(code.error(), code.error().code() == Code::kInvalidArgument ? kUsage : kFailed);
}

Verb* add_part(Verb& verb, int& exit_code, const std::string& name, const std::string& description,
               bool of_one, std::shared_ptr<BackupsArguments> arguments, Action action) {
  auto* part = verb.add_verb(name, description);
  part->add_option("--store", arguments->store,
                   "block service: a [block_service.NAME] in the config file")
      ->required();
  part->add_option("--path", arguments->path,
                   "folder in the store that contains the folders of the clusters");
  part->add_option("--cluster", arguments->cluster,
                   "only backups of this cluster; default: all clusters that have backups");
  if (of_one) {
    add_backup_id(*part, arguments->id, "id of the backup, as `pegmove backups ls` shows it")
        ->required();
    part->was_named("", "--backup");
  }
  add_common_options(*part, arguments->common);
  part->callback([arguments, action, &exit_code] { exit_code = carry_out(*arguments, action); });
  return part;
}

}  // namespace

void add_backups_command(Verb& program, int& exit_code) {
  auto* verb =
      program.add_verb("backups",
                       "Example: pegmove backups ls --store hdfs_x --path /user/pegasus/backup\n\n"
                       "Works on the backups in a block store, of embedded and of real clusters. "
                       "No cluster is needed.");
  verb->list_under(kProving, "lists, describes, checks and removes the backups in a block store");
  const auto make = [] { return std::make_shared<BackupsArguments>(); };
  add_part(*verb, exit_code, "ls",
           "Example: pegmove backups ls --store hdfs_x --cluster A\n\n"
           "Lists the backups, newest first; for each that is not complete, the reason.",
           false, make(), list)
      ->list_under(kVerbs, "lists the backups of a store, newest first");
  add_part(*verb, exit_code, "show",
           "Example: pegmove backups show --store hdfs_x --backup 1742888751127\n\n"
           "Shows the tables of a backup, their partitions and app envs.",
           true, make(), show)
      ->list_under(kVerbs, "shows the tables of a backup, their partitions and app envs");
  auto arguments = make();
  auto* part =
      add_part(*verb, exit_code, "verify",
               "Example: pegmove backups verify --store hdfs_x --backup 1742888751127\n\n"
               "Reads every file of a backup and compares it with its metadata. Exit code 0: "
               "complete and undamaged; 4: damaged or incomplete. The damaged files are listed.\n\n"
               "With --finish, a backup in which only backup_info is missing, since its meta "
               "server has not ended it, is made complete when every file is undamaged. The meta "
               "server refuses further backups of the table until it is restarted.",
               true, arguments, verify);
  part->list_under(kVerbs, "reads every file of a backup and compares it with its metadata");
  part->add_option("--table", arguments->table, "only this table; default: all of the backup");
  auto* sidecars = part->add_flag(
      "--write-sidecars", arguments->write_sidecars,
      "for a local_service whose files were copied without the dot files: read the files without "
      "their sidecars, and write these where all files of a table are undamaged");
  part->add_option("--sample", arguments->sample,
                   "percentage of the files to read; only the size of the others is checked")
      ->capture_default_str()
      ->in_range(0.0, 100.0)
      ->excludes(sidecars);
  part->add_flag("--finish", arguments->finish,
                 "write backup_info when it is missing and every file is undamaged")
      ->excludes(sidecars);
  arguments = make();
  part = add_part(*verb, exit_code, "rm",
                  "Example: pegmove backups rm --store hdfs_x --backup 1742888751127 --yes\n\n"
                  "Removes a backup, or the remains of an unfinished one.",
                  true, arguments, remove);
  part->list_under(kVerbs, "removes a backup, or the remains of an unfinished one");
  part->add_flag("--yes", arguments->yes, "confirms the removal");
}

}  // namespace pegmove::apps
