#include <algorithm>

#include "apps/compare_arguments.h"
#include "apps/process_ports.h"
#include "apps/runs.h"
#include "base/local_file.h"
#include "compare/difference_file.h"
#include "migration/verify/verify.h"

namespace pegmove::apps {
namespace {

constexpr size_t kMostListed = 1000;  // of the differences, in the result and in the journal

struct VerifyArguments : RunArguments {
  CompareArguments compare;
  std::string certificate;
};

int verify(const VerifyArguments& arguments) {
  const auto& compared = arguments.compare;
  auto run = CommandRun::start(arguments.common);
  if (!run) return report(run.error(), kUsage);
  if (auto known = (*run)->check_clusters({compared.from, compared.to}); !known)
    return report(known.error(), kUsage);
  auto options = compare_options(compared, (*run)->timeout());
  if (!options) return report(options.error(), kUsage);
  options->most_listed = std::max(kMostListed, compared.show);
  options->table = compared.table;
  options->to_table = compared.to_table;
  // A process that resumes in another folder finds the same file.
  const auto certificate = base::absolute_path(arguments.certificate);
  if (!certificate) return report(certificate.error(), kPreflightFailed);
  // Fails now, not after all rows have been read.
  if (!certificate->empty())
    if (auto file = compare::TextOutput::open(*certificate); !file)
      return report(file.error(), kPreflightFailed);
  const ProcessPorts ports(**run);
  migration::Verify work({.from_metas = compared.from,
                          .to_metas = compared.to,
                          .options = *std::move(options),
                          .certificate = *certificate,
                          .show = compared.show},
                         ports.get());
  return begin_run(**run, arguments, work,
                   {.method = std::string(migration::kVerifyMethod),
                    .from = compared.from,
                    .to = compared.to,
                    .table = compared.table,
                    .to_table = compared.to_table.empty() ? compared.table : compared.to_table},
                   kFailed);
}

}  // namespace

void add_verify_command(Verb& program, int& exit_code) {
  auto arguments = std::make_shared<VerifyArguments>();
  auto* verb = program.add_verb(
      "verify",
      "Example: pegmove verify --from A --to B --table t --certificate t.json\n\n"
      "Compares two tables row by row: keys, values and expiry, with any partition "
      "counts. The result is exact while no client writes to either table; with --live "
      "also while clients write. Exit code 0: equal; 4: different, or not proven equal. "
      "The first differing keys are printed with their kind (missing, extra, value, "
      "expiry). `pegmove diff` lists them all, `pegmove repair` corrects them.");
  verb->list_under(kProving, "compares two tables row by row: keys, values, expiry");
  add_compare_options(*verb, arguments->compare);
  verb->add_option("--show", arguments->compare.show,
                   "how many differing keys to print; --json prints up to 1000")
      ->capture_default_str()
      ->in_range(0, 100'000);
  verb->add_option("--certificate", arguments->certificate,
                   "also write the result to this file as JSON: what was compared, when and how, "
                   "with a checksum of each side");
  add_run_options(*verb, *arguments);
  verb->callback([arguments, &exit_code] { exit_code = verify(*arguments); });
}

}  // namespace pegmove::apps
