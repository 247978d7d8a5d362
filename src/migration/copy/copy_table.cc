#include "migration/copy/copy_table.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <numeric>

#include "async/task_group.h"
#include "base/json_fields.h"
#include "base/json_text.h"
#include "compare/progress_text.h"
#include "migration/assess_findings.h"
#include "rows/foreign_rows_text.h"

namespace pegmove::migration {

using runs::StepContext;
using runs::StepKind;
using runs::UndoEnd;
using runs::Undone;

std::vector<runs::Step> copy_table(CopyTable& copy) {
  const auto& request = copy.request();
  const auto& options = request.options;
  const auto target = "table " + options.to_table + " on " + request.to_metas;
  std::vector<runs::Step> steps;

  steps.push_back(
      {.name = "make-target",
       .does = (options.create ? "create " : "open ") + target,
       .kind = StepKind::kCompensable,
       .run = [&copy](StepContext) { return copy.make_target(); },
       .take = [&copy](const journal::StepRecord& record) { return copy.take_target(record); },
       .undo = [&copy](StepContext,
                       const journal::StepRecord& record) { return copy.leave_target(record); }});

  steps.push_back(
      {.name = "copy-rows",
       .does = "copy every row of table " + options.table + " on " + request.from_metas + " to " +
               target,
       .run = [&copy](StepContext context) { return copy.copy_rows(context); },
       .take = [&copy](const journal::StepRecord& record) { return copy.take_rows(record); },
       .undo = [&copy](StepContext context,
                       const journal::StepRecord&) { return copy.leave_rows(context); }});

  if (options.create)
    steps.push_back(
        {.name = "finish-target",
         .does = "set the app envs of " + target + " that would have changed copied rows",
         .run = [&copy](StepContext) { return copy.finish_target(); }});

  if (options.live)
    steps.push_back(
        {.name = "verify-live",
         .does = "compare both tables while clients write, and repair the rows that differ",
         .run = [&copy](StepContext context) { return copy.verify_live(context); }});
  return steps;
}

namespace {

using async::milliseconds;
using SortedJson = nlohmann::json;

std::string to_json(const CopiedTables& tables) {
  return base::json_text(SortedJson{{"source_app_id", tables.source_app_id},
                                    {"source_partitions", tables.source_partitions},
                                    {"target_app_id", tables.target_app_id},
                                    {"target_partitions", tables.target_partitions},
                                    {"envs_after_copy", tables.envs_after_copy}});
}

Result<CopiedTables> read_tables(std::string_view text) {
  const auto json = base::parse_json<SortedJson>(text);
  const auto in = TRY(base::JsonFields::of(json, "the tables of a copy"));
  return CopiedTables{
      .source_app_id = int32_t(TRY(in.integer("source_app_id", 0, INT32_MAX))),
      .source_partitions = int32_t(TRY(in.integer("source_partitions", 1, INT32_MAX))),
      .target_app_id = int32_t(TRY(in.integer("target_app_id", 0, INT32_MAX))),
      .target_partitions = int32_t(TRY(in.integer("target_partitions", 1, INT32_MAX))),
      .envs_after_copy = TRY(in.text_map("envs_after_copy"))};
}

// A position does not show whether it is from before a partition split, and a split moves rows; and
// a DUPLICATE request may have put rows of a new partition into its parent.
Result<void> check_same_tables(const CopyRequest& request, const CopiedTables& then,
                               const CopiedTables& now, bool duplicates) {
  const auto split = [](const std::string& table, int32_t before, int32_t after) {
    return fmt::format("{}' has {} partitions instead of {}", table, after, before);
  };
  std::string changed;
  if (then.source_app_id != now.source_app_id)
    changed = fmt::format("source table '{}' is another table", request.options.table);
  else if (then.target_app_id != now.target_app_id)
    changed = fmt::format("target table '{}' is another table", request.options.to_table);
  else if (then.source_partitions != now.source_partitions)
    changed = split("source table '" + request.options.table, then.source_partitions,
                    now.source_partitions);
  else if (duplicates && then.target_partitions != now.target_partitions)
    changed = split("target table '" + request.options.to_table, then.target_partitions,
                    now.target_partitions);
  if (changed.empty()) return {};
  return fail(Code::kRefused, changed +
                                  " since the run began, so its positions are no longer valid: "
                                  "cancel the run and start another copy");
}

// What a lane's position contains besides the rows that were written.
std::string detail_of(const rows::LaneState& state) {
  if (state.expired + state.kept + state.not_geo + state.foreign.rows == 0) return "";
  return base::json_text(SortedJson{{"expired", state.expired},
                                    {"kept", state.kept},
                                    {"not_geo", state.not_geo},
                                    {"foreign", rows::foreign_to_journal(state.foreign)}});
}

journal::UnitPosition position_of(int32_t partition, const rows::LaneState& state) {
  return {.unit = partition,
          .last_key = state.last_key,
          .rows = state.rows,
          .bytes = state.bytes,
          .done = state.done,
          .detail = detail_of(state)};
}

void read_detail(const std::string& detail, rows::LaneState& state) {
  auto in = base::parse_json<SortedJson>(detail);
  if (!in.is_object()) return;  // no detail
  for (auto [key, to] :
       {std::pair("expired", &state.expired), {"kept", &state.kept}, {"not_geo", &state.not_geo}})
    if (in.contains(key) && in[key].is_number_integer()) *to = in[key].get<int64_t>();
  if (auto foreign = rows::foreign_from_journal(base::text_in(in, "foreign")))
    state.foreign = *std::move(foreign);
}

// What the report needs, for a later process.
std::string product_of(const CopyReport& report) {
  return base::json_text(SortedJson{{"rows", report.rows},
                                    {"bytes", report.bytes},
                                    {"expired", report.rows_expired},
                                    {"kept", report.rows_kept},
                                    {"not_geo", report.rows_not_geo},
                                    {"foreign", rows::foreign_to_journal(report.foreign)},
                                    {"partition_rows", report.partition_rows}});
}

Routine<> reach(const Ports& ports, inspect::Side& side) {
  side.cluster = co_await ports.connect(side.word);
}

}  // namespace

CopyTable::CopyTable(CopyRequest request, const Ports& ports, std::string from, std::string to)
    : request_(std::move(request)),
      ports_(ports),
      from_(from.empty() ? request_.from_metas : std::move(from)),
      to_(to.empty() ? request_.to_metas : std::move(to)) {}

CopyTable::~CopyTable() = default;

// What the run has done itself must not be refused by the checks.
CopyOptions CopyTable::options_now() const {
  auto options = request_.options;
  if (tables_) {  // rows may have been written already
    options.create = false;
    options.into_nonempty = true;
  }
  // Before the step began the run had created nothing: an existing table is not its own.
  options.made_by_this_run = options.create && may_have_made_target_;
  return options;
}

// All problems on either side are reported at once, before the first row.
Task<runs::Assessment> CopyTable::open(runs::Purpose purpose) {
  if (purpose == runs::Purpose::kUndo) co_return runs::Assessment{};  // there is nothing to undo
  inspect::Side source{from_, nullptr}, target{to_, nullptr};
  {
    async::TaskGroup both(co_await asio::this_coro::executor);
    both.spawn(reach(ports_, source));
    both.spawn(reach(ports_, target));
    co_await both.join();  // no result
  }
  preflight_ = co_await look_before_copy(std::move(source), std::move(target), options_now());
  auto assessment = assess(preflight_->result.findings);
  request_.options.duplicate = preflight_->options.duplicate = preflight_->result.method.duplicate;
  if (preflight_->source_cluster && preflight_->target_cluster)
    ends_ = {preflight_->source_cluster->name(), request_.options.table,
             preflight_->target_cluster->name(), request_.options.to_table};
  co_return assessment;
}

std::string CopyTable::options() const { return to_json(request_); }

void CopyTable::apply(const std::string& key, const std::string& value) {
  // `pegmove set` has checked it; a setting of a newer pegmove has no effect here.
  if (apply_setting(request_.throttle, key, value) && throttler_)
    apply_setting(throttler_->options(), key, value).value();
}

Task<> CopyTable::prepare() {
  if (copy_) co_return Result<void>();
  copy_ = CO_TRY(co_await prepare_copy(*std::move(preflight_)));
  preflight_.reset();
  const CopiedTables now{copy_->source->app_id(), copy_->source->partition_count(),
                         copy_->target->app_id(), copy_->target->partition_count(),
                         envs_after_copy(*copy_)};
  if (tables_)
    CO_TRY(check_same_tables(request_, *tables_, now, copy_->options.duplicate.has_value()));
  else
    tables_ = now;
  report_.source_app_id = now.source_app_id;
  report_.source_partitions = now.source_partitions;
  report_.target_app_id = now.target_app_id;
  report_.target_partitions = now.target_partitions;
  co_return Result<void>();
}

Task<std::string> CopyTable::make_target() {
  CO_TRY(co_await prepare());
  co_return to_json(*tables_);
}

Result<void> CopyTable::take_target(const journal::StepRecord& record) {
  may_have_made_target_ = true;
  if (record.state == journal::StepState::kDone || !record.product.empty())
    tables_ = TRY(read_tables(record.product));
  return {};
}

Task<Undone> CopyTable::leave_target(const journal::StepRecord& record) const {
  if (!request_.options.create) co_return Undone{};
  const auto table = "table " + request_.options.to_table + " on " + to_;
  if (record.product.empty())  // killed while it was created
    co_return Undone{.end = UndoEnd::kStays,
                     .says = table +
                             " may have been created by this run; if it exists and you do "
                             "not need it, drop it"};
  co_return Undone{
      .end = UndoEnd::kStays,
      .says = table + ", which this run created, stays; drop it if you do not need it"};
}

// Those of the source, one unit each. Errors: kInvalidArgument (a chosen one does not exist).
Result<std::vector<int32_t>> CopyTable::partitions() const {
  auto partitions = copy_->options.rules.partitions;
  const auto count = copy_->source->partition_count();
  for (auto partition : partitions)
    if (partition >= count)
      return fail(Code::kInvalidArgument,
                  fmt::format("table '{}' has no partition {}: its partitions are 0 to {}",
                              copy_->source->name(), partition, count - 1));
  if (!partitions.empty()) return partitions;
  partitions.resize(size_t(count));
  std::iota(partitions.begin(), partitions.end(), 0);
  return partitions;
}

Task<std::string> CopyTable::copy_rows(StepContext context) {
  CO_TRY(co_await prepare());
  auto& session = context.session;
  auto throttle_options = request_.throttle;
  throttle_options.most_at_once = copy_->options.pump.lanes_at_once;
  throttler_ = std::make_unique<rows::Throttler>(throttle_options, ports_.clock, session.stop());

  auto copy = *copy_;
  auto& pump = copy.options.pump;
  const auto units = CO_TRY(partitions());
  auto states = partitions_to_start(session.positions(), copy.source->partition_count());
  for (auto unit : units) pump.start.push_back(std::move(states[size_t(unit)]));
  pump.throttler = throttler_.get();
  pump.on_lane = [&session, &units](int lane, const rows::LaneState& state) {
    session.note(position_of(units[size_t(lane)], state));
  };
  CopySpeed speed;
  auto report =
      co_await migration::copy_rows(std::move(copy), session.stop(), [&](const CopyStatus& status) {
        session.set_reason(status.waits_for);
        session.show_progress(context.events, speed.progress_of(status), true);
      });
  throttler_.reset();
  report_ = CO_TRY(std::move(report));
  co_return product_of(report_);
}

Result<void> CopyTable::take_rows(const journal::StepRecord& record) {
  if (record.product.empty() || report_.rows > 0) return {};
  const auto json = base::parse_json<SortedJson>(record.product);
  const auto in = TRY(base::JsonFields::of(json, "what a copy has copied"));
  for (auto [name, to] : {std::pair("rows", &report_.rows),
                          {"bytes", &report_.bytes},
                          {"expired", &report_.rows_expired},
                          {"kept", &report_.rows_kept},
                          {"not_geo", &report_.rows_not_geo}})
    *to = TRY(in.integer(name, 0, INT64_MAX));
  // Copies of versions that kept foreign rows do not have this field.
  report_.foreign = TRY(rows::foreign_from_journal(TRY(in.text("foreign", ""))));
  report_.partition_rows = TRY(in.integers("partition_rows", 0, INT64_MAX));
  return {};
}

Task<Undone> CopyTable::leave_rows(StepContext context) const {
  const auto rows = context.session.run().rows;
  co_return Undone{.end = UndoEnd::kStays,
                   .says = fmt::format("the rows that were copied ({} according to the journal) "
                                       "stay in table {} on {}; the source is unchanged",
                                       rows, request_.options.to_table, to_)};
}

Task<std::string> CopyTable::finish_target() {
  CO_TRY(co_await prepare());
  CO_TRY(co_await migration::finish_target(*copy_->target, tables_->envs_after_copy,
                                           request_.options.timeout));
  co_return std::string();
}

Task<std::string> CopyTable::verify_live(StepContext context) {
  CO_TRY(co_await prepare());
  compare::ProgressText text("verifying");
  report_.live = CO_TRY(in_context(
      co_await compare::verify_and_repair_live(
          copy_->source, copy_->target, {.timeout = request_.options.timeout},
          context.session.stop(),
          [&](const compare::CompareCounts& so_far, milliseconds elapsed) {
            context.session.show_progress(
                context.events,
                {.line = text.line(so_far, elapsed), .unit = "rows", .done = so_far.source_rows},
                true);
          }),
      "the verification that ends a live copy"));
  co_return std::string();
}

// A live copy is not done when its verification found rows that could not be repaired: a later
// process verifies again.
runs::Report CopyTable::report(const journal::Run& run) {
  const auto json = to_json(report_, run.id, ends_);
  runs::Report report{.stored = base::json_text(json),
                      .json = base::json_text(json, 2),
                      .text = to_text(report_, ends_)};
  if (report_.live && !report_.live->source_is_there()) {
    report.tables_differ = true;
    report.not_done =
        Error(Code::kRefused, "all rows are copied, but the verification found rows that differ");
  }
  return report;
}

std::vector<rows::LaneState> partitions_to_start(
    const std::vector<journal::UnitPosition>& positions, int32_t partitions) {
  std::vector<rows::LaneState> states(static_cast<size_t>(partitions));
  for (const auto& position : positions) {
    if (position.unit < 0 || position.unit >= partitions) continue;
    auto& state = states[size_t(position.unit)];
    state.last_key = position.last_key;
    state.done = position.done;
    state.rows = position.rows;
    state.bytes = position.bytes;
    read_detail(position.detail, state);
  }
  return states;
}

}  // namespace pegmove::migration
