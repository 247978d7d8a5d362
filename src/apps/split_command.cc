// split: makes the files of a bulk load out of a cold backup, for any partition count.
#include <algorithm>
#include <array>
#include <filesystem>

#include "apps/copy_options.h"
#include "apps/process_ports.h"
#include "apps/runs.h"
#include "apps/split_limits.h"
#include "apps/store_path.h"
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
    return fail(Code::kInvalidArgument, "--file-size must be at least a byte");
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
                  "local, this machine does it; or spark, its executors do, each with this program")
      ->one_of({"local", "spark"})
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

void add_split_command(Verb& program, int& exit_code) {
  auto arguments = std::make_shared<SplitArguments>();
  auto* verb = program.add_verb(
      "split",
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
      ->in_range(int64_t(1), int64_t(INT64_MAX));
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
      ->in_range(1, 65536);
  verb->add_option("--app-id", arguments->app_id, "its id, where it cannot be asked")
      ->in_range(1, INT32_MAX);
  verb->add_option(
          "--data-version", arguments->data_version,
          "of its values, where its servers cannot be asked; 1 in every table of Pegasus 2, "
          "which is the default where the cluster is not in the config file")
      ->in_range(0, 1);
  verb->add_flag("--old-servers", arguments->old_servers,
                 "write files that servers of 2.0 to 2.4 can read, too, which takes longer; where "
                 "the cluster can be asked, it is found out");
  add_key_filter_options(*verb, arguments->filters);
  add_machine_options(*verb, arguments->machine);
  verb->add_option("--file-size", arguments->file_size,
                   "keys and values in a file, at most about; default 64MiB");
  add_spark_options(*verb, *arguments);
  add_run_options(*verb, arguments->run);
  verb->callback([arguments, &exit_code] { exit_code = split(*arguments); });
}

}  // namespace pegmove::apps
