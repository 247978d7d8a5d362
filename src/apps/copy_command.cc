// copy: row by row, or as files through a backup.
#include "apps/copy_options.h"
#include "apps/preflight_options.h"
#include "apps/process_ports.h"
#include "apps/runs.h"
#include "apps/split_limits.h"
#include "base/units.h"
#include "blockstore/path.h"
#include "migration/back_up_and_load.h"
#include "migration/copy/copy_table.h"

namespace pegmove::apps {
namespace {

using migration::CopyRequest;

struct CopyArguments {
  RunArguments run;
  std::string from, to, table, to_table;
  PreflightOptions preflight;
  std::string retry_for = "10m";
  std::string latency_bound = "200ms";
  CopyFilterArguments filter;
  int64_t max_rows_per_second = 0;
  int64_t max_megabytes_per_second = 0;
  bool full_speed = false;
  std::string store, path;  // with --through backup
  MachineArguments machine;
};

Result<CopyRequest> request_of(const CommandRun& run, const CopyArguments& arguments) {
  CopyRequest request{
      .from_metas = TRY(run.config().metas_text(arguments.from)),
      .to_metas = TRY(run.config().metas_text(arguments.to)),
      .options = {.table = arguments.table,
                  .to_table = arguments.to_table.empty() ? arguments.table : arguments.to_table,
                  .timeout = run.timeout()}};
  auto& options = request.options;
  TRY(check(arguments.preflight));
  apply(arguments.preflight, options);
  options.rules = TRY(parse_copy_rules(
      arguments.filter, options.live || options.through == migration::Through::kDuplicate));
  // No existing row is overwritten then.
  if (options.rules.mode == rows::WriteMode::kNoOverwrite) options.into_nonempty = true;
  if (options.live && !migration::copies_everything(options.rules))
    return fail(Code::kInvalidArgument,
                "--live ends with a verification of all rows: it cannot be combined with options "
                "that leave out rows or parts of rows");
  options.retry_for = TRY(in_context(base::parse_duration(arguments.retry_for), "--retry-for"));
  auto& throttle = request.throttle;
  throttle.latency_bound =
      TRY(in_context(base::parse_duration(arguments.latency_bound), "--latency-bound"));
  throttle.max_rows_per_second = arguments.max_rows_per_second;
  throttle.max_bytes_per_second = arguments.max_megabytes_per_second * 1'000'000;
  throttle.adaptive = !arguments.full_speed;
  return request;
}

// The folder of the cluster's files, one component of a path.
std::string folder_of(const std::string& cluster) {
  return blockstore::is_name(cluster) ? cluster : "target";
}

int copy_through_backup(CommandRun& run, const CopyArguments& arguments, CopyRequest request,
                        journal::NewRun names) {
  if (arguments.store.empty())
    return report(Error(Code::kInvalidArgument,
                        "--through backup needs --store: a [block_service.NAME] in the "
                        "configuration of both clusters and of pegmove"),
                  kUsage);
  if (!migration::copies_everything(request.options.rules))
    return report(Error(Code::kInvalidArgument,
                        "--through backup copies all rows: leave out the filters, or leave out "
                        "--through backup"),
                  kUsage);
  if (auto path = blockstore::check_path(arguments.path); !path)
    return report(std::move(path.error()).with_context("--path"), kUsage);
  auto limits = split_limits(arguments.machine);
  if (!limits) return report(limits.error(), kUsage);
  names.method = std::string(migration::kBackUpAndLoadMethod);
  const ProcessPorts ports(run);
  migration::BackUpAndLoad work({.copy = std::move(request),
                                 .store = arguments.store,
                                 .path = arguments.path,
                                 .cluster = folder_of(arguments.to),
                                 .split_path = "",
                                 .limits = *std::move(limits)},
                                ports.get(), arguments.from, arguments.to);
  return begin_run(run, arguments.run, work, std::move(names));
}

int copy(const CopyArguments& arguments) {
  auto run = CommandRun::start(arguments.run.common);
  if (!run) return report(run.error(), kUsage);
  auto request = request_of(**run, arguments);
  if (!request) return report(request.error(), kUsage);
  const journal::NewRun names{.method = std::string(migration::kCopyMethod),
                              .from = arguments.from,
                              .to = arguments.to,
                              .table = request->options.table,
                              .to_table = request->options.to_table};
  if (arguments.preflight.through_backup())
    return copy_through_backup(**run, arguments, *std::move(request), names);
  if (!arguments.store.empty() || !arguments.path.empty())
    return report(Error(Code::kInvalidArgument, "--store and --path need --through backup"),
                  kUsage);
  const ProcessPorts ports(**run);
  migration::CopyTable work(*std::move(request), ports.get(), arguments.from, arguments.to);
  return begin_run(**run, arguments.run, work, names);
}

void add_throttle_options(Verb& verb, CopyArguments& arguments) {
  verb.add_option("--max-rows-per-second", arguments.max_rows_per_second,
                  "limit of rows written per second; `pegmove set` changes it while the copy runs")
      ->in_range(int64_t(1), int64_t(1'000'000'000));
  verb.add_option("--max-megabytes-per-second", arguments.max_megabytes_per_second,
                  "limit of keys and values written per second, in units of 1,000,000 bytes; "
                  "`pegmove set` changes it while the copy runs")
      ->in_range(int64_t(1), int64_t(1'000'000));
  verb.add_option(
          "--latency-bound", arguments.latency_bound,
          "throttle the copy while a small request to one of the clusters takes longer than this")
      ->capture_default_str();
  verb.add_flag(
      "--full-speed", arguments.full_speed,
      "do not throttle the copy when a cluster answers slowly or reports that it is busy");
  verb.add_option(
          "--retry-for", arguments.retry_for,
          "how long to retry while a server is down or refuses requests, before the copy fails")
      ->capture_default_str();
}

void add_backup_options(Verb& verb, CopyArguments& arguments) {
  verb.add_option("--store", arguments.store,
                  "with --through backup: a [block_service.NAME] in the configuration of both "
                  "clusters and of pegmove");
  verb.add_option("--path", arguments.path,
                  "with --through backup: a folder in the store; default: its root");
  add_machine_options(verb, arguments.machine);
}

}  // namespace

void add_copy_command(Verb& program, int& exit_code) {
  auto arguments = std::make_shared<CopyArguments>();
  auto* verb = program.add_verb(
      "copy",
      "Example: pegmove copy --from A --to B --table t --create --partitions 16\n\n"
      "Copies every row of a table to a table of another cluster (or of the same), row by row, "
      "expiry included. Partition counts may differ. Rows that exist in the target are "
      "overwritten; rows that exist only in the target are kept. Stop writes to the source first, "
      "or use the result as a snapshot that is spread over the time of the copy. Verify the result "
      "with `pegmove verify`.\n\n"
      "Before it writes the first row, it runs all preflight checks (`pegmove check` does only "
      "that). When both clusters are in one [duplication-group], rows are written as duplication "
      "writes them, many to a request; alarms on lagging duplicated writes may be triggered "
      "then. Otherwise rows of one hash key are written by MULTI_PUT, or by PUT where there are so "
      "few that this is faster: both are timed while the copy runs, and the progress line and the "
      "report say which is used.\n\n"
      "The journal keeps the position of each partition. `pegmove resume` continues a copy that "
      "was interrupted, was killed, or failed; `pegmove list` and `pegmove status` show it, and "
      "`pegmove pause`, `set` and `cancel` steer it from another terminal. The copy throttles "
      "itself while a cluster answers slowly, and says so.\n\n"
      "--live fills a target that clients write to already, beside the source (dual writes) or "
      "through a duplication: their newer rows are kept. It cannot detect rows that clients remove "
      "during the copy, and cannot keep what INCR and CHECK_AND_* write. It therefore ends with a "
      "live verification, which repairs the rows that are proven different.\n\n"
      "--through backup --store NAME moves a big table as files instead: backup, split, bulk load "
      "and verification, as one run.");
  verb->list_under(kMoving, "copies the rows of a table to another cluster, or to another table");
  verb->add_option("--from", arguments->from,
                   "source cluster: a name in the config file, or host:port,...")
      ->required();
  verb->add_option("--to", arguments->to, "target cluster, named as --from")->required();
  verb->add_option("--table", arguments->table, "table to copy")->required();
  verb->add_option("--to-table", arguments->to_table,
                   "name of the target table; default: the same");
  add_preflight_options(*verb, arguments->preflight);
  add_copy_filter_options(*verb, arguments->filter);
  add_throttle_options(*verb, *arguments);
  add_backup_options(*verb, *arguments);
  add_run_options(*verb, arguments->run);
  verb->callback([arguments, &exit_code] { exit_code = copy(*arguments); });
}

}  // namespace pegmove::apps
