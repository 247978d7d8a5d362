#include <cstdio>
#include <nlohmann/json.hpp>

#include "apps/compare_arguments.h"
#include "apps/verify_run.h"
#include "base/units.h"
#include "compare/difference_file.h"
#include "compare/repair.h"
#include "migration/verify/compare_journal.h"

namespace pegmove::apps {
namespace {

using base::format_count;
using compare::CompareReport;
using compare::RepairReport;
using Json = nlohmann::ordered_json;

constexpr int kMostErrorsShown = 20;

struct RepairArguments : RunArguments {
  CompareArguments compare;
  std::string differences;
  bool delete_extra = false, dry_run = false, yes = false;
};

// What the journal keeps of a repair, beside how it compares.
struct RepairPlan {
  compare::CompareOptions options;
  std::string differences;  // the file; empty: those that a comparison finds
  bool delete_extra = false;
  bool dry_run = false;  // never in the journal
  ClusterPair clusters{};

  std::string to_json() const {
    auto json = Json::parse(migration::to_json_text(options));
    json["differences"] = differences;
    json["delete_extra"] = delete_extra;
    clusters.put(json);
    return json.dump();
  }
  static Result<RepairPlan> parse(const std::string& text) {
    RepairPlan plan{.options = TRY(migration::parse_compare_options(text)), .differences = {}};
    plan.clusters = TRY(ClusterPair::parse(text));
    const auto json = Json::parse(text);
    const auto file = json.find("differences"), extra = json.find("delete_extra");
    if (file == json.end() || !file->is_string() || extra == json.end() || !extra->is_boolean())
      return fail(Code::kCorrupt, "the journal's options of the repair cannot be read; begin anew");
    plan.differences = *file;
    plan.delete_extra = *extra;
    return plan;
  }
};

// Reads the whole list before anything is changed. Returns the number of its rows; wrong lines are
// told on stderr.
Result<int64_t> check_list(const std::string& path) {
  auto reader = TRY(compare::DifferenceReader::open(path));
  int64_t rows = 0, wrong = 0;
  while (true) {
    auto next = reader.next();
    if (!next) {
      if (next.error().code() != Code::kInvalidArgument) return fail(next.error());
      if (++wrong <= kMostErrorsShown)
        std::fprintf(stderr, "pegmove: %s\n", next.error().to_string().c_str());
      continue;
    }
    if (!*next) break;
    ++rows;
  }
  if (wrong == 0) return rows;
  return fail(Code::kInvalidArgument, path + ": " + format_count(uint64_t(wrong)) +
                                          " lines are wrong; nothing was changed");
}

Json to_json(const std::string& id, const journal::NewRun& names, const RepairPlan& plan,
             const RepairReport& report, const std::optional<CompareReport>& compared) {
  Json left = Json::array();
  for (const auto& difference : report.left)
    left.push_back(Json::parse(compare::difference_json(difference)));
  Json json{{"id", id},
            {"from", names.from},
            {"to", names.to},
            {"table", names.table},
            {"to_table", names.to_table},
            {"dry_run", plan.dry_run},
            {"looked_at", report.looked_at},
            {"agreed_before", report.agreed_before},
            {"missing", report.missing},
            {"value", report.value},
            {"expiry", report.expiry},
            {"extra_deleted", report.extra_deleted},
            {"extra_left", report.extra_left},
            {"agree_now", report.agree_now},
            {"differ_now", report.differ_now},
            {"not_settled", report.not_settled + (compared ? compared->not_settled : 0)}};
  if (compared) json["rows_compared"] = compared->source_rows;
  if (plan.options.sample) json["seed"] = plan.options.sample->seed;
  json["left"] = std::move(left);
  return json;
}

void print_text(const RepairPlan& plan, const RepairReport& report,
                const std::optional<CompareReport>& compared) {
  auto count = [](int64_t number) { return format_count(uint64_t(number)); };
  for (const auto& difference : report.left)
    std::printf("left: %s\n", compare::difference_text(difference).c_str());
  std::printf("%s: %s missing rows written, %s values, %s expiries, %s extra rows deleted.\n",
              plan.dry_run ? "Would repair" : "Repaired", count(report.missing).c_str(),
              count(report.value).c_str(), count(report.expiry).c_str(),
              count(report.extra_deleted).c_str());
  std::printf("Of %s rows looked at, %s agreed already.\n", count(report.looked_at).c_str(),
              count(report.agreed_before).c_str());
  if (!plan.dry_run)
    std::printf("Read back: %s agree now, %s differ.\n", count(report.agree_now).c_str(),
                count(report.differ_now).c_str());
  if (report.extra_left > 0)
    std::printf("Extra rows left in the target: %s; --delete-extra deletes such.\n",
                count(report.extra_left).c_str());
  if (auto open = report.not_settled + (compared ? compared->not_settled : 0); open > 0)
    std::printf("Not settled: %s rows kept changing.\n", count(open).c_str());
}

struct Repaired {
  RepairReport report;
  std::optional<CompareReport> compared;

  bool all_agree(bool dry_run) const {
    return report.all_agree() && !(dry_run && report.mended() > 0) &&
           (!compared || compared->not_settled == 0);
  }
};

Task<> repair_list(compare::Repair& repair, std::string path) {
  auto reader = CO_TRY(compare::DifferenceReader::open(path));
  while (auto difference = CO_TRY(reader.next()))
    CO_TRY(co_await repair.take(*std::move(difference)));
  co_return co_await repair.flush();
}

// Without a keeper (a dry run) nothing is journaled.
Task<Repaired> mend(CommandRun& run, migration::RunKeeper* keeper, compare::TablePair tables,
                    RepairPlan plan, bool quiet) {
  compare::Repair repair(tables,
                         {.delete_extra = plan.delete_extra,
                          .dry_run = plan.dry_run,
                          .rule = {.expiry_tolerance_s = plan.options.expiry_tolerance_s},
                          .live = plan.options.live,
                          .most_listed = plan.options.most_listed,
                          .timeout = run.timeout()},
                         run.stop());
  if (keeper) CO_TRY(co_await keeper->set_result("{}"));  // there is something to go on with
  Repaired repaired;
  if (!plan.differences.empty()) {
    CO_TRY(co_await repair_list(repair, plan.differences));
  } else {
    ProgressLine line(quiet);
    compare::CompareEvents events{.on_progress = show_comparison(line, "repairing"),
                                  .sink = &repair};
    auto say = [](const std::string& text) { std::fprintf(stderr, "pegmove: %s\n", text.c_str()); };
    repaired.compared =
        keeper ? CO_TRY(co_await migration::compare_journaled(*keeper, tables, plan.options,
                                                              run.stop(), events, say))
               : CO_TRY(co_await compare::compare(tables, plan.options, run.stop(), events));
    CO_TRY(co_await repair.flush());
  }
  repaired.report = repair.report();
  co_return repaired;
}

int show(const RunArguments& arguments, const std::string& id, const journal::NewRun& names,
         const RepairPlan& plan, const Repaired& repaired) {
  if (arguments.common.json)
    std::printf("%s\n",
                to_json(id, names, plan, repaired.report, repaired.compared).dump(2).c_str());
  else
    print_text(plan, repaired.report, repaired.compared);
  return repaired.all_agree(plan.dry_run) ? kDone : kTablesDiffer;
}

Task<int> work(CommandRun& run, const RunArguments& arguments, journal::Run entry,
               compare::TablePair tables, RepairPlan plan) {
  plan.options.timeout = run.timeout();
  if (plan.options.live) plan.options.live->timeout = run.timeout();
  auto keeper = CO_TRY(co_await migration::RunKeeper::take(
      run.context().get_executor(), run.clock(), CO_TRY(journal_path(arguments.state)), entry.id,
      run.stop()));
  CO_TRY(co_await keeper->begin());
  // What was left different before the interruption is to be found again, so that the end tells it.
  CO_TRY(co_await keeper->forget_positions());
  if (!arguments.common.quiet)
    std::fprintf(stderr, "pegmove: run %s; `pegmove resume %s%s` goes on if it is interrupted\n",
                 entry.id.c_str(), entry.id.c_str(), state_words(arguments.state).c_str());
  auto repaired = co_await mend(run, keeper.get(), std::move(tables), plan, arguments.common.quiet);
  const journal::NewRun names{.method = kRepairMethod,
                              .from = entry.from,
                              .to = entry.to,
                              .table = entry.table,
                              .to_table = entry.to_table};
  Result<void> outcome;
  std::optional<std::string> summary;
  if (!repaired) {
    outcome = fail(repaired.error());
  } else {
    auto json = to_json(entry.id, names, plan, repaired->report, repaired->compared);
    json.erase("left");
    summary = json.dump();
  }
  auto end = CO_TRY(co_await keeper->end(outcome, std::move(summary)));
  if (!repaired) co_return report_end(entry.id, arguments, end);
  co_return show(arguments, entry.id, names, plan, *repaired);
}

int begin(CommandRun& run, const RepairArguments& arguments, RepairPlan plan) {
  const auto& compared = arguments.compare;
  auto tables =
      run.wait_for(open_tables(run, compared.from, compared.to, compared.table, compared.to_table));
  if (!tables) return report(tables.error());
  plan.clusters = ClusterPair::of(*tables);
  journal::NewRun entry{.method = kRepairMethod,
                        .from = compared.from,
                        .to = compared.to,
                        .table = compared.table,
                        .to_table = tables->target->name(),
                        .options = plan.to_json()};
  if (plan.dry_run) {
    auto repaired =
        run.wait_for(mend(run, nullptr, *std::move(tables), plan, arguments.common.quiet));
    return repaired ? show(arguments, "", entry, plan, *repaired) : report(repaired.error());
  }
  auto stored = [&]() -> Result<journal::Run> {
    auto journal = TRY(open_journal(arguments.state, run.clock()));
    return journal.begin(entry);
  }();
  if (!stored) return report(stored.error());
  auto code =
      run.wait_for(work(run, arguments, *std::move(stored), *std::move(tables), std::move(plan)));
  return code ? *code : report(code.error());
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
                        "--delete-extra deletes rows of table '" + compared.table + "' on " +
                            compared.to + ": add --yes, or see what it would do with --dry-run"),
                  kUsage);
  if (!arguments.differences.empty())
    if (auto rows = check_list(arguments.differences); !rows) return report(rows.error(), kUsage);
  return begin(**run, arguments,
               {.options = *std::move(options),
                .differences = absolute_path(arguments.differences),
                .delete_extra = arguments.delete_extra,
                .dry_run = arguments.dry_run});
}

}  // namespace

int resume_repair(const RunArguments& arguments, const journal::Run& entry) {
  auto run = CommandRun::start(arguments.common);
  if (!run) return report(run.error(), kUsage);
  auto plan = RepairPlan::parse(entry.options);
  if (!plan) return report(plan.error());
  if (!plan->differences.empty())
    if (auto rows = check_list(plan->differences); !rows) return report(rows.error());
  auto tables = (*run)->wait_for(
      open_tables(**run, plan->clusters.from, plan->clusters.to, entry.table, entry.to_table));
  if (!tables) return report(tables.error());
  auto code = (*run)->wait_for(work(**run, arguments, entry, *std::move(tables), *std::move(plan)));
  return code ? *code : report(code.error());
}

void add_repair_command(CLI::App& program, int& exit_code) {
  auto arguments = std::make_shared<RepairArguments>();
  auto* verb = add_verb(
      program, "repair",
      "Example: pegmove repair --from A --to B --table t\n\n"
      "Makes the rows of the target that differ what they are in the source, and touches no other. "
      "It compares the tables itself, or takes the list that `pegmove diff --json --output FILE` "
      "wrote. Each row is read anew on both sides right before it is written, with its exact "
      "expiry, as a client writes; then it is read back. Rows that the target alone has stay and "
      "are reported, but with --delete-extra. Safe to repeat. A client that writes the same row of "
      "the target in the moment between the reading and the write, which is one round trip, may "
      "lose that write; use --live when clients write. Exit status 0: all agree now, 4: some do "
      "not.");
  add_compare_options(*verb, arguments->compare);
  verb->add_option("--differences", arguments->differences,
                   "mend the rows of this list only, JSON lines as diff writes them");
  verb->add_flag("--delete-extra", arguments->delete_extra,
                 "delete rows that the target alone has; asks for --yes");
  verb->add_flag("--yes", arguments->yes, "yes, delete");
  verb->add_flag("--dry-run", arguments->dry_run, "change nothing, say what would be done");
  verb->add_option("--show", arguments->compare.show,
                   "how many of the keys that are left different to print")
      ->capture_default_str()
      ->check(CLI::Range(0, 100'000));
  add_common_options(*verb, arguments->common);
  add_state_option(*verb, arguments->state);
  verb->callback([arguments, &exit_code] { exit_code = repair(*arguments); });
}

}  // namespace pegmove::apps
