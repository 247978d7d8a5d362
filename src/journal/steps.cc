// The steps of a run, their units and positions.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "journal/journal_file.h"

namespace pegmove::journal {
namespace {

constexpr size_t kMostStepNameBytes = 32;
constexpr size_t kMostLineBytes = 4096;  // of progress

bool is_step_name(std::string_view name) {
  return !name.empty() && name.size() <= kMostStepNameBytes &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

// `what` names the text; an empty text passes.
Result<void> check_json(const std::string& what, const std::string& text, size_t most) {
  if (text.size() > most)
    return fail(Code::kTooLarge,
                fmt::format("{} has {} bytes; at most {} are allowed", what, text.size(), most));
  if (text.empty() || nlohmann::json::accept(text)) return {};
  return fail(Code::kInvalidArgument, what + " is not JSON");
}

Result<void> check_position(const UnitPosition& position) {
  const auto unit = "unit " + std::to_string(position.unit);
  if (position.unit < 0 || position.rows < 0 || position.bytes < 0)
    return fail(Code::kInvalidArgument,
                fmt::format("a position of {} has a negative number", unit));
  if (position.last_key.size() > Journal::kMostKeyBytes)
    return fail(Code::kTooLarge,
                fmt::format("the last key of {} has {} bytes; at most {} are allowed", unit,
                            position.last_key.size(), Journal::kMostKeyBytes));
  return check_json("the detail of " + unit, position.detail, Journal::kMostDetailBytes);
}

Result<StepState> parse_step_state(std::string_view text) {
  for (auto state : {StepState::kBegun, StepState::kDone, StepState::kUndoing, StepState::kUndone})
    if (to_string(state) == text) return state;
  return fail(Code::kInvalidArgument,
              fmt::format("'{}' is not a state of a step", base::printable(text)));
}

// From the columns of get_units. Errors: kInvalidArgument.
Result<UnitPosition> read_position(const Query& row, const std::string& step) {
  const auto unit = row.integer(0);
  const auto done = row.integer(4);
  if (unit < 0 || unit > std::numeric_limits<int32_t>::max() || (done != 0 && done != 1))
    return fail(Code::kInvalidArgument, "a number is out of range");
  UnitPosition position{.unit = int32_t(unit),
                        .last_key = row.bytes(1),
                        .rows = row.integer(2),
                        .bytes = row.integer(3),
                        .done = done == 1,
                        .detail = row.bytes(5),
                        .step = step};
  TRY(check_position(position));
  return position;
}

Result<void> check_step(const StepRecord& step) {
  if (!is_step_name(step.name))
    return fail(
        Code::kInvalidArgument,
        fmt::format("'{}' is not a name of a step: up to 32 lower-case letters, digits and '-'",
                    base::printable(step.name)));
  TRY(check_json(fmt::format("what step {} found before it acted", step.name), step.before,
                 Journal::kMostStepBytes));
  return check_json("the product of step " + step.name, step.product, Journal::kMostStepBytes);
}

}  // namespace

Result<void> Journal::save_steps(const std::string& run, std::span<const StepRecord> steps) {
  for (const auto& step : steps) TRY(check_step(step));
  const auto doing = fmt::format("saving steps of run {}", run);
  return file_->connection.transact(Durability::kPower, doing, [&]() -> Result<void> {
    const auto found = TRY(find(run, doing));
    if (is_final(found.state))
      return fail(Code::kRefused, fmt::format("run {} is {}", run, to_string(found.state)));
    for (const auto& step : steps)
      TRY(file_->statements.steps.save_step
              .query(doing, run, step.name, to_string(step.state), step.before, step.product,
                     base::is_utf8(step.outcome) ? step.outcome : base::printable(step.outcome),
                     file_->unix_ms())
              .run());
    return {};
  });
}

Result<std::vector<StepRecord>> Journal::steps(const std::string& run) const {
  const auto doing = "reading steps of run " + run;
  TRY(find(run, doing));
  std::vector<StepRecord> steps;
  auto query = file_->statements.steps.get_steps.query(doing, run);
  while (TRY(query.next())) {
    auto state = parse_step_state(query.bytes(1));
    StepRecord step{.name = query.bytes(0),
                    .state = state.value_or(StepState::kBegun),
                    .before = query.bytes(2),
                    .product = query.bytes(3),
                    .outcome = query.bytes(4)};
    if (!state || !is_step_name(step.name) || !check_json("", step.before, kMostStepBytes) ||
        !check_json("", step.product, kMostStepBytes) || !base::is_utf8(step.outcome))
      return file_->corrupt(
          fmt::format("step '{}' of run {} cannot be read", base::printable(step.name), run));
    steps.push_back(std::move(step));
  }
  return steps;
}

Result<void> Journal::plan_units(const std::string& run, const std::string& step,
                                 std::span<const std::string> specs) {
  const auto doing = fmt::format("planning step {} of run {}", step, run);
  if (specs.size() > kMostUnits)
    return fail(Code::kTooLarge, fmt::format("step {} has {} units; at most {} are allowed", step,
                                             specs.size(), kMostUnits));
  for (size_t unit = 0; unit < specs.size(); ++unit) {
    const auto what = "the plan of unit " + std::to_string(unit);
    if (specs[unit].empty()) return fail(Code::kInvalidArgument, what + " is empty");
    TRY(check_json(what, specs[unit], kMostSpecBytes));
  }
  const auto& statements = file_->statements.steps;
  return file_->connection.transact(Durability::kPower, doing, [&]() -> Result<void> {
    TRY(find(run, doing));
    TRY(statements.drop_units.query(doing, run, step).run());
    for (size_t unit = 0; unit < specs.size(); ++unit)
      TRY(statements.plan_unit.query(doing, run, step, int64_t(unit), specs[unit]).run());
    return {};
  });
}

Result<std::vector<std::string>> Journal::planned_units(const std::string& run,
                                                        const std::string& step) const {
  const auto doing = "reading the plan of run " + run;
  TRY(find(run, doing));
  std::vector<std::string> specs;
  auto query = file_->statements.steps.get_plan.query(doing, run, step);
  while (TRY(query.next())) {
    auto spec = query.bytes(1);
    if (query.integer(0) != int64_t(specs.size()) || !check_json("", spec, kMostSpecBytes))
      return file_->corrupt(fmt::format("the plan of step {} of run {} cannot be read", step, run));
    specs.push_back(std::move(spec));
  }
  return specs;
}

Result<void> Journal::save(const std::string& run, std::span<const UnitPosition> positions) {
  TRY(check_run_id(run));
  if (positions.empty()) return {};
  const auto doing = "saving positions of run " + run;
  const auto& step = positions.front().step;
  for (const auto& position : positions) {
    TRY(in_context(check_position(position), "run " + run));
    if (position.step != step)
      return fail(Code::kInvalidArgument,
                  fmt::format("run {}: positions of two steps in one call", run));
  }
  const auto& statements = file_->statements.steps;
  return file_->connection.transact(Durability::kProcess, doing, [&]() -> Result<void> {
    TRY(find(run, doing));
    for (const auto& position : positions)
      TRY(statements.save_unit
              .query(doing, run, step, int64_t(position.unit), Blob{position.last_key},
                     position.rows, position.bytes, int64_t(position.done), position.detail)
              .run());
    TRY(statements.sum_units.query(doing, run, step, file_->unix_ms()).run());
    return {};
  });
}

Result<std::vector<UnitPosition>> Journal::positions(const std::string& run,
                                                     const std::string& step) const {
  const auto doing = "reading positions of run " + run;
  TRY(find(run, doing));
  std::vector<UnitPosition> positions;
  auto query = file_->statements.steps.get_units.query(doing, run, step);
  while (TRY(query.next())) {
    auto position = read_position(query, step);
    if (!position)
      return file_->corrupt(fmt::format("unit {} of run {} cannot be read: {}", query.integer(0),
                                        run, position.error().message()));
    positions.push_back(*std::move(position));
  }
  return positions;
}

Result<void> Journal::forget_positions(const std::string& run, const std::string& step) {
  const auto doing = "removing positions of run " + run;
  const auto& statements = file_->statements.steps;
  return file_->connection.transact(Durability::kPower, doing, [&]() -> Result<void> {
    TRY(find(run, doing));
    TRY(statements.drop_planned.query(doing, run, step).run());
    TRY(statements.clear_units.query(doing, run, step).run());
    TRY(statements.sum_units.query(doing, run, step, file_->unix_ms()).run());
    return {};
  });
}

Result<void> Journal::save_progress(const std::string& run, const Progress& progress) {
  const auto doing = "saving the progress of run " + run;
  const auto line = progress.line.size() <= kMostLineBytes && base::is_utf8(progress.line)
                        ? progress.line
                        : base::printable(progress.line, kMostLineBytes);
  return file_->connection.transact(Durability::kProcess, doing, [&]() -> Result<void> {
    TRY(find(run, doing));
    TRY(file_->statements.steps.save_progress
            .query(doing, run, progress.step, line, progress.unit, progress.done, progress.total,
                   progress.per_second, progress.eta_ms, file_->unix_ms())
            .run());
    return {};
  });
}

Result<Progress> Journal::progress(const std::string& run) const {
  const auto doing = "reading the progress of run " + run;
  TRY(find(run, doing));
  auto query = file_->statements.steps.get_progress.query(doing, run);
  if (!TRY(query.next())) return Progress{};
  Progress progress{.step = query.bytes(0),
                    .line = query.bytes(1),
                    .unit = query.bytes(2),
                    .done = query.integer(3),
                    .total = query.integer(4),
                    .per_second = query.integer(5),
                    .eta_ms = query.integer(6),
                    .updated_unix_ms = query.integer(7)};
  if (!base::is_utf8(progress.line) || !base::is_utf8(progress.step) ||
      !base::is_utf8(progress.unit))
    return file_->corrupt(fmt::format("the progress of run {} is not UTF-8 text", run));
  return progress;
}

Result<void> Journal::lease(const std::string& run, const Lease& lease) {
  const auto doing = "granting a lease of run " + run;
  return file_->connection.transact(Durability::kPower, doing, [&]() -> Result<void> {
    TRY(find(run, doing));
    if (lease.until_unix_ms == 0)
      TRY(file_->statements.steps.end_lease.query(doing, run, lease.step).run());
    else
      TRY(file_->statements.steps.save_lease.query(doing, run, lease.step, lease.until_unix_ms)
              .run());
    return {};
  });
}

Result<std::vector<Lease>> Journal::leases(const std::string& run) const {
  const auto doing = "reading leases of run " + run;
  TRY(find(run, doing));
  std::vector<Lease> leases;
  auto query = file_->statements.steps.get_leases.query(doing, run);
  while (TRY(query.next()))
    leases.push_back({.step = query.bytes(0), .until_unix_ms = query.integer(1)});
  return leases;
}

}  // namespace pegmove::journal
