// split-unit: carries one unit of a split out, on a machine that has nothing else of it: what
// Spark's executors run (src/spark/). Not for people, and not shown to them.
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "apps/backup_stores.h"
#include "apps/split_origin.h"
#include "base/small_file.h"
#include "migration/split/split_json.h"
#include "spark/spark_units.h"

namespace pegmove::apps {
namespace {

constexpr size_t kMostSpec = 256 << 20;

struct Arguments {
  CommonOptions common;
  std::string spec, work_folder;
  int64_t unit = 0;
};

Result<spark::UnitSpec> read_spec(const Arguments& arguments) {
  const auto text = TRY(base::read_file(arguments.spec, kMostSpec));
  if (!text) return fail(Code::kNotFound, "there is no " + arguments.spec);
  auto spec = TRY(in_context(spark::unit_spec_from_json(*text), arguments.spec));
  if (size_t(arguments.unit) >= spec.plan.units.size())
    return fail(Code::kInvalidArgument,
                "the plan has " + std::to_string(spec.plan.units.size()) + " units, from 0 on");
  spec.request.limits.work_folder = arguments.work_folder;
  return spec;
}

Task<splitter::UnitResult> work(CommandRun& run, BackupStores& stores, spark::UnitSpec spec,
                                size_t unit) {
  const auto origin = CO_TRY(co_await open_split_origin(run, stores, spec.request));
  const splitter::SplitTarget target{.store = CO_TRY(stores.get(spec.request.to_store)),
                                     .place = spec.request.to,
                                     .app_id = spec.request.to_app_id};
  co_return co_await migration::carry_out_unit(
      spec.request, origin, target, spec.plan, unit,
      {.should_stop = [&] { return run.stop().requested(); }});
}

int split_unit(const Arguments& arguments) {
  // With the executor the work ends, also when it has ended already.
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() == 1) return kInterrupted;
  auto spec = read_spec(arguments);
  if (!spec) return report(spec.error(), kUsage);
  auto run = CommandRun::start(arguments.common);
  if (!run) return report(run.error(), kUsage);
  auto stores = BackupStores::open(**run);
  if (!stores) return report(stores.error(), kUsage);
  auto result = (*run)->wait_for(work(**run, **stores, *std::move(spec), size_t(arguments.unit)));
  if (!result) return report(result.error());
  std::printf("%s\n", migration::to_json(*result).c_str());
  return kDone;
}

}  // namespace

void add_split_unit_command(CLI::App& program, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  auto* verb = add_verb(program, "split-unit", "Carries out one unit of a split, for Spark.");
  verb->group("");
  verb->add_option("--spec", arguments->spec)->required();
  verb->add_option("--unit", arguments->unit)->required()->check(CLI::NonNegativeNumber);
  verb->add_option("--work-dir", arguments->work_folder)->required();
  add_common_options(*verb, arguments->common);
  verb->callback([arguments, &exit_code] { exit_code = split_unit(*arguments); });
}

}  // namespace pegmove::apps
