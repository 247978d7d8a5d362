#include "migration/split/split.h"

#include <algorithm>
#include <set>

#include "base/bytes.h"
#include "base/units.h"
#include "blockstore/path.h"
#include "migration/split/split_json.h"
#include "migration/split/split_units.h"
#include "record/expiry.h"
#include "splitter/class_files.h"

namespace pegmove::migration {
namespace {

using async::milliseconds;
using splitter::RowCounts;
using splitter::SplitPlan;
using splitter::UnitResult;

// Of a scan a unit is a class: there are no files at whose keys it could be cut.
Task<SplitPlan> plan_of(const SplitRequest& request, const RowOrigin& origin, const Clock& clock) {
  auto rules = rules_of(request, record::pegasus_seconds(clock.unix_seconds()));
  if (!origin.table)
    co_return co_await splitter::plan_split({.store = *origin.store, .place = request.from},
                                            std::move(rules), request.limits);
  if (origin.table->partition_count() != rules.shape.sources)
    co_return fail(Code::kInvalidArgument,
                   "table '" + origin.table->name() + "' has another partition count now");
  SplitPlan plan{.rules = std::move(rules), .units = {}};
  for (int32_t which = 0; which < plan.rules.shape.classes(); ++which)
    plan.units.push_back({.which = which, .from = "", .to = ""});
  CO_TRY(splitter::check_limits(request.limits, plan.rules, 0));
  co_return plan;
}

class SplitRun {
 public:
  SplitRun(RunKeeper& run, SplitRequest request, RowOrigin origin, blockstore::AsyncStore target,
           UnitEngine* engine, const async::StopSignal& stop,
           std::function<void(const SplitProgress&)> on_progress, backup::StepListener on_step)
      : run_(run),
        request_(std::move(request)),
        origin_(std::move(origin)),
        target_{.store = std::move(target), .place = request_.to, .app_id = request_.to_app_id},
        engine_(engine),
        stop_(stop),
        on_progress_(std::move(on_progress)),
        on_step_(std::move(on_step)),
        began_(target_.store.clock().now()) {
    request_.limits.work_folder += "/" + run.run().id;
  }

  Task<SplitReport> carry_out(std::optional<SplitPlan> planned) {
    CO_TRY(co_await run_.begin());
    CO_TRY(co_await plan(std::move(planned)));
    CO_TRY(take_what_is_done());
    CO_TRY(co_await carry_out_units());
    CO_TRY(co_await splitter::finish_split(target_, plan_, results_, request_.limits, on_step_));
    co_return report();
  }

 private:
  // Once for the run: its files depend on the plan.
  Task<> plan(std::optional<SplitPlan> planned) {
    const auto& before = run_.run().result;
    if (before.empty()) {
      if (planned)
        plan_ = *std::move(planned);
      else
        plan_ = CO_TRY(co_await plan_of(request_, origin_, target_.store.clock()));
      CO_TRY(co_await run_.set_result(to_json(plan_)));
      step("split.planned");
      co_return Result<void>();
    }
    plan_ = CO_TRY(
        in_context(plan_from_json(before, request_), "the journal's plan of run " + run_.run().id));
    co_return Result<void>();
  }

  Result<void> take_what_is_done() {
    results_.resize(plan_.units.size());
    done_.resize(plan_.units.size());
    counts_.resize(plan_.units.size());
    for (const auto& position : run_.positions()) {
      if (!position.done || position.lane < 0 || size_t(position.lane) >= results_.size()) continue;
      const auto unit = size_t(position.lane);
      results_[unit] = TRY(in_context(unit_result_from_json(position.detail), "the journal"));
      TRY(in_context(check(unit, results_[unit]), "the journal"));
      counts_[unit] = results_[unit].counts;
      done_[unit] = true;
    }
    return {};
  }

  // Here, or where the engine says.
  Task<> carry_out_units() {
    std::vector<size_t> units;
    for (size_t unit = 0; unit < plan_.units.size(); ++unit)
      if (!done_[unit]) units.push_back(unit);
    if (units.empty()) co_return Result<void>();
    EngineEvents events{
        .should_stop = [this] { return stop_.requested(); },
        .on_progress = [this](size_t unit, const RowCounts& counts) { tell(unit, counts); },
        .on_done = [this](size_t unit, UnitResult result) { return note(unit, std::move(result)); },
        .on_step = on_step_};
    LocalUnits here(origin_, target_);
    UnitEngine& engine = engine_ ? *engine_ : here;
    CO_TRY(co_await engine.carry_out(request_, plan_, units, std::move(events)));
    if (const auto missing = std::ranges::find(done_, false); missing != done_.end())
      co_return fail(Code::kProtocol, "nobody told what unit " +
                                          std::to_string(missing - done_.begin()) +
                                          " has made; it is done again by a resume");
    co_return Result<void>();
  }

  // The set must not have files that are of nobody, nor miss some that are there.
  Result<void> check(size_t unit, const UnitResult& result) const {
    const auto targets = plan_.rules.shape.targets_of(plan_.units[unit].which);
    for (const auto& each : result.files)
      if (std::ranges::find(targets, each.partition) == targets.end() ||
          !each.file.name.starts_with(splitter::unit_prefix(int(unit)) + "_") ||
          !blockstore::is_name(each.file.name))
        return fail(Code::kProtocol, "unit " + std::to_string(unit) + " cannot have made a file " +
                                         base::printable(each.file.name) + " of partition " +
                                         std::to_string(each.partition));
    return {};
  }

  Result<void> note(size_t unit, UnitResult result) {
    if (unit >= plan_.units.size() || done_[unit])
      return fail(Code::kProtocol, "nobody asked for unit " + std::to_string(unit));
    TRY(check(unit, result));
    results_[unit] = std::move(result);
    done_[unit] = true;
    const auto& counts = results_[unit].counts;
    run_.note({.lane = int32_t(unit),
               .rows = counts.written,
               .bytes = counts.bytes,
               .done = true,
               .detail = to_json(results_[unit])});
    step("split.unit_noted");
    tell(unit, counts);
    return {};
  }

  void step(std::string_view name) const {
    if (on_step_) on_step_(name);
  }

  // Once a second, and when a unit ends.
  void tell(size_t unit, const RowCounts& counts) {
    counts_[unit] = counts;
    const auto now = target_.store.clock().now();
    if (!on_progress_ || (!done_[unit] && now - told_ < milliseconds(1000))) return;
    told_ = now;
    SplitProgress progress{.units = plan_.units.size(), .elapsed = elapsed()};
    for (const auto& each : counts_) progress.counts += each;
    for (const auto& each : plan_.units) progress.rows += each.rows;
    progress.units_done = size_t(std::ranges::count(done_, true));
    on_progress_(progress);
  }

  milliseconds elapsed() const {
    return std::chrono::duration_cast<milliseconds>(target_.store.clock().now() - began_);
  }

  SplitReport report() const {
    SplitReport report{.store = request_.to_store,
                       .place = request_.to,
                       .partitions = request_.to_partitions,
                       .elapsed = elapsed()};
    std::set<int32_t> filled;
    for (const auto& result : results_) {
      report.counts += result.counts;
      for (const auto& each : result.files) {
        ++report.files;
        report.file_bytes += each.file.size;
        filled.insert(each.partition);
      }
    }
    report.empty_partitions = report.partitions - int32_t(filled.size());
    return report;
  }

  RunKeeper& run_;
  SplitRequest request_;
  RowOrigin origin_;
  splitter::SplitTarget target_;
  UnitEngine* engine_;  // may be null
  const async::StopSignal& stop_;
  std::function<void(const SplitProgress&)> on_progress_;
  backup::StepListener on_step_;
  async::Instant began_;
  async::Instant told_{};
  SplitPlan plan_;
  std::vector<UnitResult> results_;
  std::vector<bool> done_;
  std::vector<RowCounts> counts_;
};

}  // namespace

std::string to_line(const SplitProgress& progress) {
  const auto read = progress.counts.read;
  std::string text = "splitting: " + base::format_count(uint64_t(read));
  if (progress.rows > 0) text += " of at most " + base::format_count(uint64_t(progress.rows));
  text += " rows";
  const auto ms = progress.elapsed.count();
  if (read > 0 && ms > 0) {
    const auto rate = double(read) * 1000 / double(ms);
    const auto left = std::max<int64_t>(0, progress.rows - read);
    text += ", " + base::format_count(uint64_t(rate)) + "/s";
    if (progress.rows > 0)
      text += ", ETA " + base::format_duration(milliseconds(int64_t(double(left) / rate * 1000)));
  }
  return text + ", units " + std::to_string(progress.units_done) + "/" +
         std::to_string(progress.units);
}

Task<SplitPlan> check_split(const SplitRequest& request, RowOrigin origin,
                            blockstore::AsyncStore target) {
  auto found = co_await target.list(request.to.table_folder());
  if (!found && found.error().code() != Code::kNotFound) co_return fail(std::move(found.error()));
  if (found && !found->empty())
    co_return fail(Code::kAlreadyExists,
                   target.store().description() + ": /" + request.to.table_folder() +
                       " has files already, of another split or load; remove them, or choose "
                       "another folder with --to");
  co_return co_await plan_of(request, origin, target.clock());
}

Task<SplitReport> run_split(RunKeeper& run, SplitRequest request, std::optional<SplitPlan> plan,
                            RowOrigin origin, blockstore::AsyncStore target, UnitEngine* engine,
                            const async::StopSignal& stop,
                            std::function<void(const SplitProgress&)> on_progress,
                            backup::StepListener on_step) {
  SplitRun work(run, std::move(request), std::move(origin), std::move(target), engine, stop,
                std::move(on_progress), std::move(on_step));
  co_return co_await work.carry_out(std::move(plan));
}

}  // namespace pegmove::migration
