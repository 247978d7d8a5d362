// load: has a cluster load the files of a split, and watches it.
#include <cstdio>

#include "apps/backup_stores.h"
#include "apps/journaled_run.h"
#include "apps/store_path.h"
#include "base/units.h"
#include "migration/load/load.h"

namespace pegmove::apps {
namespace {

using migration::LoadReport;
using migration::LoadRun;

struct LoadArguments {
  RunArguments run;
  std::string from, to, cluster, table;
  bool ingest_behind = false;
};

std::string to_text(const LoadReport& report) {
  std::string text = "Loaded table " + report.table + " (" + std::to_string(report.partitions) +
                     " partitions" + (report.behind ? ", behind newer writes" : "") + ") in " +
                     base::format_duration(report.elapsed);
  if (report.writes_held)
    text += "; writes were held for " + base::format_duration(*report.writes_held) +
            " a partition at most";
  text += ".\n";
  for (const auto& note : report.notes) text += "Note: " + note + ".\n";
  return text;
}

Task<int> work(CommandRun& run, const RunArguments& arguments, std::string id, LoadRun request,
               std::vector<std::string> notes) {
  auto cluster = CO_TRY(co_await run.connect(request.to_metas));
  co_return co_await carry_out(
      run, arguments, std::move(id),
      [&](auto& keeper, auto show) {
        return migration::run_load(
            keeper, std::move(cluster), std::move(request), std::move(notes), run.stop(),
            [show](const auto& progress) { show(migration::to_line(progress)); });
      },
      to_text);
}

Task<std::vector<std::string>> look_before(CommandRun& run, BackupStores& stores,
                                           const LoadRun& request) {
  auto cluster = CO_TRY(co_await run.connect(request.to_metas));
  co_return co_await migration::check_load(*cluster, request,
                                           CO_TRY(stores.find(request.load.provider)));
}

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
  auto stores = BackupStores::open(**run);
  if (!stores) return report(stores.error(), kUsage);
  LoadRun request{.to_metas = *metas,
                  .load = {.table = arguments.table,
                           .cluster = cluster,
                           .provider = from->store,
                           .path = from->path,
                           .ingest_behind = arguments.ingest_behind},
                  .timeout = (*run)->timeout()};
  (*run)->prepare();
  auto notes = (*run)->wait_for(look_before(**run, **stores, request));
  if (!notes) return report(notes.error(), kPreflightFailed);
  auto id = [&]() -> Result<std::string> {
    auto journal = TRY(open_journal(arguments.run.state, (*run)->clock()));
    return TRY(journal.begin({.method = std::string(migration::kLoadMethod),
                              .from = arguments.from,
                              .to = arguments.to,
                              .table = arguments.table,
                              .to_table = arguments.table,
                              .options = migration::to_json(request)}))
        .id;
  }();
  if (!id) return report(id.error());
  auto code =
      (*run)->wait_for(work(**run, arguments.run, *id, std::move(request), *std::move(notes)));
  return code ? *code : report(code.error());
}

}  // namespace

int resume_load(const RunArguments& arguments, const journal::Run& found) {
  auto request = migration::load_run_from_json(found.options);
  if (!request) return report(std::move(request).error().with_context("run " + found.id));
  auto run = CommandRun::start(arguments.common);
  if (!run) return report(run.error(), kUsage);
  auto code = (*run)->wait_for(work(**run, arguments, found.id, *std::move(request), {}));
  return code ? *code : report(code.error());
}

Result<void> cancel_load(const journal::Run& found) {
  auto request = TRY(in_context(migration::load_run_from_json(found.options), "run " + found.id));
  auto run = TRY(
      CommandRun::start({.config = "", .timeout = std::to_string(request.timeout.count()) + "ms"}));
  auto done = run->wait_for([](CommandRun& run, LoadRun request, std::string result) -> Task<> {
    auto cluster = CO_TRY(co_await run.connect(request.to_metas));
    co_return co_await migration::cancel_load(*cluster, std::move(request), std::move(result));
  }(*run, std::move(request), found.result));
  if (done || done.error().code() != Code::kRefused)
    return in_context(std::move(done), "ending the load on the cluster");
  std::fprintf(stderr, "pegmove: %s\n", done.error().message().c_str());
  return {};
}

void add_load_command(CLI::App& program, int& exit_code) {
  auto arguments = std::make_shared<LoadArguments>();
  auto* verb = add_verb(
      program, "load",
      "Example: pegmove load --from hdfs_x:/user/pegasus/split --to ClusterB --table TableB "
      "--ingest-behind\n\n"
      "Has a cluster load the files that `pegmove split` (or Spark) made for one of its tables, "
      "and "
      "watches it. Before, the table and the files are looked at; meanwhile the table's "
      "rocksdb.usage_scenario is bulk_load; in the end it is normal, and the meta servers' level "
      "is "
      "what it was (a load leaves it at steady).\n\n"
      "With --ingest-behind what clients have written to the table stays, deletes, too: the loaded "
      "rows lie behind it. Such a table is made with `create NAME -e "
      "rocksdb.allow_ingest_behind=true,rocksdb.usage_scenario=bulk_load`.\n\n"
      "Interrupted or killed, the cluster goes on by itself; `pegmove resume` watches it again. "
      "`pegmove cancel` ends the load while it downloads.");
  verb->add_option("--from", arguments->from,
                   "NAME:/folder of the files: the block service as the cluster's servers know it, "
                   "and the --to of the split")
      ->required();
  verb->add_option("--to", arguments->to, "cluster: a name of the config file, or host:port,...")
      ->required();
  verb->add_option("--table", arguments->table, "the table")->required();
  verb->add_option("--cluster", arguments->cluster,
                   "the cluster's folder below --from; default: what --to says");
  verb->add_flag("--ingest-behind", arguments->ingest_behind,
                 "what is in the table already is newer, and stays");
  add_state_option(*verb, arguments->run.state);
  add_common_options(*verb, arguments->run.common);
  verb->callback([arguments, &exit_code] { exit_code = load(*arguments); });
}

}  // namespace pegmove::apps
