// split: makes the files of a bulk load out of a cold backup, for any partition count.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <thread>

#include "apps/backup_stores.h"
#include "apps/copy_options.h"
#include "apps/die_at.h"
#include "apps/journaled_run.h"
#include "apps/split_origin.h"
#include "apps/store_path.h"
#include "backup/reader.h"
#include "base/local_file.h"
#include "base/units.h"
#include "inspect/gather.h"
#include "migration/split/split.h"
#include "spark/spark_units.h"

namespace pegmove::apps {
namespace {

using base::format_count;
using base::format_size;
using migration::SplitReport;
using migration::SplitRequest;

struct SplitArguments {
  RunArguments run;
  std::string from, from_cluster, table, to, cluster, to_table;
  int64_t backup_id = 0;
  int32_t partitions = 0, app_id = 0;
  int data_version = -1, workers = 0;
  bool old_servers = false;
  std::string memory = "256MiB", disk = "8GiB", file_size = "64MiB", work_folder;
  std::string engine = "local";
  migration::SparkOptions spark;
  KeyFilterArguments filters;
  std::string die_at;  // for tests
};

std::string to_text(const SplitReport& report) {
  const auto& counts = report.counts;
  std::string text = "Split into " + std::to_string(report.partitions) + " partitions of table " +
                     report.place.table + ": " + format_count(uint64_t(counts.written)) +
                     " rows in " + format_count(uint64_t(report.files)) + " files, " +
                     format_size(uint64_t(report.file_bytes)) + ", in " +
                     base::format_duration(report.elapsed) + ".\n";
  const std::pair<int64_t, const char*> left_out[] = {
      {counts.expired, "had expired"},
      {counts.misplaced, "did not belong to their partition (an old partition split left them)"},
      {counts.filtered, "were not wanted"}};
  for (const auto& [count, why] : left_out)
    if (count > 0)
      text += "Left out: " + format_count(uint64_t(count)) + " rows that " + why + ".\n";
  if (report.empty_partitions > 0)
    text += std::to_string(report.empty_partitions) +
            " partitions have no rows, and one file with a record that nobody sees: servers load "
            "nothing else.\n";
  return text + "Load it with: start_bulk_load -a " + report.place.table + " -c " +
         report.place.cluster + " -p " + report.store + " -r /" + report.place.root + "\n";
}

// A backup, or a cluster.
struct Origin {
  StorePath backup = {};
  std::string metas = {};
};

Result<Origin> origin_of(const SplitArguments& arguments, const CommandRun& run) {
  if (arguments.from.empty() == arguments.from_cluster.empty())
    return fail(Code::kInvalidArgument,
                "give --from, the folder of a backup, or --from-cluster, a cluster to scan");
  if (!arguments.from.empty())
    return Origin{.backup = TRY(parse_store_path("--from", arguments.from))};
  if (arguments.backup_id > 0)
    return fail(Code::kInvalidArgument, "--backup goes with --from, not with --from-cluster");
  return Origin{.metas = TRY(run.config().metas_text(arguments.from_cluster))};
}

// Settings are kept in the journal, and are seen in the list of processes.
bool looks_secret(const std::string& setting) {
  const auto name = setting.substr(0, setting.find('='));
  return std::ranges::any_of(
      std::array{"secret", "password", "token", "credential", "access.key", "accessKey"},
      [&](const char* word) { return name.contains(word); });
}

Result<migration::SparkOptions> spark_of(const SplitArguments& arguments) {
  auto spark = arguments.spark;
  if (arguments.engine != "spark") {
    if (spark.master.empty() && spark.submit.empty() && spark.properties.empty() &&
        spark.conf.empty())
      return spark;
    return fail(Code::kInvalidArgument, "--master and --spark-... go with --engine spark");
  }
  if (spark.master.empty())
    return fail(Code::kInvalidArgument,
                "--engine spark needs --master: yarn, spark://host:7077, k8s://... or local[2]");
  for (const auto& setting : spark.conf)
    if (looks_secret(setting))
      return fail(Code::kInvalidArgument,
                  "--spark-conf " + setting.substr(0, setting.find('=')) +
                      " looks like a secret, and the journal would keep it; put it into a file for "
                      "--spark-properties");
  spark.submit = TRY(spark::submit_program(spark.submit));
  std::error_code error;
  if (!spark.properties.empty() && !std::filesystem::is_regular_file(spark.properties, error))
    return fail(Code::kInvalidArgument,
                "--spark-properties " + spark.properties + " is no file of this machine");
  if (!spark.properties.empty())
    spark.properties = std::filesystem::absolute(spark.properties).string();
  return spark;
}

// In the system's temporary folder others could put one there first.
Result<std::string> own_folder(const std::filesystem::path& above) {
  const auto folder = (above / ("pegmove-" + std::to_string(geteuid()))).string();
  struct stat found{};
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    return fail(base::system_error("making", folder, errno));
  if (lstat(folder.c_str(), &found) != 0)
    return fail(base::system_error("looking at", folder, errno));
  if (!S_ISDIR(found.st_mode) || found.st_uid != geteuid() || (found.st_mode & 077) != 0)
    return fail(Code::kInvalidArgument, folder +
                                            " is not a folder of yours alone; remove it, or name "
                                            "another place with --work-dir");
  return folder;
}

Result<std::string> work_folder_of(const std::string& given) {
  if (given.empty()) return TRY(own_folder(std::filesystem::temp_directory_path())) + "/split";
  std::error_code error;
  if (!std::filesystem::is_directory(given, error))
    return fail(Code::kInvalidArgument, "--work-dir " + given + " is no folder of this machine");
  return (std::filesystem::absolute(given) / "pegmove-split").string();
}

Result<SplitRequest> request_of(const SplitArguments& arguments, const Origin& from,
                                const StorePath& to) {
  SplitRequest request{
      .from_store = from.backup.store,
      .from_metas = from.metas,
      .to_store = to.store,
      .to = TRY(
          bulkload::place_of(to.path, arguments.cluster,
                             arguments.to_table.empty() ? arguments.table : arguments.to_table)),
      .to_app_id = arguments.app_id,
      .to_partitions = arguments.partitions,
      .data_version = arguments.data_version < 0 ? 1 : arguments.data_version,
      .filters = TRY(parse_key_filters(arguments.filters)),
      .most_file_bytes =
          int64_t(TRY(in_context(base::parse_size(arguments.file_size), "--file-size"))),
      .for_old_servers = arguments.old_servers,
      .limits = {
          .units_at_once = arguments.workers > 0
                               ? arguments.workers
                               : std::max(1, int(std::thread::hardware_concurrency())),
          .memory_bytes = int64_t(TRY(in_context(base::parse_size(arguments.memory), "--memory"))),
          .disk_bytes = int64_t(TRY(in_context(base::parse_size(arguments.disk), "--disk")))}};
  request.spark = TRY(spark_of(arguments));
  if (request.most_file_bytes < 1)
    return fail(Code::kInvalidArgument, "--file-size must be at least a byte");
  request.limits.work_folder = TRY(work_folder_of(arguments.work_folder));
  return request;
}

// The table that will be loaded, as its cluster knows it, where it can be asked.
Task<> ask_target(CommandRun& run, const SplitArguments& arguments, SplitRequest& request) {
  auto metas = run.config().metas_text(request.to.cluster);
  if (!metas) {
    if (request.to_app_id > 0 && request.to_partitions > 0) co_return Result<void>();
    co_return fail(Code::kInvalidArgument,
                   "cluster '" + request.to.cluster +
                       "' is not in the config file, so that the table cannot be asked about; give "
                       "--app-id and --partitions, as `app " +
                       request.to.table + "` shows them on it");
  }
  auto cluster = CO_TRY(co_await run.connect(*metas));
  const auto deadline = [&] { return Deadline::in(run.clock(), run.timeout()); };
  const auto table = CO_TRY(in_context(co_await cluster->table_info(request.to.table, deadline()),
                                       "the table that will be loaded must exist"));
  const auto check = [&](const char* option, bool is_given, int32_t& given,
                         int32_t real) -> Result<void> {
    if (is_given && given != real)
      return fail(Code::kInvalidArgument, std::string(option) + " " + std::to_string(given) +
                                              ": table '" + request.to.table + "' of cluster '" +
                                              request.to.cluster + "' has " + std::to_string(real));
    given = real;
    return {};
  };
  CO_TRY(check("--partitions", arguments.partitions > 0, request.to_partitions,
               table.partition_count));
  CO_TRY(check("--app-id", arguments.app_id > 0, request.to_app_id, table.app_id));
  if (!request.for_old_servers) {
    const auto older = CO_TRY(co_await inspect::find_older_server(*cluster, 2, 5, run.timeout()));
    request.for_old_servers = older.has_value();
    if (older) std::fprintf(stderr, "pegmove: files for servers before 2.5: %s\n", older->c_str());
  }
  auto version = co_await inspect::data_version_of(*cluster, table.app_id, deadline());
  // Whoever gives it knows what a server would not tell.
  if (!version && arguments.data_version < 0)
    co_return fail(std::move(version.error()).with_context("without --data-version"));
  if (!version) co_return Result<void>();
  co_return check("--data-version", arguments.data_version >= 0, request.data_version, *version);
}

// `path`: of the backup.
Task<splitter::SplitPlan> look_before(CommandRun& run, BackupStores& stores,
                                      const SplitArguments& arguments, std::string path,
                                      SplitRequest& request) {
  auto target = CO_TRY(stores.get(request.to_store));
  request.from.table = arguments.table;
  auto origin = CO_TRY(co_await open_split_origin(run, stores, request));
  if (origin.store) {
    request.from = CO_TRY(co_await backup::find_backup(*origin.store, std::move(path),
                                                       arguments.backup_id, arguments.table));
    request.from_partitions =
        CO_TRY(co_await backup::read_table(*origin.store, request.from)).partition_count;
  } else {
    request.from.app_id = origin.table->app_id();
    request.from_partitions = origin.table->partition_count();
  }
  CO_TRY(co_await ask_target(run, arguments, request));
  co_return co_await migration::check_split(request, std::move(origin), std::move(target));
}

// The block services that executors need.
Result<blockstore::Providers> stores_of(CommandRun& run, const SplitRequest& request) {
  auto providers = TRY(block_services(run.config().sections()));
  std::erase_if(providers, [&](const auto& each) {
    return each.first != request.from_store && each.first != request.to_store;
  });
  return providers;
}

Task<int> work(CommandRun& run, BackupStores& stores, const RunArguments& arguments, std::string id,
               SplitRequest request, std::optional<splitter::SplitPlan> plan,
               backup::StepListener on_step) {
  auto origin = CO_TRY(co_await open_split_origin(run, stores, request));
  auto target = CO_TRY(stores.get(request.to_store));
  std::optional<async::Pool> pool;
  std::optional<spark::SparkUnits> on_spark;
  if (!request.spark.master.empty()) {
    pool.emplace(1);
    on_spark.emplace(CO_TRY(stores_of(run, request)), *pool);
  }
  auto* engine = on_spark ? &*on_spark : nullptr;
  co_return co_await carry_out(
      run, arguments, std::move(id),
      [&](auto& keeper, auto show) {
        return migration::run_split(
            keeper, std::move(request), std::move(plan), std::move(origin), std::move(target),
            engine, run.stop(),
            [show](const auto& progress) { show(migration::to_line(progress)); },
            std::move(on_step));
      },
      to_text);
}

int split(const SplitArguments& arguments) {
  auto run = CommandRun::start(arguments.run.common);
  if (!run) return report(run.error(), kUsage);
  auto from = origin_of(arguments, **run);
  if (!from) return report(from.error(), kUsage);
  auto to = parse_store_path("--to", arguments.to);
  if (!to) return report(to.error(), kUsage);
  auto request = request_of(arguments, *from, *to);
  if (!request) return report(request.error(), kUsage);
  auto on_step = die_at(arguments.die_at);
  if (!on_step) return report(on_step.error(), kUsage);
  auto stores = BackupStores::open(**run, request->limits.units_at_once + 5);
  if (!stores) return report(stores.error(), kUsage);
  (*run)->prepare();
  auto plan =
      (*run)->wait_for(look_before(**run, **stores, arguments, from->backup.path, *request));
  if (!plan) return report(plan.error(), kPreflightFailed);
  auto id = [&]() -> Result<std::string> {
    auto journal = TRY(open_journal(arguments.run.state, (*run)->clock()));
    return TRY(journal.begin({.method = std::string(migration::kSplitMethod),
                              .from = arguments.from + arguments.from_cluster,
                              .to = arguments.to,
                              .table = arguments.table,
                              .to_table = request->to.table,
                              .options = migration::to_json(*request)}))
        .id;
  }();
  if (!id) return report(id.error());
  auto code = (*run)->wait_for(work(**run, **stores, arguments.run, *id, *std::move(request),
                                    *std::move(plan), *std::move(on_step)));
  return code ? *code : report(code.error());
}

void add_spark_options(CLI::App& verb, SplitArguments& arguments) {
  constexpr const char* kSpark = "On a Spark cluster (spark/README.md)";
  verb.add_option("--engine", arguments.engine,
                  "local, this machine does it; or spark, its executors do, each with this program")
      ->check(CLI::IsMember({"local", "spark"}))
      ->group(kSpark);
  verb.add_option("--master", arguments.spark.master,
                  "of Spark: yarn, spark://host:7077, k8s://..., local[2]")
      ->group(kSpark);
  verb.add_option("--spark-submit", arguments.spark.submit,
                  "its program; default: $SPARK_HOME/bin/spark-submit, or that in PATH")
      ->group(kSpark);
  verb.add_option("--spark-conf", arguments.spark.conf,
                  "KEY=VALUE for Spark, nothing secret; may be given several times")
      ->group(kSpark);
  verb.add_option("--spark-properties", arguments.spark.properties,
                  "a file of settings for Spark; secrets go there")
      ->group(kSpark);
}

}  // namespace

Task<migration::RowOrigin> open_split_origin(CommandRun& run, BackupStores& stores,
                                             const SplitRequest& request) {
  if (request.from_metas.empty())
    co_return migration::RowOrigin{.store = CO_TRY(stores.get(request.from_store))};
  auto cluster = CO_TRY(co_await run.connect(request.from_metas));
  co_return migration::RowOrigin{
      .table = CO_TRY(co_await client::Table::open(std::move(cluster), request.from.table,
                                                   Deadline::in(run.clock(), run.timeout())))};
}

int resume_split(const RunArguments& arguments, const journal::Run& found) {
  auto request = migration::split_request_from_json(found.options);
  if (!request) return report(std::move(request).error().with_context("run " + found.id));
  auto run = CommandRun::start(arguments.common);
  if (!run) return report(run.error(), kUsage);
  auto stores = BackupStores::open(**run, request->limits.units_at_once + 5);
  if (!stores) return report(stores.error(), kUsage);
  auto code = (*run)->wait_for(
      work(**run, **stores, arguments, found.id, *std::move(request), std::nullopt, {}));
  return code ? *code : report(code.error());
}

void add_split_command(CLI::App& program, int& exit_code) {
  auto arguments = std::make_shared<SplitArguments>();
  auto* verb = add_verb(
      program, "split",
      "Example: pegmove split --from hdfs_x:/user/pegasus/backup --backup 1742888751127 --table "
      "single --to hdfs_x:/user/pegasus/split --cluster ClusterB --to-table TableB --partitions "
      "64\n\n"
      "Turns a cold backup into the files of a bulk load, for any partition count: the other "
      "cluster's servers load them (start_bulk_load). No cluster is at work meanwhile; this "
      "machine "
      "reads the backup and writes the files, a row once, without sorting them anew. Rows keep "
      "their expiry and their timetag.\n\n"
      "Interrupted or killed, `pegmove resume` goes on with the parts that are not done.");
  verb->add_option("--from", arguments->from,
                   "NAME:/folder of the backup: a [block_service.NAME] of the config file, and the "
                   "folder that holds the backup's id, or the one above");
  verb->add_option("--from-cluster", arguments->from_cluster,
                   "instead of a backup: scan the table of this cluster, where there is no store "
                   "for backups. Rows that clients write meanwhile may be missing");
  verb->add_option("--backup", arguments->backup_id,
                   "the backup's id; default: the newest whole one")
      ->check(CLI::Range(int64_t(1), int64_t(INT64_MAX)));
  verb->add_option("--table", arguments->table, "table of the backup, or of --from-cluster")
      ->required();
  verb->add_option("--to", arguments->to, "NAME:/folder for the files")->required();
  verb->add_option("--cluster", arguments->cluster,
                   "the cluster that will load them: the folder below --to; where the config file "
                   "knows it, its table is asked about")
      ->required();
  verb->add_option("--to-table", arguments->to_table,
                   "the table that will be loaded; default: the same name");
  verb->add_option("--partitions", arguments->partitions,
                   "its partition count, where it cannot be asked")
      ->check(CLI::Range(1, 65536));
  verb->add_option("--app-id", arguments->app_id, "its id, where it cannot be asked")
      ->check(CLI::Range(1, INT32_MAX));
  verb->add_option(
          "--data-version", arguments->data_version,
          "of its values, where its servers cannot be asked; 1 in every table of Pegasus 2, "
          "which is the default where the cluster is not in the config file")
      ->check(CLI::Range(0, 1));
  verb->add_flag("--old-servers", arguments->old_servers,
                 "write files that servers of 2.0 to 2.4 can read, too, which takes longer; where "
                 "the cluster can be asked, it is found out");
  add_key_filter_options(*verb, arguments->filters);
  constexpr const char* kMachine = "What this machine may use";
  verb->add_option("--workers", arguments->workers, "parts at once; default: one a core")
      ->check(CLI::Range(1, 256))
      ->group(kMachine);
  verb->add_option("--memory", arguments->memory, "for buffers; default 256MiB")->group(kMachine);
  verb->add_option("--disk", arguments->disk,
                   "for files on their way, below --work-dir; default 8GiB")
      ->group(kMachine);
  verb->add_option("--file-size", arguments->file_size,
                   "keys and values in a file, at most about; default 64MiB")
      ->group(kMachine);
  verb->add_option("--work-dir", arguments->work_folder,
                   "default: a folder of yours in the system's temporary folder")
      ->group(kMachine);
  add_spark_options(*verb, *arguments);
  verb->add_option("--die-at", arguments->die_at)->group("");
  add_state_option(*verb, arguments->run.state);
  add_common_options(*verb, arguments->run.common);
  verb->callback([arguments, &exit_code] { exit_code = split(*arguments); });
}

}  // namespace pegmove::apps
