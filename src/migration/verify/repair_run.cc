#include "migration/verify/repair_run.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json_fields.h"
#include "base/json_text.h"
#include "base/units.h"
#include "compare/difference_file.h"
#include "compare/progress_text.h"
#include "migration/verify/compare_journal.h"
#include "rows/foreign_rows_text.h"

namespace pegmove::migration {
namespace {

using runs::StepContext;
using runs::StepKind;
using runs::UndoEnd;
using runs::Undone;
using Json = nlohmann::ordered_json;

constexpr int kMostErrorsShown = 20;

std::string lines_text(int64_t rows) { return base::format_count(uint64_t(rows)); }

Task<Undone> leave_repaired() {
  co_return Undone{.end = UndoEnd::kStays, .says = "rows that were repaired stay repaired"};
}

}  // namespace

std::string to_json(const RepairRequest& request) {
  auto json = base::parse_json<Json>(to_json_text(request.options));
  json["differences"] = request.differences;
  json["delete_extra"] = request.delete_extra;
  json["from_metas"] = request.from_metas;
  json["to_metas"] = request.to_metas;
  return base::json_text(json);
}

Result<RepairRequest> repair_request_from_json(const journal::Run& run) {
  RepairRequest request{.options = TRY(parse_compare_options(run.options))};
  const auto json = base::parse_json<Json>(run.options);
  request.from_metas = base::text_in(json, "from_metas");
  request.to_metas = base::text_in(json, "to_metas");
  request.options.table = run.table;
  request.options.to_table = run.to_table;
  const auto file = json.find("differences"), extra = json.find("delete_extra");
  if (file == json.end() || !file->is_string() || extra == json.end() || !extra->is_boolean() ||
      request.from_metas.empty() || request.to_metas.empty())
    return fail(Code::kCorrupt,
                fmt::format("the journal's options of run {} cannot be read; start another repair",
                            run.id));
  request.differences = *file;
  request.delete_extra = *extra;
  return request;
}

Result<int64_t> check_differences(const std::string& path) {
  auto reader = TRY(compare::DifferenceReader::open(path));
  int64_t rows = 0, wrong = 0;
  std::string lines;
  while (true) {
    auto next = reader.next();
    if (!next) {
      if (next.error().code() != Code::kInvalidArgument) return fail(next.error());
      if (++wrong <= kMostErrorsShown) lines += next.error().to_string() + "\n";
      continue;
    }
    if (!*next) break;
    ++rows;
  }
  if (wrong == 0) return rows;
  return fail(Code::kInvalidArgument,
              fmt::format("{}{}: {} lines are malformed; nothing was changed", lines, path,
                          lines_text(wrong)));
}

RepairRun::RepairRun(RepairRequest request, const Ports& ports)
    : request_(std::move(request)), ports_(ports) {}

std::vector<runs::Step> RepairRun::steps() {
  const auto which =
      request_.differences.empty() ? "that differ" : "of the list " + request_.differences;
  return {{.name = "repair",
           .does = "write the rows " + which + " as they are in table " + request_.options.table +
                   " on " + request_.from_metas + " to table " + request_.options.to_table +
                   " on " + request_.to_metas,
           .kind = StepKind::kCompensable,
           .run = [this](StepContext context) { return repair(context); },
           .undo = [](StepContext, const journal::StepRecord&) { return leave_repaired(); }}};
}

Task<runs::Assessment> RepairRun::open(runs::Purpose purpose) {
  if (purpose == runs::Purpose::kUndo) co_return runs::Assessment{};  // there is nothing to undo
  if (purpose == runs::Purpose::kResume && !request_.differences.empty())
    CO_TRY(check_differences(request_.differences));
  tables_ = CO_TRY(co_await open_pair(ports_, request_.from_metas, request_.to_metas,
                                      request_.options.table, request_.options.to_table,
                                      /*writes=*/!request_.dry_run));
  request_.from_metas = tables_->source->cluster().meta_list();
  request_.to_metas = tables_->target->cluster().meta_list();
  request_.options.to_table = tables_->target->name();
  request_.options.timeout = ports_.timeout;
  if (request_.options.live) request_.options.live->timeout = ports_.timeout;
  co_return runs::Assessment{};
}

std::string RepairRun::options() const { return to_json(request_); }

compare::RepairOptions RepairRun::repair_options() const {
  return {.delete_extra = request_.delete_extra,
          .dry_run = request_.dry_run,
          .rule = {.expiry_tolerance_s = request_.options.expiry_tolerance_s},
          .live = request_.options.live,
          .most_listed = request_.options.most_listed,
          .timeout = ports_.timeout};
}

Task<> RepairRun::repair_list(compare::Repair& repair) {
  auto reader = CO_TRY(compare::DifferenceReader::open(request_.differences));
  while (auto difference = CO_TRY(reader.next()))
    CO_TRY(co_await repair.take(*std::move(difference)));
  co_return Result<void>();
}

Task<std::string> RepairRun::repair(StepContext context) {
  // Rows that were left different before an interruption are found again, so that the report
  // includes them.
  CO_TRY(co_await context.session.forget_positions());
  compare::Repair repair(*tables_, repair_options(), context.session.stop());
  if (request_.differences.empty())
    compared_ = CO_TRY(
        co_await compare_journaled(context, *tables_, request_.options, &repair, "repairing"));
  else
    CO_TRY(co_await repair_list(repair));
  CO_TRY(co_await repair.flush());
  repaired_ = repair.report();
  co_return std::string();
}

Task<runs::Report> RepairRun::dry_run(const runs::Events& events, const journal::NewRun& names) {
  compare::Repair repair(*tables_, repair_options(), ports_.stop);
  compare::ProgressText text("comparing");
  if (request_.differences.empty())
    compared_ = CO_TRY(co_await compare::compare(
        *tables_, request_.options, ports_.stop,
        {.on_progress =
             [&](const compare::CompareCounts& so_far, async::milliseconds elapsed) {
               if (events.show) events.show(text.line(so_far, elapsed));
             },
         .sink = &repair}));
  else
    CO_TRY(co_await repair_list(repair));
  CO_TRY(co_await repair.flush());
  repaired_ = repair.report();
  journal::Run none;
  none.from = names.from;
  none.to = names.to;
  none.table = names.table;
  none.to_table = names.to_table;
  co_return report(none);
}

bool RepairRun::all_agree() const {
  return repaired_.all_agree() && !(request_.dry_run && repaired_.repaired() > 0) &&
         (!compared_ || compared_->not_settled == 0);
}

std::string RepairRun::json(const journal::Run& run, bool with_rows) const {
  Json json{{"id", run.id},
            {"from", run.from},
            {"to", run.to},
            {"table", run.table},
            {"to_table", run.to_table},
            {"dry_run", request_.dry_run},
            {"looked_at", repaired_.looked_at},
            {"agreed_before", repaired_.agreed_before},
            {"missing", repaired_.missing},
            {"value", repaired_.value},
            {"expiry", repaired_.expiry},
            {"extra_deleted", repaired_.extra_deleted},
            {"extra_left", repaired_.extra_left},
            {"agree_now", repaired_.agree_now},
            {"differ_now", repaired_.differ_now},
            {"not_settled", repaired_.not_settled + (compared_ ? compared_->not_settled : 0)}};
  if (compared_) json["rows_compared"] = compared_->source_rows;
  rows::add_foreign(json, foreign_rows());
  if (request_.options.sample) json["seed"] = request_.options.sample->seed;
  if (!with_rows) return base::json_text(json);
  auto& left = json["left"] = Json::array();
  for (const auto& difference : repaired_.left)
    left.push_back(base::parse_json<Json>(compare::difference_json(difference)));
  return base::json_text(json, 2);
}

// Of both tables: they are compared and repaired as if these rows were not there.
client::ForeignRows RepairRun::foreign_rows() const {
  client::ForeignRows foreign;
  if (!compared_) return foreign;
  foreign += compared_->source_foreign;
  foreign += compared_->target_foreign;
  return foreign;
}

std::string RepairRun::text() const {
  std::string text;
  for (const auto& difference : repaired_.left)
    text += "left: " + compare::difference_text(difference) + "\n";
  text +=
      fmt::format("{}: {} missing rows written, {} values, {} expiries, {} extra rows deleted.\n",
                  request_.dry_run ? "Would repair" : "Repaired", lines_text(repaired_.missing),
                  lines_text(repaired_.value), lines_text(repaired_.expiry),
                  lines_text(repaired_.extra_deleted));
  text += fmt::format("Of {} rows checked, {} already agreed.\n", lines_text(repaired_.looked_at),
                      lines_text(repaired_.agreed_before));
  if (!request_.dry_run)
    text += fmt::format("Read back: {} agree now, {} differ.\n", lines_text(repaired_.agree_now),
                        lines_text(repaired_.differ_now));
  if (repaired_.extra_left > 0)
    text += fmt::format("Extra rows left in the target: {}; --delete-extra deletes them.\n",
                        lines_text(repaired_.extra_left));
  if (auto open = repaired_.not_settled + (compared_ ? compared_->not_settled : 0); open > 0)
    text += fmt::format("Not proven: {} rows kept changing; repair again.\n", lines_text(open));
  return text + rows::foreign_text(foreign_rows(), "of both tables");
}

runs::Report RepairRun::report(const journal::Run& run) {
  return {.stored = json(run, false),
          .json = json(run, true),
          .text = text(),
          .tables_differ = !all_agree()};
}

}  // namespace pegmove::migration
