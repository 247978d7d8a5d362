// split-unit: carries out one unit of a split on a machine that has nothing else of the split.
// Spark's executors run it (src/spark/); it is not for people, and --help does not list it.
#include <fmt/format.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "apps/process_ports.h"
#include "base/small_file.h"
#include "migration/split/split_json.h"
#include "spark/spark_units.h"

namespace pegmove::apps {
namespace {

constexpr size_t kMostSpec = 256 << 20;

struct SplitUnitArguments {
  CommonOptions common;
  std::string spec, work_folder;
  int64_t unit = 0;
};

Result<spark::UnitSpec> read_spec(const SplitUnitArguments& arguments) {
  const auto text = TRY(base::read_file(arguments.spec, kMostSpec));
  if (!text) return fail(Code::kNotFound, arguments.spec + " does not exist");
  auto spec = TRY(in_context(spark::unit_spec_from_json(*text), arguments.spec));
  if (size_t(arguments.unit) >= spec.plan.units.size())
    return fail(Code::kInvalidArgument,
                fmt::format("the plan has {} units, counted from 0", spec.plan.units.size()));
  spec.request.limits.work_folder = arguments.work_folder;
  return spec;
}

Task<splitter::UnitResult> work(const migration::Ports& ports, spark::UnitSpec spec, size_t unit) {
  const auto origin = CO_TRY(co_await migration::open_row_origin(ports, spec.request));
  const splitter::SplitTarget target{.store = CO_TRY(ports.get_store(spec.request.to_store)),
                                     .place = spec.request.to,
                                     .app_id = spec.request.to_app_id};
  co_return co_await migration::carry_out_unit(
      spec.request, origin, target, spec.plan, unit,
      {.should_stop = [&] { return ports.stop.requested(); }});
}

int split_unit(const SplitUnitArguments& arguments) {
  // The work ends together with the executor, also when the executor has ended already.
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() == 1) return kInterrupted;
  auto spec = read_spec(arguments);
  if (!spec) return report(spec.error(), kUsage);
  auto run = CommandRun::start(arguments.common);
  if (!run) return report(run.error(), kUsage);
  const ProcessPorts ports(**run);
  auto result = (*run)->wait_for(work(ports.get(), *std::move(spec), size_t(arguments.unit)));
  if (!result) return report(result.error());
  std::printf("%s\n", migration::to_json(*result).c_str());
  return kDone;
}

}  // namespace

void add_split_unit_command(Verb& program, int& exit_code) {
  auto arguments = std::make_shared<SplitUnitArguments>();
  auto* verb = program.add_verb("split-unit", "Carries out one unit of a split, for Spark.");
  verb->add_option("--spec", arguments->spec)->required();
  verb->add_option("--unit", arguments->unit)->required()->in_range(0, INT32_MAX);
  verb->add_option("--work-dir", arguments->work_folder)->required();
  add_common_options(*verb, arguments->common);
  verb->callback([arguments, &exit_code] { exit_code = split_unit(*arguments); });
}

}  // namespace pegmove::apps
