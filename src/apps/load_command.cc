// load: has a cluster load the files of a split, and watches it.
#include "apps/process_ports.h"
#include "apps/runs.h"
#include "apps/store_path.h"
#include "bulkload/layout.h"
#include "migration/load/load.h"

namespace pegmove::apps {
namespace {

struct LoadArguments {
  RunArguments run;
  std::string from, to, cluster, table;
  bool ingest_behind = false;
};

int load(const LoadArguments& arguments) {
  auto run = CommandRun::start(arguments.run.common);
  if (!run) return report(run.error(), kUsage);
  auto from = parse_store_path("--from", arguments.from);
  if (!from) return report(from.error(), kUsage);
  auto metas = (*run)->config().metas_text(arguments.to);
  if (!metas) return report(metas.error(), kUsage);
  const auto cluster = arguments.cluster.empty() ? arguments.to : arguments.cluster;
  if (auto place = bulkload::place_of(from->path, cluster, arguments.table); !place)
    return report(std::move(place.error()).with_context("--cluster"), kUsage);
  const ProcessPorts ports(**run);
  migration::Load work({.to_metas = *metas,
                        .load = {.table = arguments.table,
                                 .cluster = cluster,
                                 .provider = from->store,
                                 .path = from->path,
                                 .ingest_behind = arguments.ingest_behind},
                        .timeout = (*run)->timeout()},
                       ports.get());
  return begin_run(**run, arguments.run, work,
                   {.method = std::string(migration::kLoadMethod),
                    .from = arguments.from,
                    .to = arguments.to,
                    .table = arguments.table,
                    .to_table = arguments.table});
}

}  // namespace

void add_load_command(Verb& program, int& exit_code) {
  auto arguments = std::make_shared<LoadArguments>();
  auto* verb = program.add_verb(
      "load",
      "Example: pegmove load --from hdfs_x:/user/pegasus/split --to ClusterB --table TableB "
      "--ingest-behind\n\n"
      "Has a cluster load the files that `pegmove split` (or Spark) wrote for one of its tables, "
      "and watches it. The table and the files are checked first. During the load the table's "
      "rocksdb.usage_scenario is bulk_load; at the end it is set to normal, and the meta servers' "
      "function level is set back to what it was (a load leaves it at steady).\n\n"
      "With --ingest-behind, what clients have written to the table is kept, deletions included: "
      "the loaded rows are older. Create such a table with `create NAME -e "
      "rocksdb.allow_ingest_behind=true,rocksdb.usage_scenario=bulk_load`.\n\n"
      "When pegmove is interrupted or killed, the cluster continues by itself; `pegmove resume` "
      "watches it again. `pegmove cancel` ends the load while the cluster still downloads files.");
  verb->list_under(kMoving, "has a cluster load such files into a table, also behind newer writes");
  verb->add_option("--from", arguments->from,
                   "NAME:/folder of the files: a [block_service.NAME] in the configuration of the "
                   "cluster's servers, and the folder of the split's --to")
      ->required();
  verb->add_option("--to", arguments->to,
                   "target cluster: a name in the config file, or host:port,...")
      ->required();
  verb->add_option("--table", arguments->table, "table to load the files into")->required();
  verb->add_option("--cluster", arguments->cluster,
                   "the cluster's folder below --from; default: the value of --to");
  verb->add_flag("--ingest-behind", arguments->ingest_behind,
                 "keep what is in the table already: it is newer than the loaded rows");
  add_run_options(*verb, arguments->run);
  verb->callback([arguments, &exit_code] { exit_code = load(*arguments); });
}

}  // namespace pegmove::apps
