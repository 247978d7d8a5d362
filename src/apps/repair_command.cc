#include <fmt/format.h>

#include <cstdio>

#include "apps/compare_arguments.h"
#include "apps/process_ports.h"
#include "apps/progress_line.h"
#include "apps/runs.h"
#include "base/local_file.h"
#include "migration/verify/repair_run.h"

namespace pegmove::apps {
namespace {

struct RepairArguments : RunArguments {
  CompareArguments compare;
  std::string differences;
  bool delete_extra = false, yes = false;
};

// Compares, and reports which rows would be written.
int show_dry_run(CommandRun& run, const RepairArguments& arguments, migration::RepairRun& work,
                 const journal::NewRun& names) {
  run.prepare();
  auto opened = run.wait_for(work.open(runs::Purpose::kBegin));
  if (!opened) return report(opened.error());
  run.begin_work();
  ProgressLine line(arguments.common.quiet);
  const runs::Events events{.show = [&line](const std::string& text) { line.show(text); }};
  auto shown = run.wait_for(work.dry_run(events, names));
  line.end();
  if (!shown) return report(shown.error());
  std::fputs((arguments.common.json ? shown->json + "\n" : shown->text).c_str(), stdout);
  return shown->tables_differ ? kTablesDiffer : kDone;
}

int repair(const RepairArguments& arguments) {
  auto run = CommandRun::start(arguments.common);
  if (!run) return report(run.error(), kUsage);
  const auto& compared = arguments.compare;
  if (auto known = (*run)->check_clusters({compared.from, compared.to}); !known)
    return report(known.error(), kUsage);
  auto options = compare_options(compared, (*run)->timeout());
  if (!options) return report(options.error(), kUsage);
  if (arguments.delete_extra && !arguments.dry_run && !arguments.yes)
    return report(Error(Code::kInvalidArgument,
                        fmt::format("--delete-extra deletes rows of table '{}' on {}; add --yes, "
                                    "or use --dry-run to see what would be deleted",
                                    compared.table, compared.to)),
                  kUsage);
  if (!arguments.differences.empty())
    if (auto rows = migration::check_differences(arguments.differences); !rows)
      return report(rows.error(), kUsage);
  // A process that resumes in another folder finds the same file.
  const auto differences = base::absolute_path(arguments.differences);
  if (!differences) return report(differences.error());
  options->table = compared.table;
  options->to_table = compared.to_table;
  const ProcessPorts ports(**run);
  migration::RepairRun work({.from_metas = compared.from,
                             .to_metas = compared.to,
                             .options = *std::move(options),
                             .differences = *differences,
                             .delete_extra = arguments.delete_extra,
                             .dry_run = arguments.dry_run},
                            ports.get());
  const journal::NewRun names{
      .method = std::string(migration::kRepairMethod),
      .from = compared.from,
      .to = compared.to,
      .table = compared.table,
      .to_table = compared.to_table.empty() ? compared.table : compared.to_table};
  return arguments.dry_run ? show_dry_run(**run, arguments, work, names)
                           : begin_run(**run, arguments, work, names, kFailed);
}

}  // namespace

void add_repair_command(Verb& program, int& exit_code) {
  auto arguments = std::make_shared<RepairArguments>();
  auto* verb = program.add_verb(
      "repair",
      "Example: pegmove repair --from A --to B --table t\n\n"
      "Makes the differing rows of the target equal to those of the source, and changes "
      "no other row. It compares the tables itself, or reads the list that `pegmove diff "
      "--json --output FILE` wrote. Each row is read again on both sides just before it "
      "is written, with its exact expiry, as a client writes; then it is read back. Rows "
      "that exist only in the target are reported, and deleted only with --delete-extra. "
      "Safe to repeat. A client's write to the same row of the target may be lost if it "
      "falls between that read and the write, which is one round trip; use --live when "
      "clients write. Exit code 0: all rows agree now; 4: some do not.");
  verb->list_under(kProving, "makes the differing rows of the target equal to those of the source");
  add_compare_options(*verb, arguments->compare);
  verb->add_option("--differences", arguments->differences,
                   "repair only the rows of this list, JSON lines as written by diff");
  verb->add_flag("--delete-extra", arguments->delete_extra,
                 "delete rows that exist only in the target; needs --yes");
  verb->add_flag("--yes", arguments->yes, "confirms --delete-extra");
  verb->add_option("--show", arguments->compare.show,
                   "how many of the keys that still differ to print")
      ->capture_default_str()
      ->in_range(0, 100'000);
  add_run_options(*verb, *arguments);
  verb->callback([arguments, &exit_code] { exit_code = repair(*arguments); });
}

}  // namespace pegmove::apps
