// split: turns a cold backup into the files of a bulk load, for any partition count.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "apps/copy_options.h"
#include "apps/process_ports.h"
#include "apps/runs.h"
#include "apps/split_limits.h"
#include "apps/store_path.h"
#include "base/local_file.h"
#include "base/units.h"
#include "migration/split/split.h"
#include "spark/spark_units.h"

namespace pegmove::apps {
namespace {

using migration::SplitRequest;

struct SplitArguments {
  RunArguments run;
  std::string from, from_cluster, table, to, cluster, to_table;
  int64_t backup_id = 0;
  int32_t partitions = 0, app_id = 0;
  int data_version = -1;
  bool old_servers = false;
  MachineArguments machine;
  std::string file_size = "64MiB";
  std::string engine = "local";
  migration::SparkOptions spark;
  KeyFilterArguments filters;
};

// A backup, or a cluster.
struct Origin {
  StorePath backup = {};
  std::string metas = {};
};

Result<Origin> origin_of(const SplitArguments& arguments, const CommandRun& run) {
  if (arguments.from.empty() == arguments.from_cluster.empty())
    return fail(Code::kInvalidArgument,
                "give either --from, the folder of a backup, or --from-cluster, a cluster to scan");
  if (!arguments.from.empty())
    return Origin{.backup = TRY(parse_store_path("--from", arguments.from))};
  if (arguments.backup_id > 0)
    return fail(Code::kInvalidArgument,
                "--backup needs --from; it cannot be combined with --from-cluster");
  return Origin{.metas = TRY(run.config().metas_text(arguments.from_cluster))};
}

// Settings are kept in the journal, and are visible in the list of processes.
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
    return fail(Code::kInvalidArgument, "--master and --spark-... need --engine spark");
  }
  if (spark.master.empty())
    return fail(Code::kInvalidArgument,
                "--engine spark needs --master: yarn, spark://host:7077, k8s://... or local[2]");
  for (const auto& setting : spark.conf)
    if (looks_secret(setting))
      return fail(Code::kInvalidArgument,
                  fmt::format("--spark-conf {} looks like a secret, and the journal would keep it; "
                              "put it into a file and give that with --spark-properties",
                              setting.substr(0, setting.find('='))));
  spark.submit = TRY(spark::submit_program(spark.submit));
  std::error_code error;
  if (!spark.properties.empty() && !std::filesystem::is_regular_file(spark.properties, error))
    return fail(
        Code::kInvalidArgument,
        fmt::format("--spark-properties {} is not a file on this machine", spark.properties));
  if (!spark.properties.empty()) spark.properties = TRY(base::absolute_path(spark.properties));
  return spark;
}

Result<SplitRequest> request_of(const SplitArguments& arguments, const Origin& from,
                                const StorePath& to) {
  SplitRequest request{.from_store = from.backup.store,
                       .from_metas = from.metas,
                       .from = {.root = "", .table = arguments.table},
                       .to_store = to.store,
                       .to = TRY(bulkload::place_of(
                           to.path, arguments.cluster,
                           arguments.to_table.empty() ? arguments.table : arguments.to_table)),
                       .to_app_id = arguments.app_id,
                       .to_partitions = arguments.partitions,
                       .filters = TRY(parse_key_filters(arguments.filters)),
                       .most_file_bytes = int64_t(
                           TRY(in_context(base::parse_size(arguments.file_size), "--file-size"))),
                       .for_old_servers = arguments.old_servers,
                       .limits = TRY(split_limits(arguments.machine))};
  request.spark = TRY(spark_of(arguments));
  if (request.most_file_bytes < 1)
    return fail(Code::kInvalidArgument, "--file-size must be at least 1 byte");
  return request;
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
  const ProcessPorts ports(**run);
  const auto target = (*run)->config().metas_text(arguments.cluster);
  const auto to_table = request->to.table;
  migration::Split work(*std::move(request), ports.get(),
                        migration::SplitQuestions{.path = from->backup.path,
                                                  .backup_id = arguments.backup_id,
                                                  .target_metas = target ? *target : "",
                                                  .data_version = arguments.data_version});
  return begin_run(**run, arguments.run, work,
                   {.method = std::string(migration::kSplitMethod),
                    .from = arguments.from + arguments.from_cluster,
                    .to = arguments.to,
                    .table = arguments.table,
                    .to_table = to_table});
}

void add_spark_options(Verb& verb, SplitArguments& arguments) {
  constexpr const char* kSpark = "On a Spark cluster (spark/README.md)";
  verb.add_option("--engine", arguments.engine,
                  "what does the work: local (this machine) or spark (its executors, each with "
                  "this program)")
      ->one_of({"local", "spark"})
      ->group(kSpark);
  verb.add_option("--master", arguments.spark.master,
                  "Spark's master: yarn, spark://host:7077, k8s://..., local[2]")
      ->group(kSpark);
  verb.add_option("--spark-submit", arguments.spark.submit,
                  "the program spark-submit; default: $SPARK_HOME/bin/spark-submit, or "
                  "spark-submit in PATH")
      ->group(kSpark);
  verb.add_option("--spark-conf", arguments.spark.conf,
                  "a setting for Spark, KEY=VALUE, nothing secret; may be given several times")
      ->group(kSpark);
  verb.add_option("--spark-properties", arguments.spark.properties,
                  "a file of settings for Spark; put secrets there")
      ->group(kSpark);
}

}  // namespace

void add_split_command(Verb& program, int& exit_code) {
  auto arguments = std::make_shared<SplitArguments>();
  auto* verb = program.add_verb(
      "split",
      "Example: pegmove split --from hdfs_x:/user/pegasus/backup --backup 1742888751127 "
      "--table single --to hdfs_x:/user/pegasus/split --cluster ClusterB --to-table "
      "TableB --partitions 64\n\n"
      "Turns a cold backup into the files of a bulk load, for any partition count. Then "
      "`pegmove load` has the target cluster load them. No cluster takes part in the "
      "split: this machine reads the backup and writes the files, each row once, without "
      "sorting the rows again. Rows keep their expiry and their timetag.\n\n"
      "After an interruption or a kill, `pegmove resume` continues with the units that "
      "are not done.");
  verb->add_option("--from", arguments->from,
                   "NAME:/folder of the backup: a [block_service.NAME] in the config file, and the "
                   "folder that contains the backup's id, or its parent");
  verb->add_option(
      "--from-cluster", arguments->from_cluster,
      "scan the table of this cluster instead of reading a backup; for clusters without a store "
      "for backups. Rows that clients write during the scan may be missing");
  verb->add_option("--backup", arguments->backup_id,
                   "id of the backup; default: the newest complete one")
      ->in_range(int64_t(1), int64_t(INT64_MAX));
  verb->add_option("--table", arguments->table, "table of the backup, or of --from-cluster")
      ->required();
  verb->add_option("--to", arguments->to, "NAME:/folder for the files")->required();
  verb->add_option("--cluster", arguments->cluster,
                   "the cluster that will load the files: names the folder below --to. When the "
                   "config file has this cluster, it is asked about its table")
      ->required();
  verb->add_option("--to-table", arguments->to_table,
                   "the table that the files are for; default: the same name");
  verb->add_option("--partitions", arguments->partitions,
                   "partition count of that table; needed when the cluster cannot be asked")
      ->in_range(1, 65536);
  verb->add_option("--app-id", arguments->app_id,
                   "id of that table; needed when the cluster cannot be asked")
      ->in_range(1, INT32_MAX);
  verb->add_option(
          "--data-version", arguments->data_version,
          "data version of that table's values, when its servers cannot be asked; 1 in every table "
          "of Pegasus 2, and 1 is the default when the cluster is not in the config file")
      ->in_range(0, 1);
  verb->add_flag("--old-servers", arguments->old_servers,
                 "write files that servers of Pegasus 2.0 to 2.4 can read too, which takes longer; "
                 "set automatically when the cluster can be asked");
  add_key_filter_options(*verb, arguments->filters);
  add_machine_options(*verb, arguments->machine);
  verb->add_option("--file-size", arguments->file_size,
                   "approximate limit of keys and values in one file; default: 64MiB");
  add_spark_options(*verb, *arguments);
  add_run_options(*verb, arguments->run);
  verb->callback([arguments, &exit_code] { exit_code = split(*arguments); });
}

}  // namespace pegmove::apps
