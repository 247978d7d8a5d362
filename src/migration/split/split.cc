#include "migration/split/split.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/bytes.h"
#include "base/units.h"
#include "blockstore/path.h"
#include "inspect/access.h"
#include "migration/split/complete_split.h"
#include "migration/split/split_json.h"
#include "migration/split/split_units.h"
#include "record/expiry.h"
#include "rows/foreign_rows_text.h"
#include "splitter/residue_class_files.h"

namespace pegmove::migration {
namespace {

using async::milliseconds;
using runs::StepContext;
using runs::StepKind;
using runs::UndoEnd;
using runs::Undone;
using splitter::RowCounts;
using splitter::SplitPlan;
using splitter::UnitResult;

constexpr const char* kRowsStep = "split-rows";

// A unit of a scan is a residue class: there are no files at whose keys it could be divided.
Task<SplitPlan> plan_of(const SplitRequest& request, const RowOrigin& origin, const Clock& clock) {
  auto rules = rules_of(request, record::pegasus_seconds(clock.unix_seconds()));
  if (!origin.table)
    co_return co_await splitter::plan_split({.store = *origin.store, .place = request.from},
                                            std::move(rules), request.limits);
  CO_TRY(origin.table->router().check_not_split(rules.shape.sources));
  SplitPlan plan{.rules = std::move(rules), .units = {}};
  for (int32_t which = 0; which < plan.rules.shape.residue_classes(); ++which)
    plan.units.push_back({.which = which, .from = "", .to = ""});
  CO_TRY(splitter::check_limits(request.limits, plan.rules, 0));
  co_return plan;
}

// Calls to a store at the same time.
int calls_of(const SplitRequest& request) { return request.limits.units_at_once + 5; }

}  // namespace

Task<RowOrigin> open_row_origin(const Ports& ports, const SplitRequest& request) {
  RowOrigin origin;
  if (request.from_metas.empty()) {
    origin.store.emplace(CO_TRY(ports.get_store(request.from_store, calls_of(request))));
    co_return std::move(origin);
  }
  const auto deadline = Deadline::in(ports.clock, ports.timeout);
  origin.table = CO_TRY(co_await client::Table::open(
      CO_TRY(co_await ports.connect(request.from_metas)), request.from.table, deadline));
  CO_TRY(co_await inspect::check_access(*origin.table, {.reads = true}, deadline));
  co_return std::move(origin);
}

Split::Split(SplitRequest request, const Ports& ports, std::optional<SplitQuestions> questions)
    : request_(std::move(request)),
      ports_(ports),
      questions_(std::move(questions)),
      began_(ports.clock.now()) {}

Split::~Split() = default;

// Method three, middle part: a cold backup becomes the files of a bulk load, for any partition
// count.
std::vector<runs::Step> Split::steps() {
  return {{.name = "plan-split",
           .does = "divide the work into units, each a merge of some checkpoints",
           .run = [this](StepContext context) { return plan(context); },
           .take = [this](const journal::StepRecord& record) { return take_plan(record); }},
          {.name = kRowsStep,
           .does = "read the rows of table " + request_.from.table +
                   ", and write them as files for table " + request_.to.table,
           .kind = StepKind::kCompensable,
           .run = [this](StepContext context) { return split_rows(context); },
           .undo = [this](StepContext, const journal::StepRecord&) { return leave_files(); }},
          {.name = "finish-split",
           .does = "write the metadata of the set to " + request_.to_store + ":/" +
                   request_.to.table_folder(),
           .run = [this](StepContext context) { return finish(context); }}};
}

void Split::bind(SplitRequest request) { request_ = std::move(request); }

Task<runs::Assessment> Split::open(runs::Purpose purpose) {
  if (purpose == runs::Purpose::kUndo) co_return runs::Assessment{};  // there is nothing to undo
  runs::Assessment assessment;
  if (purpose == runs::Purpose::kBegin) {
    const bool was_for_old_servers = request_.for_old_servers;
    if (questions_) CO_TRY(co_await complete_split(ports_, *questions_, request_));
    if (request_.for_old_servers && !was_for_old_servers)
      assessment.notes.push_back(fmt::format(
          "the files are written for servers before Pegasus 2.5, since cluster '{}' has one",
          request_.to.cluster));
    CO_TRY(co_await open_ends());
    new_plan_ = CO_TRY(co_await check_split(request_, *origin_, target_->store));
  }
  co_return assessment;
}

Task<> Split::open_ends() {
  if (origin_) co_return Result<void>();
  target_.emplace(splitter::SplitTarget{
      .store = CO_TRY(ports_.get_store(request_.to_store, calls_of(request_))),
      .place = request_.to,
      .app_id = request_.to_app_id});
  origin_.emplace(CO_TRY(co_await open_row_origin(ports_, request_)));
  co_return Result<void>();
}

std::string Split::options() const { return to_json(request_); }

// Only once in a run: its files depend on the plan.
Task<std::string> Split::plan(StepContext context) {
  CO_TRY(co_await open_ends());
  auto plan = new_plan_ ? *std::move(new_plan_)
                        : CO_TRY(co_await plan_of(request_, *origin_, ports_.clock));
  std::vector<std::string> units;
  for (const auto& unit : plan.units) units.push_back(to_json(unit));
  CO_TRY(co_await context.session.plan_units(kRowsStep, std::move(units)));
  context.events.pass("split.planned");
  co_return head_to_json(plan);
}

Result<void> Split::take_plan(const journal::StepRecord& record) {
  if (!record.product.empty()) head_ = record.product;
  return {};
}

Task<> Split::read_plan(StepContext context) {
  if (!plan_.units.empty()) co_return Result<void>();
  auto units = CO_TRY(co_await context.session.planned_units(kRowsStep));
  plan_ = CO_TRY(in_context(plan_from_json(head_, units, request_),
                            "the journal's plan of run " + context.session.run().id));
  limits_ = request_.limits;
  limits_.work_folder += "/" + context.session.run().id;
  results_.assign(plan_.units.size(), {});
  done_.assign(plan_.units.size(), false);
  counts_.assign(plan_.units.size(), {});
  for (const auto& position : CO_TRY(co_await context.session.positions_of(kRowsStep))) {
    if (!position.done || size_t(position.unit) >= results_.size()) continue;
    const auto unit = size_t(position.unit);
    results_[unit] = CO_TRY(in_context(unit_result_from_json(position.detail), "the journal"));
    CO_TRY(in_context(check(unit, results_[unit]), "the journal"));
    counts_[unit] = results_[unit].counts;
    done_[unit] = true;
  }
  co_return Result<void>();
}

// In this process, or by the engine of Ports.
Task<std::string> Split::split_rows(StepContext context) {
  CO_TRY(co_await open_ends());
  CO_TRY(co_await read_plan(context));
  std::vector<size_t> units;
  for (size_t unit = 0; unit < plan_.units.size(); ++unit)
    if (!done_[unit]) units.push_back(unit);
  if (units.empty()) co_return std::string();
  const auto& stop = context.session.stop();
  EngineEvents events{
      .should_stop = [&stop] { return stop.requested(); },
      .on_progress = [this, context](size_t unit,
                                     const RowCounts& counts) { tell(context, unit, counts); },
      .on_done = [this, context](
                     size_t unit,
                     UnitResult result) { return note(context, unit, std::move(result)); },
      .on_failpoint = context.events.at};
  LocalUnits here(*origin_, *target_);
  std::unique_ptr<UnitEngine> elsewhere;
  if (ports_.make_unit_engine) elsewhere = CO_TRY(ports_.make_unit_engine(request_));
  UnitEngine& engine = elsewhere ? *elsewhere : here;
  auto request = request_;
  request.limits = limits_;
  CO_TRY(co_await engine.carry_out(request, plan_, units, std::move(events)));
  if (const auto missing = std::ranges::find(done_, false); missing != done_.end())
    co_return fail(Code::kProtocol,
                   fmt::format("no result of unit {} was reported; `pegmove resume` repeats it",
                               missing - done_.begin()));
  co_return std::string();
}

Task<Undone> Split::leave_files() const {
  co_return Undone{.end = UndoEnd::kStays,
                   .says = "files that were written stay in " + request_.to_store + ":/" +
                           request_.to.table_folder() + "; remove them if you do not need them"};
}

Task<std::string> Split::finish(StepContext context) {
  CO_TRY(co_await open_ends());
  CO_TRY(co_await read_plan(context));
  CO_TRY(co_await splitter::finish_split(*target_, plan_, results_, limits_, context.events.at));
  co_return std::string();
}

// The set must have exactly the files that its units may write.
Result<void> Split::check(size_t unit, const UnitResult& result) const {
  const auto targets = plan_.rules.shape.targets_of(plan_.units[unit].which);
  for (const auto& each : result.files)
    if (std::ranges::find(targets, each.partition) == targets.end() ||
        !each.file.name.starts_with(splitter::unit_prefix(int(unit)) + "_") ||
        !blockstore::is_name(each.file.name))
      return fail(Code::kProtocol,
                  fmt::format("unit {} cannot have written a file {} of partition {}", unit,
                              base::printable(each.file.name), each.partition));
  return {};
}

Result<void> Split::note(StepContext context, size_t unit, UnitResult result) {
  if (unit >= plan_.units.size() || done_[unit])
    return fail(Code::kProtocol, "a result was reported for a unit that was not requested: unit " +
                                     std::to_string(unit));
  TRY(check(unit, result));
  results_[unit] = std::move(result);
  done_[unit] = true;
  const auto& counts = results_[unit].counts;
  context.session.note({.unit = int32_t(unit),
                        .rows = counts.written,
                        .bytes = counts.bytes,
                        .done = true,
                        .detail = to_json(results_[unit])});
  context.events.pass("split.unit_noted");
  tell(context, unit, counts);
  return {};
}

void Split::tell(StepContext context, size_t unit, const RowCounts& counts) {
  counts_[unit] = counts;
  SplitProgress progress{.units = plan_.units.size(), .elapsed = elapsed()};
  for (const auto& each : counts_) progress.counts += each;
  for (const auto& each : plan_.units) progress.rows += each.rows;
  progress.units_done = size_t(std::ranges::count(done_, true));
  context.session.show_progress(context.events,
                                {.line = to_line(progress),
                                 .unit = "rows",
                                 .done = progress.counts.read,
                                 .total = progress.rows > 0 ? progress.rows : -1},
                                done_[unit]);
}

milliseconds Split::elapsed() const {
  return std::chrono::duration_cast<milliseconds>(ports_.clock.now() - began_);
}

SplitReport Split::made() const {
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

runs::Report Split::report(const journal::Run&) {
  const auto report = made();
  const auto json = to_json(report);
  return {.stored = json, .json = json, .text = to_text(report)};
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
    text += fmt::format(", {}/s", base::format_count(uint64_t(rate)));
    if (left > 0)
      text += ", ETA " + base::format_duration(milliseconds(int64_t(double(left) / rate * 1000)));
  }
  return fmt::format("{}, units {}/{}", text, progress.units_done, progress.units);
}

Task<SplitPlan> check_split(const SplitRequest& request, RowOrigin origin,
                            blockstore::AsyncStore target) {
  auto found = co_await target.list(request.to.table_folder());
  if (!found && found.error().code() != Code::kNotFound) co_return fail(std::move(found.error()));
  if (found && !found->empty())
    co_return fail(Code::kAlreadyExists,
                   fmt::format("{}: /{} already has files of another split or load; remove them, "
                               "or give another folder with --to",
                               target.store().description(), request.to.table_folder()));
  co_return co_await plan_of(request, origin, target.clock());
}

std::string to_text(const SplitReport& report) {
  const auto& counts = report.counts;
  std::string text = fmt::format(
      "Split into {} partitions of table {}: {} rows in {} files, {}, in {}.\n", report.partitions,
      report.place.table, base::format_count(uint64_t(counts.written)),
      base::format_count(uint64_t(report.files)), base::format_size(uint64_t(report.file_bytes)),
      base::format_duration(report.elapsed));
  const std::pair<int64_t, const char*> left_out[] = {
      {counts.expired, "had expired"}, {counts.filtered, "did not match the filters"}};
  for (const auto& [count, why] : left_out)
    if (count > 0)
      text += "Left out: " + base::format_count(uint64_t(count)) + " rows that " + why + ".\n";
  text += rows::foreign_text(counts.foreign, "of the source");
  if (report.empty_partitions > 0)
    text += std::to_string(report.empty_partitions) +
            " partitions have no rows. They have one file with a record that clients do not see, "
            "since servers refuse to load empty partitions.\n";
  return text + "Load it with: start_bulk_load -a " + report.place.table + " -c " +
         report.place.cluster + " -p " + report.store + " -r /" + report.place.root + "\n";
}

}  // namespace pegmove::migration
