#include <fmt/format.h>

#include <cstdio>

#include "apps/compare_arguments.h"
#include "base/units.h"
#include "compare/difference_file.h"
#include "rows/foreign_rows_text.h"

namespace pegmove::apps {
namespace {

using base::format_count;

struct DiffArguments {
  CommonOptions common;
  CompareArguments compare;
  std::string output;
};

Task<compare::CompareReport> list(CommandRun& run, const DiffArguments& arguments,
                                  compare::CompareOptions options) {
  const auto& compared = arguments.compare;
  auto tables = CO_TRY(
      co_await open_tables(run, compared.from, compared.to, compared.table, compared.to_table));
  auto output = CO_TRY(compare::TextOutput::open(arguments.output));
  compare::DifferenceWriter writer(output, arguments.common.json);
  ProgressLine line(arguments.common.quiet);
  auto report = CO_TRY(co_await compare::compare(
      tables, std::move(options), run.stop(),
      {.on_progress = show_comparison(line, "comparing"), .sink = &writer}));
  CO_TRY(output.commit());
  co_return report;
}

int diff(const DiffArguments& arguments) {
  auto run = CommandRun::start(arguments.common);
  if (!run) return report(run.error(), kUsage);
  const auto& compared = arguments.compare;
  if (auto known = (*run)->check_clusters({compared.from, compared.to}); !known)
    return report(known.error(), kUsage);
  auto options = compare_options(compared, (*run)->timeout());
  if (!options) return report(options.error(), kUsage);
  options->most_listed = 0;
  auto result = (*run)->wait_for(list(**run, arguments, *std::move(options)));
  if (!result) return report(result.error());
  if (!arguments.common.quiet) {
    std::string seed;
    if (result->options.sample)
      seed = fmt::format(" (a sample, seed {})", result->options.sample->seed);
    std::fprintf(stderr, "pegmove: %s rows compared%s, %s differ\n",
                 format_count(uint64_t(result->source_rows)).c_str(), seed.c_str(),
                 format_count(uint64_t(result->differing())).c_str());
  }
  for (const auto& [foreign, word] : {std::pair(&result->source_foreign, &compared.from),
                                      std::pair(&result->target_foreign, &compared.to)})
    std::fputs(rows::foreign_text(*foreign, "of the table on " + *word).c_str(), stderr);
  if (result->not_settled > 0)
    std::fprintf(stderr, "pegmove: %s rows kept changing and are not listed\n",
                 format_count(uint64_t(result->not_settled)).c_str());
  return result->equal() ? kDone : kTablesDiffer;
}

}  // namespace

void add_diff_command(Verb& program, int& exit_code) {
  auto arguments = std::make_shared<DiffArguments>();
  auto* verb = program.add_verb(
      "diff",
      "Example: pegmove diff --from A --to B --table t --json --output differences.jsonl\n\n"
      "Compares two tables as `pegmove verify` does and lists every differing key with its kind: "
      "missing (in the target), extra (only in the target), value, expiry. With --json each line "
      "is a JSON object, and `pegmove repair --differences` reads the list; keys that are not text "
      "are base64 in it, under hash_key_b64 and sort_key_b64. Exit code 0: no difference; 4: some "
      "rows differ.");
  verb->list_under(kProving, "lists every row that differs");
  add_compare_options(*verb, arguments->compare);
  verb->add_option("--output", arguments->output,
                   "write to this file, which appears when it is complete; default: stdout");
  add_common_options(*verb, arguments->common);
  verb->callback([arguments, &exit_code] { exit_code = diff(*arguments); });
}

}  // namespace pegmove::apps
