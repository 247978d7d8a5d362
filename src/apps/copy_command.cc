// copy: begins a run, and works on it; resume goes on with it in the same way.
#include <cstdio>

#include "apps/compare_arguments.h"
#include "apps/copy_options.h"
#include "apps/copy_view.h"
#include "apps/preflight_options.h"
#include "apps/runs.h"
#include "base/units.h"
#include "migration/copy/copy_run.h"

namespace pegmove::apps {
namespace {

using async::milliseconds;
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
};

// Says what was found; notes only to those who want to see progress.
void print_findings(const migration::Preflight& preflight, bool quiet) {
  for (const auto& finding : preflight.result.findings.all)
    if (!quiet || finding.severity != inspect::Severity::kNote)
      std::fprintf(stderr, "pegmove: %s\n", inspect::to_line(finding).c_str());
}

Task<std::unique_ptr<migration::RunKeeper>> take_run(CommandRun& run, std::string path,
                                                     std::string id) {
  co_return co_await migration::RunKeeper::take(run.context().get_executor(), run.clock(),
                                                std::move(path), std::move(id), run.stop());
}

// A live copy whose verification found what could not be mended is not done: the next process
// verifies again.
Result<void> check_live(const migration::CopyReport& report) {
  if (!report.live || report.live->source_is_there()) return {};
  return fail(Code::kRefused, "all rows are copied, but the verification found some that differ");
}

Result<std::unique_ptr<migration::RunKeeper>> lock_run(CommandRun& run, const std::string& state,
                                                       const std::string& id) {
  return run.wait_for(take_run(run, TRY(journal_path(state)), id));
}

// Works on a run until it ends, in whatever way, and says how it ended.
int work_on(CommandRun& run, const RunArguments& arguments, const std::string& id,
            std::unique_ptr<migration::RunKeeper> keeper, migration::Preflight preflight,
            const rows::PaceOptions& pace) {
  run.begin_work();
  const CopyEnds ends{preflight.source_cluster->name(), preflight.options.table,
                      preflight.target_cluster->name(), preflight.options.to_table};
  auto copied = [&] {
    ProgressLine line(arguments.common.quiet);
    migration::CopyRunEvents events{.on_copy = show_copy_on(line),
                                    .on_verify = show_comparison(line, "verifying")};
    return run.wait_for(
        migration::run_copy(*keeper, std::move(preflight), pace, run.stop(), std::move(events)));
  }();
  std::optional<std::string> result;
  auto outcome = copied ? check_live(*copied) : fail(copied.error());
  if (outcome) result = to_json(*copied, id, ends).dump();
  auto end = run.wait_for(keeper->end(outcome, std::move(result)));
  if (!end) return report(end.error());
  if (!copied) return report_end(id, arguments, *end);
  auto text =
      arguments.common.json ? to_json(*copied, id, ends).dump(2) + "\n" : to_text(*copied, ends);
  std::fputs(text.c_str(), stdout);
  if (outcome) return kDone;
  report_end(id, arguments, *end);
  return kTablesDiffer;
}

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
  // Nothing that stands there is lost then.
  if (options.rules.mode == rows::WriteMode::kNoOverwrite) options.into_nonempty = true;
  if (options.live && !migration::copies_everything(options.rules))
    return fail(Code::kInvalidArgument,
                "--live ends with a verification of all rows: it cannot go with options that leave "
                "out rows, or a part of them");
  options.retry_for = TRY(in_context(base::parse_duration(arguments.retry_for), "--retry-for"));
  auto& pace = request.pace;
  pace.latency_bound =
      TRY(in_context(base::parse_duration(arguments.latency_bound), "--latency-bound"));
  pace.max_rows_per_second = arguments.max_rows_per_second;
  pace.max_bytes_per_second = arguments.max_megabytes_per_second * 1'000'000;
  pace.adaptive = !arguments.full_speed;
  return request;
}

// Writes the new run to the journal before anything is changed.
Result<std::string> begin_run(CommandRun& run, const CopyArguments& arguments,
                              const CopyRequest& request) {
  auto journal = TRY(open_journal(arguments.run.state, run.clock()));
  auto begun = TRY(journal.begin({.method = std::string(migration::kCopyMethod),
                                  .from = arguments.from,
                                  .to = arguments.to,
                                  .table = request.options.table,
                                  .to_table = request.options.to_table,
                                  .options = migration::to_json(request)}));
  return begun.id;
}

int copy(const CopyArguments& arguments) {
  auto run = CommandRun::start(arguments.run.common);
  if (!run) return report(run.error(), kUsage);
  auto request = request_of(**run, arguments);
  if (!request) return report(request.error(), kUsage);
  (*run)->prepare();
  auto preflight =
      (*run)->wait_for(look_before_copy(**run, arguments.from, arguments.to, request->options));
  print_findings(preflight, arguments.run.common.quiet);
  if (!preflight.can_begin()) return kPreflightFailed;
  const auto& duplicate = preflight.result.method.duplicate;
  preflight.options.duplicate = request->options.duplicate = duplicate;
  auto id = begin_run(**run, arguments, *request);
  if (!id) return report(id.error());
  auto keeper = lock_run(**run, arguments.run.state, *id);
  if (!keeper) return report(keeper.error());
  announce(*id, arguments.run);
  return work_on(**run, arguments.run, *id, *std::move(keeper), std::move(preflight),
                 request->pace);
}

}  // namespace

int resume_copy(const RunArguments& arguments, const journal::Run& found) {
  auto request = migration::copy_request_from_json(found.options);
  if (!request) return report(std::move(request).error().with_context("run " + found.id));
  auto run = CommandRun::start(arguments.common);
  if (!run) return report(run.error(), kUsage);
  // Before the look, so that nobody who pauses or cancels the run finds it idle meanwhile.
  auto keeper = lock_run(**run, arguments.state, found.id);
  if (!keeper) return report(keeper.error());
  (*run)->prepare();
  auto preflight =
      (*run)->wait_for(look_before_copy(**run, request->from_metas, request->to_metas,
                                        migration::options_to_go_on((*keeper)->run(), *request)));
  print_findings(preflight, arguments.common.quiet);
  if (!preflight.can_begin()) return kPreflightFailed;
  announce(found.id, arguments);
  return work_on(**run, arguments, found.id, *std::move(keeper), std::move(preflight),
                 request->pace);
}

namespace {

void add_pace_options(CLI::App& verb, CopyArguments& arguments) {
  verb.add_option("--max-rows-per-second", arguments.max_rows_per_second,
                  "write no more rows a second than this; can be changed while the copy runs with "
                  "`pegmove set`")
      ->check(CLI::Range(int64_t(1), int64_t(1'000'000'000)));
  verb.add_option("--max-megabytes-per-second", arguments.max_megabytes_per_second,
                  "write no more than this, in 1,000,000 bytes of keys and values; the same")
      ->check(CLI::Range(int64_t(1), int64_t(1'000'000)));
  verb.add_option("--latency-bound", arguments.latency_bound,
                  "slow down while a small request to one of the clusters takes longer than this")
      ->capture_default_str();
  verb.add_flag("--full-speed", arguments.full_speed,
                "do not slow down when a cluster answers slowly, or that it is busy");
  verb.add_option("--retry-for", arguments.retry_for,
                  "how long a server may be away or refuse before the copy fails")
      ->capture_default_str();
}

}  // namespace

void add_copy_command(CLI::App& program, int& exit_code) {
  auto arguments = std::make_shared<CopyArguments>();
  auto* verb =
      add_verb(program, "copy",
               "Example: pegmove copy --from A --to B --table t --create --partitions 16\n\n"
               "Copies every row of a table to a table of another cluster (or of the same), row by "
               "row, expiry included. Partition counts may differ. Rows that exist in the target "
               "are overwritten, rows that only the target has stay. Stop writes to the source "
               "first, or use the result as a snapshot that is spread over the time of the copy. "
               "Prove the result with `pegmove verify`.\n\n"
               "Before the first row it looks at both clusters and says everything that stands in "
               "the way at once (`pegmove check` does only that). Where both clusters are in one "
               "[duplication-group], rows are written as duplication writes them, many to a "
               "request; alarms on lagging duplicated writes may go off then.\n\n"
               "How far it is stands in the journal. Interrupted, killed or failed it goes on with "
               "`pegmove resume`; `pegmove list` and `pegmove status` tell of it, and `pegmove "
               "pause`, `set` and `cancel` steer it from elsewhere. It slows down by itself while "
               "the clusters answer slowly, and says so.\n\n"
               "--live fills a target that clients write to already, beside the source (dual "
               "writes) or by a duplication: newer rows of theirs stay. It cannot know of rows "
               "that they remove meanwhile, nor keep what INCR and CHECK_AND_* write, and so ends "
               "with a live verification that mends what it proves to differ.");
  verb->add_option("--from", arguments->from,
                   "source cluster: a name of the config file, or host:port,...")
      ->required();
  verb->add_option("--to", arguments->to, "target cluster")->required();
  verb->add_option("--table", arguments->table, "table to copy")->required();
  verb->add_option("--to-table", arguments->to_table,
                   "name of the target table; default: the same");
  add_preflight_options(*verb, arguments->preflight);
  add_copy_filter_options(*verb, arguments->filter);
  add_pace_options(*verb, *arguments);
  add_state_option(*verb, arguments->run.state);
  add_common_options(*verb, arguments->run.common);
  verb->callback([arguments, &exit_code] { exit_code = copy(*arguments); });
}

}  // namespace pegmove::apps
