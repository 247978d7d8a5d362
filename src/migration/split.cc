#include "migration/split.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "async/for_each.h"
#include "base/bytes.h"
#include "base/units.h"
#include "migration/copy_options_json.h"
#include "migration/journal_fields.h"
#include "migration/split_scan.h"
#include "record/expiry.h"

namespace pegmove::migration {
namespace {

using async::milliseconds;
using splitter::RowCounts;
using splitter::SplitPlan;
using splitter::Unit;
using splitter::UnitResult;
using Json = nlohmann::json;

constexpr int64_t kMostBytes = int64_t{1} << 60;
constexpr int32_t kMostPartitions = 65'536;

constexpr std::pair<const char*, int64_t RowCounts::*> kCounts[] = {
    {"read", &RowCounts::read},           {"written", &RowCounts::written},
    {"bytes", &RowCounts::bytes},         {"expired", &RowCounts::expired},
    {"misplaced", &RowCounts::misplaced}, {"filtered", &RowCounts::filtered}};

Json to_json(const RowCounts& counts) {
  Json out;
  for (const auto& [name, field] : kCounts) out[name] = counts.*field;
  return out;
}

Result<RowCounts> read_counts(const Json& in) {
  RowCounts counts;
  for (const auto& [name, field] : kCounts)
    counts.*field = TRY(read_integer(in, name, 0, kMostBytes));
  return counts;
}

// The plan: what the run has decided once, as its result while it works.
std::string to_json(const SplitPlan& plan) {
  Json units = Json::array();
  for (const auto& unit : plan.units)
    units.push_back({{"class", unit.which},
                     {"from", base::to_base64(unit.from)},
                     {"to", base::to_base64(unit.to)},
                     {"rows", unit.rows}});
  return Json{{"now_ts", plan.rules.now_ts},
              {"most_file_bytes", plan.rules.most_file_bytes},
              {"units", std::move(units)}}
      .dump();
}

Result<Unit> read_unit(const Json& in) {
  if (!in.is_object()) return fail(Code::kCorrupt, "a unit is no object");
  return Unit{.which = int32_t(TRY(read_integer(in, "class", 0, kMostPartitions))),
              .from = TRY(base::from_base64(TRY(read_text(in, "from")))),
              .to = TRY(base::from_base64(TRY(read_text(in, "to")))),
              .rows = TRY(read_integer(in, "rows", 0, kMostBytes))};
}

Result<void> read_plan(const Json& in, SplitPlan& plan) {
  if (!in.is_object()) return fail(Code::kCorrupt, "it is no JSON object");
  plan.rules.now_ts = uint32_t(TRY(read_integer(in, "now_ts", 0, UINT32_MAX)));
  plan.rules.most_file_bytes = TRY(read_integer(in, "most_file_bytes", 1, kMostBytes));
  if (!in.contains("units") || !in["units"].is_array())
    return fail(Code::kCorrupt, "'units' must be a list");
  for (const auto& each : in["units"]) plan.units.push_back(TRY(read_unit(each)));
  return {};
}

// What a unit has made: the detail of its position.
std::string to_json(const UnitResult& result) {
  Json files = Json::array();
  for (const auto& each : result.files)
    files.push_back({{"partition", each.partition},
                     {"name", each.file.name},
                     {"size", each.file.size},
                     {"md5", each.file.md5},
                     {"rows", each.rows},
                     {"digest", each.digest}});
  return Json{{"counts", to_json(result.counts)}, {"files", std::move(files)}}.dump();
}

Result<UnitResult> read_result(const std::string& text) {
  const auto in = Json::parse(text, nullptr, false);
  if (!in.is_object() || !in.contains("counts") || !in.contains("files") || !in["files"].is_array())
    return fail(Code::kCorrupt, "the journal does not tell what a unit has made");
  UnitResult result{.counts = TRY(read_counts(in["counts"])), .files = {}};
  for (const auto& each : in["files"])
    result.files.push_back(
        {.partition = int32_t(TRY(read_integer(each, "partition", 0, kMostPartitions))),
         .file = {.name = TRY(read_text(each, "name")),
                  .size = TRY(read_integer(each, "size", 0, kMostBytes)),
                  .md5 = TRY(read_text(each, "md5"))},
         .rows = TRY(read_integer(each, "rows", 0, kMostBytes)),
         .digest = TRY(read_text(each, "digest"))});
  return result;
}

splitter::SplitRules rules_of(const SplitRequest& request, const Clock& clock) {
  return {.shape = {.sources = request.from_partitions, .targets = request.to_partitions},
          .data_version = request.data_version,
          .now_ts = record::pegasus_seconds(clock.unix_seconds()),
          .filters = request.filters,
          .most_file_bytes = request.most_file_bytes};
}

// Of a scan a unit is a class: there are no files at whose keys it could be cut.
Task<SplitPlan> plan_of(const SplitRequest& request, const RowOrigin& origin,
                        splitter::SplitRules rules) {
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
           const async::StopSignal& stop, std::function<void(const SplitProgress&)> on_progress,
           backup::StepListener on_step)
      : run_(run),
        request_(std::move(request)),
        origin_(std::move(origin)),
        target_{.store = std::move(target), .place = request_.to, .app_id = request_.to_app_id},
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
    CO_TRY(co_await async::for_each(plan_.units.size(), size_t(request_.limits.units_at_once),
                                    [this](size_t unit) { return carry_out(unit); }));
    CO_TRY(co_await splitter::finish_split(target_, plan_, results_, request_.limits, on_step_));
    co_return report();
  }

 private:
  // Once for the run: its files depend on the plan.
  Task<> plan(std::optional<SplitPlan> planned) {
    plan_.rules = rules_of(request_, target_.store.clock());
    const auto& before = run_.run().result;
    if (before.empty()) {
      plan_ =
          planned ? *std::move(planned) : CO_TRY(co_await plan_of(request_, origin_, plan_.rules));
      CO_TRY(co_await run_.set_result(to_json(plan_)));
      step("split.planned");
      co_return Result<void>();
    }
    co_return in_context(read_plan(Json::parse(before, nullptr, false), plan_),
                         "the journal's plan of run " + run_.run().id);
  }

  Result<void> take_what_is_done() {
    results_.resize(plan_.units.size());
    done_.resize(plan_.units.size());
    counts_.resize(plan_.units.size());
    for (const auto& position : run_.positions()) {
      if (!position.done || position.lane < 0 || size_t(position.lane) >= results_.size()) continue;
      const auto unit = size_t(position.lane);
      results_[unit] = TRY(read_result(position.detail));
      counts_[unit] = results_[unit].counts;
      done_[unit] = true;
    }
    return {};
  }

  Task<> carry_out(size_t unit) {
    if (done_[unit]) co_return Result<void>();
    splitter::UnitEvents events{
        .should_stop = [this] { return stop_.requested(); },
        .on_progress = [this, unit](const RowCounts& counts) { tell(unit, counts); },
        .on_step = on_step_};
    if (origin_.table)
      results_[unit] = CO_TRY(co_await scan_unit(origin_.table, target_, plan_, unit,
                                                 request_.limits, std::move(events)));
    else
      results_[unit] = CO_TRY(co_await splitter::carry_out_unit(
          {.store = *origin_.store, .place = request_.from}, target_, plan_, unit, request_.limits,
          std::move(events)));
    done_[unit] = true;
    const auto& counts = results_[unit].counts;
    run_.note({.lane = int32_t(unit),
               .rows = counts.written,
               .bytes = counts.bytes,
               .done = true,
               .detail = to_json(results_[unit])});
    step("split.unit_noted");
    tell(unit, counts);
    co_return Result<void>();
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

Result<SplitRequest> read_request(const Json& in) {
  if (!in.is_object()) return fail(Code::kCorrupt, "they are no JSON object");
  const auto partitions = [&in](const char* name) {
    return read_integer(in, name, 1, kMostPartitions);
  };
  if (!in.contains("filters")) return fail(Code::kCorrupt, "'filters' must be an object");
  return SplitRequest{
      .from_store = TRY(read_text(in, "from_store")),
      .from_metas = TRY(read_text(in, "from_metas")),
      .from = {.root = TRY(read_text(in, "from_root")),
               .backup_id = TRY(read_integer(in, "backup_id", 0, INT64_MAX)),
               .table = TRY(read_text(in, "table")),
               .app_id = int32_t(TRY(read_integer(in, "app_id", 1, INT32_MAX)))},
      .from_partitions = int32_t(TRY(partitions("from_partitions"))),
      .to_store = TRY(read_text(in, "to_store")),
      .to = {.root = TRY(read_text(in, "to_root")),
             .cluster = TRY(read_text(in, "to_cluster")),
             .table = TRY(read_text(in, "to_table"))},
      .to_app_id = int32_t(TRY(read_integer(in, "to_app_id", 1, INT32_MAX))),
      .to_partitions = int32_t(TRY(partitions("to_partitions"))),
      .data_version = int(TRY(read_integer(in, "data_version", 0, 1))),
      .filters = TRY(copy_rules_from_json(in["filters"])).filters,
      .most_file_bytes = TRY(read_integer(in, "most_file_bytes", 1, kMostBytes)),
      .limits = {.units_at_once = int(TRY(read_integer(in, "units_at_once", 1, 1024))),
                 .memory_bytes = TRY(read_integer(in, "memory_bytes", 1, kMostBytes)),
                 .disk_bytes = TRY(read_integer(in, "disk_bytes", 1, kMostBytes)),
                 .work_folder = TRY(read_text(in, "work_folder"))}};
}

}  // namespace

std::string to_json(const SplitRequest& request) {
  return Json{{"from_store", request.from_store},
              {"from_metas", request.from_metas},
              {"from_root", request.from.root},
              {"backup_id", request.from.backup_id},
              {"table", request.from.table},
              {"app_id", request.from.app_id},
              {"from_partitions", request.from_partitions},
              {"to_store", request.to_store},
              {"to_root", request.to.root},
              {"to_cluster", request.to.cluster},
              {"to_table", request.to.table},
              {"to_app_id", request.to_app_id},
              {"to_partitions", request.to_partitions},
              {"data_version", request.data_version},
              {"filters", to_json(CopyRules{.filters = request.filters})},
              {"most_file_bytes", request.most_file_bytes},
              {"units_at_once", request.limits.units_at_once},
              {"memory_bytes", request.limits.memory_bytes},
              {"disk_bytes", request.limits.disk_bytes},
              {"work_folder", request.limits.work_folder}}
      .dump();
}

Result<SplitRequest> split_request_from_json(std::string_view text) {
  return in_context(read_request(Json::parse(text, nullptr, false)),
                    "the journal's options of a split");
}

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

std::string to_json(const SplitReport& report) {
  return nlohmann::ordered_json{
      {"store", report.store},           {"folder", report.place.table_folder()},
      {"cluster", report.place.cluster}, {"table", report.place.table},
      {"partitions", report.partitions}, {"empty_partitions", report.empty_partitions},
      {"files", report.files},           {"file_bytes", report.file_bytes},
      {"rows", to_json(report.counts)},  {"elapsed_ms", report.elapsed.count()}}
      .dump(2);
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
  co_return co_await plan_of(request, origin, rules_of(request, target.clock()));
}

Task<SplitReport> run_split(RunKeeper& run, SplitRequest request, std::optional<SplitPlan> plan,
                            RowOrigin origin, blockstore::AsyncStore target,
                            const async::StopSignal& stop,
                            std::function<void(const SplitProgress&)> on_progress,
                            backup::StepListener on_step) {
  SplitRun work(run, std::move(request), std::move(origin), std::move(target), stop,
                std::move(on_progress), std::move(on_step));
  co_return co_await work.carry_out(std::move(plan));
}

}  // namespace pegmove::migration
