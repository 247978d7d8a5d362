#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "apps/compare_arguments.h"
#include "apps/verify_run.h"
#include "base/units.h"
#include "compare/certificate.h"
#include "compare/difference_file.h"
#include "migration/verify/compare_journal.h"

namespace pegmove::apps {
namespace {

using base::format_count;
using base::format_duration;
using compare::CompareReport;

constexpr size_t kMostListed = 1000;  // of the differences, in the result and in the journal

struct VerifyArguments : RunArguments {
  CompareArguments compare;
  std::string certificate;
};

// What the journal keeps of a verification, beside what is compared.
struct VerifyPlan {
  compare::CompareOptions options;
  std::string certificate;  // the file; empty: none
  ClusterPair clusters{};
  size_t show = 20;  // differences to print; more are kept

  std::string to_json() const {
    auto json = nlohmann::ordered_json::parse(migration::to_json_text(options));
    json["certificate"] = certificate;
    json["show"] = show;
    clusters.put(json);
    return json.dump();
  }
  static Result<VerifyPlan> parse(const std::string& text) {
    VerifyPlan plan{.options = TRY(migration::parse_compare_options(text)),
                    .certificate = {},
                    .clusters = TRY(ClusterPair::parse(text))};
    const auto json = nlohmann::ordered_json::parse(text);
    if (const auto file = json.find("certificate"); file != json.end() && file->is_string())
      plan.certificate = *file;
    if (const auto show = json.find("show"); show != json.end() && show->is_number_unsigned())
      plan.show = *show;
    return plan;
  }
};

struct Verified {
  CompareReport report;
  std::string certificate;
};

std::string differences_text(const CompareReport& report) {
  return "missing there " + format_count(uint64_t(report.missing)) + ", extra there " +
         format_count(uint64_t(report.extra)) + ", other value " +
         format_count(uint64_t(report.value_differs)) + ", other expiry " +
         format_count(uint64_t(report.expiry_differs));
}

void print_text(const journal::Run& run, const CompareReport& report, size_t show) {
  const auto shown = std::min(show, report.differences.size());
  for (size_t i = 0; i < shown; ++i)
    std::printf("%s\n", compare::difference_text(report.differences[i]).c_str());
  if (size_t(report.differing()) > shown)
    std::printf("... and %s more; `pegmove diff` lists all\n",
                format_count(uint64_t(report.differing()) - shown).c_str());
  const auto& options = report.options;
  const auto rows = format_count(uint64_t(report.source_rows));
  const auto where = "table " + run.table + " on " + run.from + " and " + run.to;
  if (options.sample)
    std::printf("Sample of %g of the rows, seed %llu: %s.\n", options.sample->share,
                static_cast<unsigned long long>(options.sample->seed),
                compare::what_a_sample_proves(report).c_str());
  if (options.expiry_tolerance_s > 0)
    std::printf("Expiries up to %u s apart count as the same: rows were compared, not sums.\n",
                options.expiry_tolerance_s);
  if (report.suspects > 0)
    std::printf("Read again: %s rows that differed at first.\n",
                format_count(uint64_t(report.suspects)).c_str());
  if (report.not_settled > 0)
    std::printf(
        "Not settled: %s rows kept changing; verify again, or with a longer --settle-for.\n",
        format_count(uint64_t(report.not_settled)).c_str());
  if (!report.equal()) {
    std::printf("%s: %s rows on %s, %s rows on %s; %s.\n",
                report.differing() > 0 ? "Different" : "Not proven equal", rows.c_str(),
                run.from.c_str(), format_count(uint64_t(report.target_rows)).c_str(),
                run.to.c_str(), differences_text(report).c_str());
    return;
  }
  const auto sum =
      report.source_sum == report.target_sum
          ? "sum " + report.source_sum.to_hex()
          : "sums " + report.source_sum.to_hex() + " and " + report.target_sum.to_hex();
  std::printf("Equal: %s %s rows of %s have the same keys, values and expiry (%s, %s).\n",
              options.sample ? "these" : "all", rows.c_str(), where.c_str(),
              format_duration(report.elapsed).c_str(), sum.c_str());
}

Task<std::string> certify(CommandRun& run, const journal::Run& entry, compare::TablePair tables,
                          const VerifyPlan& plan, const CompareReport& report) {
  auto deadline = Deadline::in(run.clock(), run.timeout());
  auto source = CO_TRY(co_await compare::describe(*tables.source, deadline));
  auto target = CO_TRY(co_await compare::describe(*tables.target, deadline));
  auto text = compare::certificate({.version = PEGMOVE_VERSION,
                                    .run_id = entry.id,
                                    .from = entry.from,
                                    .to = entry.to,
                                    .began_unix_ms = entry.created_unix_ms,
                                    .ended_unix_ms = run.clock().unix_us() / 1000},
                                   source, target, report);
  if (plan.certificate.empty()) co_return text;
  auto file = CO_TRY(compare::TextOutput::open(plan.certificate));
  CO_TRY(file.line(text));
  CO_TRY(file.commit());
  co_return text;
}

Task<Verified> compare(CommandRun& run, migration::RunKeeper& keeper, compare::TablePair tables,
                       VerifyPlan plan, bool quiet) {
  CO_TRY(co_await keeper.set_result("{}"));  // from now on there is something to go on with
  ProgressLine line(quiet);
  auto report = CO_TRY(co_await migration::compare_journaled(
      keeper, tables, plan.options, run.stop(), {.on_progress = show_comparison(line, "verifying")},
      [](const std::string& text) { std::fprintf(stderr, "pegmove: %s\n", text.c_str()); }));
  auto text = CO_TRY(co_await certify(run, keeper.run(), tables, plan, report));
  co_return Verified{.report = std::move(report), .certificate = std::move(text)};
}

// The work on a run that the journal has.
Task<int> work(CommandRun& run, const RunArguments& arguments, journal::Run entry,
               compare::TablePair tables, VerifyPlan plan) {
  plan.options.timeout = run.timeout();
  if (plan.options.live) plan.options.live->timeout = run.timeout();
  auto keeper = CO_TRY(co_await migration::RunKeeper::take(
      run.context().get_executor(), run.clock(), CO_TRY(journal_path(arguments.state)), entry.id,
      run.stop()));
  CO_TRY(co_await keeper->begin());
  if (!arguments.common.quiet)
    std::fprintf(stderr, "pegmove: run %s; `pegmove resume %s%s` goes on if it is interrupted\n",
                 entry.id.c_str(), entry.id.c_str(), state_words(arguments.state).c_str());
  auto verified = co_await compare(run, *keeper, std::move(tables), plan, arguments.common.quiet);
  Result<void> outcome;
  if (!verified) outcome = fail(verified.error());
  auto summary = verified ? std::optional(compare::summary(verified->report)) : std::nullopt;
  auto end = CO_TRY(co_await keeper->end(outcome, std::move(summary)));
  if (!verified) co_return report_end(entry.id, arguments, end);
  if (arguments.common.json)
    std::printf("%s\n", verified->certificate.c_str());
  else
    print_text(entry, verified->report, plan.show);
  co_return verified->report.equal() ? kDone : kTablesDiffer;
}

int verify(const VerifyArguments& arguments) {
  const auto& compared = arguments.compare;
  auto run = CommandRun::start(arguments.common);
  if (!run) return report(run.error(), kUsage);
  if (auto known = (*run)->check_clusters({compared.from, compared.to}); !known)
    return report(known.error(), kUsage);
  auto options = compare_options(compared, (*run)->timeout());
  if (!options) return report(options.error(), kUsage);
  options->most_listed = std::max(kMostListed, compared.show);
  VerifyPlan plan{.options = *std::move(options),
                  .certificate = absolute_path(arguments.certificate),
                  .show = compared.show};

  // Not at the end, when all rows have been read.
  if (!plan.certificate.empty())
    if (auto file = compare::TextOutput::open(plan.certificate); !file)
      return report(file.error(), kPreflightFailed);
  auto tables = (*run)->wait_for(
      open_tables(**run, compared.from, compared.to, compared.table, compared.to_table));
  if (!tables) return report(tables.error());
  plan.clusters = ClusterPair::of(*tables);
  auto entry = [&]() -> Result<journal::Run> {
    auto journal = TRY(open_journal(arguments.state, (*run)->clock()));
    return journal.begin({.method = kVerifyMethod,
                          .from = compared.from,
                          .to = compared.to,
                          .table = compared.table,
                          .to_table = tables->target->name(),
                          .options = plan.to_json()});
  }();
  if (!entry) return report(entry.error());
  auto code = (*run)->wait_for(
      work(**run, arguments, *std::move(entry), *std::move(tables), std::move(plan)));
  return code ? *code : report(code.error());
}

}  // namespace

int resume_verify(const RunArguments& arguments, const journal::Run& entry) {
  auto run = CommandRun::start(arguments.common);
  if (!run) return report(run.error(), kUsage);
  auto plan = VerifyPlan::parse(entry.options);
  if (!plan) return report(plan.error());
  auto tables = (*run)->wait_for(
      open_tables(**run, plan->clusters.from, plan->clusters.to, entry.table, entry.to_table));
  if (!tables) return report(tables.error());
  auto code = (*run)->wait_for(work(**run, arguments, entry, *std::move(tables), *std::move(plan)));
  return code ? *code : report(code.error());
}

void add_verify_command(CLI::App& program, int& exit_code) {
  auto arguments = std::make_shared<VerifyArguments>();
  auto* verb = add_verb(
      program, "verify",
      "Example: pegmove verify --from A --to B --table t --certificate t.json\n\n"
      "Compares two tables row by row: keys, values and expiry, whatever their partition counts. "
      "Exact while nobody writes to either; with --live also while clients write. Exit status 0: "
      "equal, 4: different, or not proven equal; the first differing keys are printed with their "
      "kind (missing, extra, value, expiry). `pegmove diff` lists them all, `pegmove repair` mends "
      "them.");
  add_compare_options(*verb, arguments->compare);
  verb->add_option("--show", arguments->compare.show,
                   "how many differing keys to print; the JSON has up to 1000")
      ->capture_default_str()
      ->check(CLI::Range(0, 100'000));
  verb->add_option(
      "--certificate", arguments->certificate,
      "also write the result to this file, as JSON: what was compared, when, how, with "
      "a sum of each side");
  add_common_options(*verb, arguments->common);
  add_state_option(*verb, arguments->state);
  verb->callback([arguments, &exit_code] { exit_code = verify(*arguments); });
}

}  // namespace pegmove::apps
