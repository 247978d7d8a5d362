// The steps of a hot migration from its cutover on.
#include <fmt/format.h>

#include "async/task_group.h"
#include "base/check.h"
#include "base/units.h"
#include "client/table.h"
#include "compare/progress_text.h"
#include "migration/hot/forecast.h"
#include "migration/hot/hot.h"
#include "migration/hot/route_switch.h"

namespace pegmove::migration::hot {

using async::milliseconds;
using journal::Request;
using journal::StepRecord;
using journal::StepState;
using runs::StepContext;
using runs::UndoEnd;
using runs::Undone;

namespace {

constexpr milliseconds kBetweenWatchLooks{500};
constexpr milliseconds kBetweenSettingsKept{5'000};
constexpr milliseconds kServingQuestion{3'000};

const StepRecord& cutover_record(StepContext context) {
  const auto* found = context.session.find_step(kCutoverStep);
  base::check(found != nullptr, "a step that acts is in the journal");
  return *found;
}

// Ends the comparison when its time is over.
Routine<> stop_at(Clock& clock, async::Instant at, async::StopSignal& stop) {
  co_await clock.sleep_until(at);  // no result
  if (clock.now() >= at) stop.request();
}

}  // namespace

Task<HotMigration::SwitchAttempt> HotMigration::attempt_of(JournaledSwitch journaled) {
  auto plan = CO_TRY(co_await this->plan(journaled.goes_back, journaled.opens_target));
  auto& from = *CO_TRY(journaled.goes_back ? co_await target() : co_await source());
  auto& to = *CO_TRY(journaled.goes_back ? co_await source() : co_await target());
  auto* relay = journaled.goes_back ? relay_back_.get() : relay_.get();
  co_return SwitchAttempt{
      .journaled = std::move(journaled),
      .plan = std::move(plan),
      .ports = {
          .source = from, .target = to, .nodes = *nodes_, .clock = ports_.clock, .relay = relay}};
}

// The direction is what was asked for, and the node must agree.
Task<std::string> HotMigration::find_before_switch(StepContext context) {
  const auto* record = context.session.find_step(kCutoverStep);
  JournaledSwitch journaled{.goes_back = record && record->outcome == kRollbackAsked};
  auto& to = *CO_TRY(journaled.goes_back ? co_await source() : co_await target());
  journaled.opens_target = CO_TRY(co_await to.denied(soon())).has_value();
  const auto plan = CO_TRY(co_await this->plan(journaled.goes_back, journaled.opens_target));
  journaled.before = CO_TRY(co_await read_before(*nodes_, ports_.clock, plan, soon()));
  context.events.pass("cutover.version_read");
  co_return to_json(journaled);
}

Task<std::string> HotMigration::cut_over(StepContext context) {
  auto& session = context.session;
  has_given_back_ = false;
  auto attempt = CO_TRY(
      co_await attempt_of(CO_TRY(journaled_switch_from_json(cutover_record(context).before))));
  const bool goes_back = attempt.journaled.goes_back;
  const auto gives_back = attempt.ports.source.envs_act_within() + attempt.plan.give_back_takes;
  if (ports_.start_guard) CO_TRY(ports_.start_guard(session.run().id));
  // It is not extended: after it the guard gives back, whatever this process does.
  CO_TRY(co_await session.grant_lease(kCutoverStep, attempt.plan.max_write_hold - gives_back,
                                      runs::RunSession::Extend::kNo));
  auto hooks = hooks_of(context);
  if (compares(goes_back, attempt.journaled.opens_target))
    hooks.compare = [this, context, goes_back](Deadline deadline) {
      return compare_sides(context, goes_back, deadline);
    };
  auto end = co_await hot::cut_over(attempt.ports, attempt.plan, attempt.journaled.before,
                                    std::move(hooks));
  if (!end && end.error().code() == Code::kInterrupted) co_return fail(std::move(end.error()));
  if (!end)
    co_return co_await end_given_back(context, goes_back,
                                      "nothing was changed: " + end.error().to_string());
  if (end->result == CutoverResult::kStaysDenied) co_return fail(Code::kRefused, end->says);
  if (end->result == CutoverResult::kGivenBack)
    co_return co_await end_given_back(context, goes_back, end->says);
  co_return co_await end_switched(context, goes_back,
                                  {.goes_back = goes_back,
                                   .version = end->version,
                                   .held_ms = end->held.count(),
                                   .ended_ms = ports_.clock.unix_us() / 1000});
}

// A process that held the cutover is gone. Either it has switched, or it is given back now.
Task<std::optional<std::string>> HotMigration::find_switched(StepContext context) {
  auto attempt = CO_TRY(
      co_await attempt_of(CO_TRY(journaled_switch_from_json(cutover_record(context).before))));
  const bool goes_back = attempt.journaled.goes_back;
  const auto given_back =
      CO_TRY(co_await give_back(attempt.ports, attempt.plan, attempt.journaled.before,
                                ports_.clock.now() + kLateRequest, hooks_of(context)));
  if (given_back.end == GaveBack::kStaysDenied) co_return fail(Code::kRefused, given_back.says);
  if (given_back.end == GaveBack::kSourceServes)
    co_return co_await end_given_back(context, goes_back, given_back.says);
  co_return co_await end_switched(context, goes_back,
                                  {.goes_back = goes_back,
                                   .version = attempt.journaled.before.version + 1,
                                   .ended_ms = ports_.clock.unix_us() / 1000});
}

Task<std::string> HotMigration::end_switched(StepContext context, bool goes_back, HotSwitch done) {
  CO_TRY(co_await context.session.end_leases());
  const auto& serves = goes_back ? request_.source : request_.target;
  context.events.note(fmt::format("cluster {} serves table {}; requests waited for {}",
                                  serves.cluster, serves.table,
                                  base::format_duration(milliseconds(done.held_ms))));
  report_.last_switch = done;
  if (goes_back) context.session.repeat_from(kWaitStep, kRolledBack);
  co_return to_json(done);
}

// Who served before serves. After a cutover the run waits for the next one; after a rollback it
// watches the target again.
Task<std::string> HotMigration::end_given_back(StepContext context, bool goes_back,
                                               std::string says) {
  auto& session = context.session;
  auto record = cutover_record(context);
  record.state = goes_back ? StepState::kDone : StepState::kUndone;
  record.outcome = kGivenBack + says;
  CO_TRY(co_await session.save_step(std::move(record)));
  if (!goes_back)
    CO_TRY(co_await session.save_step(
        {.name = kWaitStep, .state = StepState::kUndone, .outcome = "the cutover was given back"}));
  CO_TRY(co_await session.end_leases());
  has_given_back_ = true;
  co_return fail(Code::kRefused,
                 fmt::format("the {} was given back: {}; `pegmove {} {}` tries again",
                             goes_back ? "rollback" : "cutover", says,
                             goes_back ? "rollback" : "cutover", session.run().id));
}

Result<void> HotMigration::take_switch(const StepRecord& record) {
  if (!record.product.empty()) report_.last_switch = TRY(hot_switch_from_json(record.product));
  return {};
}

// A cancel. Once the target serves, going back is a cutover of its own, which a cancel is not.
Task<Undone> HotMigration::give_cutover_back(StepContext context, const StepRecord& record) {
  const auto serves = CO_TRY(co_await who_serves());
  if (serves == NodeNames::kTarget) {
    was_too_late_ = true;
    co_return Undone{.end = UndoEnd::kTooLate,
                     .says = fmt::format("it is too late to cancel: cluster {} serves table {}. "
                                         "`pegmove rollback {}` moves it back; after that the run "
                                         "can be cancelled",
                                         request_.target.cluster, request_.target.table,
                                         context.session.run().id)};
  }
  if (record.before.empty()) co_return Undone{.says = "the cutover was not begun"};
  auto attempt = CO_TRY(co_await attempt_of(CO_TRY(journaled_switch_from_json(record.before))));
  const auto end = CO_TRY(co_await give_back(attempt.ports, attempt.plan, attempt.journaled.before,
                                             ports_.clock.now() + kLateRequest, hooks_of(context)));
  if (end.end == GaveBack::kStaysDenied) co_return fail(Code::kRefused, end.says);
  co_return Undone{.says = end.says};
}

CutoverHooks HotMigration::hooks_of(StepContext context) {
  CutoverHooks hooks{.at = context.events.at,
                     .show =
                         [context](const std::string& line) {
                           context.session.show_progress(context.events, {.line = line}, false);
                         },
                     .warn = [context](const std::string& text) { context.events.warn_of(text); },
                     .stopped = [context] { return context.session.stop().requested(); }};
  return hooks;
}

Result<void> HotMigration::take_steps(const std::vector<StepRecord>& records) {
  const auto all = steps();
  for (const auto& record : records)
    for (const auto& step : all)
      if (step.name == record.name && step.take && record.state != StepState::kUndone)
        TRY(step.take(record));
  return {};
}

Task<GuardEnd> HotMigration::guard(StepRecord record, Holder& holder, CutoverHooks hooks) {
  auto attempt = CO_TRY(co_await attempt_of(CO_TRY(journaled_switch_from_json(record.before))));
  co_return co_await guard_cutover(attempt.ports, attempt.plan, attempt.journaled.before, holder,
                                   std::move(hooks));
}

Task<std::string> HotMigration::describe_switch(bool goes_back) {
  const auto& duplication = goes_back ? back_ : forward_;
  if (!duplication.shipping())
    co_return fail(Code::kRefused, "the run has not come so far yet: the table is not duplicated");
  auto& to = *CO_TRY(goes_back ? co_await source() : co_await target());
  const bool opens_target = CO_TRY(co_await to.denied(soon())).has_value();
  auto attempt =
      CO_TRY(co_await attempt_of({.goes_back = goes_back, .opens_target = opens_target}));
  const auto& plan = attempt.plan;
  const auto before = CO_TRY(co_await read_before(*nodes_, ports_.clock, plan, soon()));
  const auto forecast = co_await forecast_cutover(attempt.ports, plan, soon());
  auto* side = CO_TRY(goes_back ? co_await target() : co_await source());
  const auto look = CO_TRY(co_await look_at_shipping(*side, *duplication.shipping(), soon()));
  LagMeter meter;
  meter.add(ports_.clock.now(), look.lag);
  co_return fmt::format(
      "node {} has version {} and names cluster {} ({})\n{}\n{} would be denied there for at most "
      "{}, "
      "and the node would name cluster {} ({})\n{}",
      plan.path, before.version, plan.from.cluster, plan.from.metas_text(),
      look.says.empty() ? meter.to_line() : look.says,
      plan.fence == FenceKind::kAll ? "reads and writes" : "writes",
      base::format_duration(plan.max_write_hold), plan.to.cluster, plan.to.metas_text(),
      to_text(forecast));
}

// Nobody writes to the side that is left, and all that it has shipped has arrived: what differs now
// was reordered or left out on the way, and what is repaired is exact.
Task<> HotMigration::repair_other_side(StepContext context, bool goes_back,
                                       const async::StopSignal& stop) {
  auto of_source =
      CO_TRY(co_await client::Table::open(source_cluster_, request_.source.table, soon()));
  auto of_target =
      CO_TRY(co_await client::Table::open(target_cluster_, request_.target.table, soon()));
  compare::ProgressText text("comparing");
  const auto live = CO_TRY(co_await compare::verify_and_repair_live(
      goes_back ? of_target : of_source, goes_back ? of_source : of_target,
      {.recheck = {.lag = milliseconds(50), .reads = 2},
       .delete_extra = true,
       .timeout = request_.timeout},
      stop, [&](const compare::CompareCounts& so_far, milliseconds elapsed) {
        context.session.show_progress(context.events, {.line = text.line(so_far, elapsed)}, false);
      }));
  report_.verification = summary_of(live, ports_.clock.unix_us() / 1000);
  if (report_.verification->is_good()) co_return Result<void>();
  co_return fail(Code::kRefused,
                 fmt::format("the tables differ ({})", to_text(*report_.verification)));
}

Task<> HotMigration::compare_sides(StepContext context, bool goes_back, Deadline deadline) {
  async::StopSignal stop;
  async::TaskGroup timer(co_await asio::this_coro::executor);
  timer.spawn(stop_at(ports_.clock, deadline.at, stop));
  auto compared = co_await repair_other_side(context, goes_back, stop);
  timer.stop();
  co_await timer.join();  // no result
  if (compared || !stop.requested()) co_return compared;
  co_return fail(Code::kTimeout,
                 fmt::format("the tables could not be compared within --max-write-hold; `pegmove "
                             "set {} max-write-hold=DURATION` gives more time",
                             context.session.run().id));
}

// Until a rollback or the end is asked for.
Task<std::string> HotMigration::watch(StepContext context) {
  auto& session = context.session;
  std::optional<async::Instant> kept_at;
  bool is_unsealed = !relay_back_;
  while (true) {
    if (session.stop().requested() || was_too_late_)
      co_return fail(
          Code::kInterrupted,
          fmt::format("cluster {} serves the table; the run waits for `pegmove complete` "
                      "or `pegmove rollback`",
                      request_.target.cluster));
    if (const auto request = session.take_request()) {
      if (request == Request::kComplete) break;
      if (request == Request::kRollback && request_.has_way_back()) {
        session.repeat_from(kCutoverStep, kRollbackAsked);
        break;
      }
      context.events.warn_of(request == Request::kRollback
                                 ? kNoWayBack
                                 : "the target serves already: there is nothing to cut over");
    }
    // An earlier rollback has sealed it.
    if (!is_unsealed) is_unsealed = (co_await relay_back_->unseal(soon())).has_value();
    const auto serves = co_await who_serves();
    if (serves && *serves != NodeNames::kTarget)
      co_return fail(Code::kRefused,
                     fmt::format("somebody else has changed the node of table {} in ZooKeeper: it "
                                 "does not name cluster {} any more, whose clients are denied "
                                 "elsewhere; `pegmove routes set` writes it again, and then resume "
                                 "the run",
                                 request_.source.table, request_.target.cluster));
    session.set_reason(serves ? "" : serves.error().to_string());
    if (!kept_at || session.clock().now() - *kept_at >= kBetweenSettingsKept) {
      const auto kept = co_await keep_settings(context, Keeps::kTarget);
      if (!kept) session.set_reason(kept.error().to_string());
      kept_at = session.clock().now();
    }
    co_await look_at_serving(context);                       // no result
    co_await session.clock().sleep_for(kBetweenWatchLooks);  // no result
  }
  session.set_reason("");
  co_return std::string();
}

// Shown only: under a deny the source's number of requests says nothing about its clients.
Routine<> HotMigration::look_at_serving(StepContext context) {
  for (const bool of_target : {true, false}) {
    auto side = of_target ? co_await target() : co_await source();
    if (!side) continue;
    const auto served = co_await served_requests((*side)->cluster(), (*side)->app_id(),
                                                 Deadline::in(ports_.clock, kServingQuestion));
    if (served) (of_target ? target_serving_ : source_serving_).add(ports_.clock.now(), *served);
  }
  report_.failed_requests = target_serving_.failed();
  report_.refused_atomic = target_serving_.refused_atomic() + source_serving_.refused_atomic();
  const auto& id = context.session.run().id;
  context.session.show_progress(
      context.events,
      {.line = fmt::format("cluster {} serves table {}; `pegmove complete {}` ends the migration, "
                           "`pegmove rollback {}` moves it back; {}",
                           request_.target.cluster, request_.target.table, id, id,
                           to_line(target_serving_, source_serving_)),
       .per_second = target_serving_.per_second().value_or(-1)},
      false);
}

// The pivot. Each part may be repeated.
Task<std::string> HotMigration::complete(StepContext context) {
  if (CO_TRY(co_await who_serves()) != NodeNames::kTarget)
    co_return fail(Code::kRefused,
                   "the node in ZooKeeper does not name the target: `pegmove cancel` ends a "
                   "migration whose source serves");
  context.session.show_progress(context.events, {.line = "removing the duplications"}, false);
  if (request_.has_way_back())
    report_.notes.push_back(CO_TRY(co_await remove_duplication_back()).says);
  report_.notes.push_back(CO_TRY(co_await remove_forward()).says);
  CO_TRY(co_await put_settings_back());
  CO_TRY(co_await forget_follower_envs());
  if (request_.has_relay()) {
    report_.notes.push_back(fmt::format(
        "the table has {} partitions now; the relays have nothing to do any more: stop them",
        request_.other.partitions));
    report_.notes.push_back(fmt::format(
        "the backup and the files stay in {}: remove the backup with `pegmove backups rm`, and the "
        "folder /{} by hand",
        request_.other.store, request_.other.split_path));
  }
  if (request_.drops_source) {
    CO_TRY(co_await source_cluster_->drop_table(request_.source.table, 0, soon()));
    report_.dropped_source = true;
  }
  co_return std::string();
}

// With them the target could not be the source of another duplication.
Task<> HotMigration::forget_follower_envs() {
  const auto info = CO_TRY(co_await target_cluster_->table_info(request_.target.table, soon()));
  std::vector<std::string> keys;
  for (const auto& [name, value] : info.envs)
    if (name.starts_with("duplication.")) keys.push_back(name);
  if (!keys.empty())
    CO_TRY(co_await target_cluster_->delete_envs(request_.target.table, keys, soon()));
  co_return Result<void>();
}

Task<Undone> HotMigration::refuse_cancel() {
  was_too_late_ = true;
  co_return Undone{.end = UndoEnd::kTooLate,
                   .says = "it is too late to cancel: the migration is being completed"};
}

}  // namespace pegmove::migration::hot
