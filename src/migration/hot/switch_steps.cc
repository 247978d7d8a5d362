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

constexpr milliseconds kBetweenStopLooks{200};
constexpr milliseconds kPastForServers{10'000};
constexpr milliseconds kCertifies{1'000};

const StepRecord& cutover_record(StepContext context) {
  const auto* found = context.session.find_step(kCutoverStep);
  base::check(found != nullptr, "a step that acts is in the journal");
  return *found;
}

// Ends the comparison when its time is over, or the operator does.
Routine<> stop_at(Clock& clock, async::Instant at, const async::StopSignal& asked,
                  async::StopSignal& stop, const async::TaskGroup& group) {
  while (clock.now() < at && !asked.requested() && !group.stopped())
    co_await clock.sleep_until(std::min(at, clock.now() + kBetweenStopLooks));  // no result
  if (!group.stopped()) stop.request();
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

// The direction is what was asked for, and the node must agree. What cannot begin is given back: a
// later process must not begin it by itself.
Task<std::string> HotMigration::find_before_switch(StepContext context) {
  const auto* record = context.session.find_step(kCutoverStep);
  const bool goes_back = record && record->outcome == kRollbackAsked;
  auto found = co_await look_before_switch(context.session.run(), goes_back);
  if (found) {
    context.events.pass("cutover.version_read");
    co_return to_json(*found);
  }
  co_return co_await end_given_back(context, goes_back,
                                    "nothing was changed: " + found.error().to_string());
}

// An env of somebody else is not taken for one that an earlier switch has left: it would be
// deleted.
Task<JournaledSwitch> HotMigration::look_before_switch(const journal::Run& run, bool goes_back) {
  JournaledSwitch journaled{.goes_back = goes_back};
  const auto not_verified = goes_back ? std::nullopt : why_not_verified(run);
  if (not_verified)
    co_return fail(Code::kRefused, *not_verified + "; the next try verifies the tables again");
  auto& from = *CO_TRY(goes_back ? co_await target() : co_await source());
  auto& to = *CO_TRY(goes_back ? co_await source() : co_await target());
  CO_TRY(co_await check_not_denied(from, soon()));
  const auto denied = CO_TRY(co_await to.denied(soon()));
  journaled.opens_target = denied == kDenyAll;
  if (!journaled.opens_target) CO_TRY(co_await check_not_denied(to, soon()));
  const auto plan = CO_TRY(co_await this->plan(goes_back, journaled.opens_target));
  journaled.served = co_await served_before_switch(goes_back);
  journaled.before = CO_TRY(co_await claim_node(*nodes_, ports_.clock, plan, soon()));
  co_return journaled;
}

Task<std::string> HotMigration::cut_over(StepContext context) {
  auto& session = context.session;
  has_given_back_ = false;
  auto attempt = CO_TRY(
      co_await attempt_of(CO_TRY(journaled_switch_from_json(cutover_record(context).before))));
  const bool goes_back = attempt.journaled.goes_back;
  if (ports_.start_guard) CO_TRY(ports_.start_guard(session.run().id));
  auto hooks = hooks_of(context);
  hooks.at = [this, at = context.events.at](std::string_view point) {
    if (point == "cutover.fence_proven") fenced_us_ = ports_.clock.unix_us();
    if (at) at(point);
  };
  hooks.before_fence = [context, lease = attempt.plan.max_write_hold -
                                         attempt.ports.source.envs_act_within() -
                                         attempt.plan.give_back_takes] {
    // It is not extended: after it the guard gives back, whatever this process does.
    return context.session.grant_lease(kCutoverStep, lease, runs::RunSession::Extend::kNo);
  };
  const bool is_compared = compares(goes_back, attempt.journaled.opens_target);
  if (has_real_servers() || is_compared)
    hooks.compare = [this, context, goes_back, is_compared](Deadline deadline) {
      return check_under_fence(context, goes_back, is_compared, deadline);
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
                                   .ended_ms = ports_.clock.unix_us() / 1000,
                                   .served_before = attempt.journaled.served});
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
                                   .ended_ms = ports_.clock.unix_us() / 1000,
                                   .served_before = attempt.journaled.served});
}

Task<std::string> HotMigration::end_switched(StepContext context, bool goes_back, HotSwitch done) {
  CO_TRY(co_await context.session.end_leases());
  const auto& serves = goes_back ? request_.source : request_.target;
  context.events.note(fmt::format("cluster {} serves table {}; requests waited for {}",
                                  serves.cluster, serves.table,
                                  base::format_duration(milliseconds(done.held_ms))));
  report_.last_switch = done;
  if (goes_back) {
    auto record = cutover_record(context);
    record.product = to_json(done);
    CO_TRY(co_await context.session.save_step(std::move(record)));
    context.session.repeat_from(kWaitStep, kRolledBack);
  }
  co_return to_json(done);
}

// Who served before serves. After a cutover the run waits for the next one; after a rollback it
// watches the target again.
Task<std::string> HotMigration::end_given_back(StepContext context, bool goes_back,
                                               std::string says) {
  auto& session = context.session;
  const auto* found = session.find_step(kCutoverStep);
  auto record = found ? *found : StepRecord{.name = kCutoverStep};
  record.state = goes_back ? StepState::kDone : StepState::kUndone;
  record.outcome = kGivenBack + says;
  std::vector<StepRecord> records{std::move(record)};
  if (!goes_back)
    records.push_back(
        {.name = kWaitStep, .state = StepState::kUndone, .outcome = "the cutover was given back"});
  CO_TRY(co_await session.save_steps(std::move(records)));
  CO_TRY(co_await session.end_leases());
  has_given_back_ = true;
  co_return fail(Code::kRefused,
                 fmt::format("the {} was given back: {}; `pegmove {} {}` tries again",
                             goes_back ? "rollback" : "cutover", says,
                             goes_back ? "rollback" : "cutover", session.run().id));
}

Result<void> HotMigration::take_switch(const StepRecord& record) {
  if (record.product.empty()) return {};
  report_.last_switch = TRY(hot_switch_from_json(record.product));
  if (!report_.last_switch->goes_back) report_.served_before = report_.last_switch->served_before;
  return {};
}

// By the journal the target serves since this switch, and the node names the source: somebody else
// has written it.
Task<> HotMigration::check_nobody_wrote_back(const StepRecord& record,
                                             const JournaledSwitch& journaled) {
  bool target_served = journaled.goes_back && record.outcome.starts_with(kGivenBack);
  if (!journaled.goes_back && !record.product.empty())
    target_served =
        CO_TRY(hot_switch_from_json(record.product)).version == journaled.before.version + 1;
  if (!target_served || CO_TRY(co_await who_serves()) != NodeNames::kSource)
    co_return Result<void>();
  co_return fail(
      Code::kRefused,
      fmt::format("cluster {} has served table {} since the cutover, and somebody else has made "
                  "the node in ZooKeeper name cluster {}, which does not have what was written "
                  "since. Write the node back with `pegmove routes set --to {}`, and then use "
                  "`pegmove rollback`; or end the run with `pegmove cancel --abandon`",
                  request_.target.cluster, request_.target.table, request_.source.cluster,
                  request_.target.cluster));
}

Undone HotMigration::too_late_to_cancel(StepContext context) {
  was_too_late_ = true;
  return {.end = UndoEnd::kTooLate,
          .says = fmt::format("it is too late to cancel: cluster {} serves table {}. `pegmove "
                              "rollback {}` moves it back; after that the run can be cancelled",
                              request_.target.cluster, request_.target.table,
                              context.session.run().id)};
}

// A cancel. Giving back asks by compare-and-set who serves. Once the target does, going back is a
// cutover of its own, which a cancel is not.
Task<Undone> HotMigration::give_cutover_back(StepContext context, const StepRecord& record) {
  if (record.before.empty()) co_return Undone{.says = "the cutover was not begun"};
  const auto journaled = CO_TRY(journaled_switch_from_json(record.before));
  CO_TRY(co_await check_nobody_wrote_back(record, journaled));
  auto attempt = CO_TRY(co_await attempt_of(journaled));
  const auto end = CO_TRY(co_await give_back(attempt.ports, attempt.plan, attempt.journaled.before,
                                             ports_.clock.now() + kLateRequest, hooks_of(context)));
  if (end.end == GaveBack::kStaysDenied) co_return fail(Code::kRefused, end.says);
  const bool target_serves = (end.end == GaveBack::kSwitched) != journaled.goes_back;
  co_return target_serves ? too_late_to_cancel(context) : Undone{.says = end.says};
}

// While a rollback is asked for, the cutover counts as not done, and its undo is not called.
Task<std::optional<Undone>> HotMigration::why_too_late(StepContext context) {
  const auto* cutover = context.session.find_step(kCutoverStep);
  if (!cutover || cutover->before.empty()) co_return std::nullopt;  // never begun
  const auto serves = CO_TRY(co_await who_serves());
  if (serves == NodeNames::kTarget) co_return too_late_to_cancel(context);
  if (serves == NodeNames::kElse && request_.drops_target)
    co_return fail(Code::kRefused,
                   "the node in ZooKeeper names neither cluster: the target table is not dropped "
                   "before it is known who serves; write the node with `pegmove routes set`");
  co_return std::nullopt;
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
      to_text(forecast) + readiness(goes_back) + "\n");
}

// Nobody writes to the side that is left, and all that it has shipped has arrived: what differs now
// was reordered or left out on the way, and what is repaired is exact. A repair must not be shipped
// back: if the switch is given back, it would arrive on top of newer writes. And a client that
// comes to the other side by itself must not lose what it writes there: such a row is newer than
// the fence, and is kept; the switch is then given back, since the row waits to be shipped.
Task<> HotMigration::repair_other_side(StepContext context, bool goes_back,
                                       const async::StopSignal& stop) {
  // A real server aborts on a time that is later than its own clock.
  const bool is_embedded = (goes_back ? request_.source : request_.target).is_embedded;
  while (!is_embedded && !stop.requested() &&
         ports_.clock.unix_us() < fenced_us_ + kPastForServers.count() * 1000)
    co_await ports_.clock.sleep_for(kBetweenStopLooks);  // no result
  auto of_source =
      CO_TRY(co_await client::Table::open(source_cluster_, request_.source.table, soon()));
  auto of_target =
      CO_TRY(co_await client::Table::open(target_cluster_, request_.target.table, soon()));
  compare::ProgressText text("comparing");
  const auto began_at = ports_.clock.now();
  const auto live = CO_TRY(co_await compare::verify_and_repair_live(
      goes_back ? of_target : of_source, goes_back ? of_source : of_target,
      {.recheck = {.lag = milliseconds(50), .reads = 2},
       .delete_extra = true,
       .through_duplicate =
           client::DuplicateWrite{
               .cluster_id = int8_t((goes_back ? request_.target : request_.source).id),
               .timestamp_us = fenced_us_,
               .verify_timetag = true},
       .timeout = request_.timeout},
      stop, [&](const compare::CompareCounts& so_far, milliseconds elapsed) {
        context.session.show_progress(context.events, {.line = text.line(so_far, elapsed)}, false);
      }));
  report_.verification = summary_of(live, ports_.clock.unix_us() / 1000, took_ms(began_at));
  // Clients wait: it is no reason to give back.
  const auto certified = co_await certify(context.session.run(), goes_back ? of_target : of_source,
                                          goes_back ? of_source : of_target, live, kCertifies);
  if (!certified) context.events.warn_of(certified.error().to_string());
  if (report_.verification->is_good()) co_return Result<void>();
  co_return fail(Code::kRefused,
                 fmt::format("the tables differ ({})", to_text(*report_.verification)));
}

// Real servers ship in the order of the writes only while they have the setting.
Task<> HotMigration::check_setting_under_fence(bool goes_back) {
  const auto& side = goes_back ? request_.target : request_.source;
  if (!has_settings_ || ships_in_batches_ || side.is_embedded) co_return Result<void>();
  auto& cluster = goes_back ? *target_cluster_ : *source_cluster_;
  for (const auto& server :
       CO_TRY(co_await hot::find_settings(servers_of(cluster), kBatchSetting, soon())))
    if (server.value != kOneByOne)
      co_return fail(Code::kBusy,
                     fmt::format("replica server {} of cluster {} has {} = {}, for "
                                 "instance since a restart, and may have reordered "
                                 "writes",
                                 server.node, side.cluster, kBatchSetting, server.value));
  co_return Result<void>();
}

Task<> HotMigration::check_under_fence(StepContext context, bool goes_back, bool is_compared,
                                       Deadline deadline) {
  CO_TRY(co_await check_setting_under_fence(goes_back));
  if (!is_compared) co_return Result<void>();
  async::StopSignal stop;
  async::TaskGroup timer(co_await asio::this_coro::executor);
  timer.spawn(stop_at(ports_.clock, deadline.at, context.session.stop(), stop, timer));
  auto compared = co_await repair_other_side(context, goes_back, stop);
  timer.stop();
  co_await timer.join();  // no result
  if (compared || !stop.requested() || context.session.stop().requested()) co_return compared;
  co_return fail(Code::kTimeout,
                 fmt::format("the tables could not be compared within --max-write-hold; `pegmove "
                             "set {} max-write-hold=DURATION` gives more time",
                             context.session.run().id));
}

// Before the end of the run is in the journal.
Task<std::string> HotMigration::find_target_serves() {
  if (CO_TRY(co_await who_serves()) != NodeNames::kTarget)
    co_return fail(Code::kRefused,
                   "the node in ZooKeeper does not name the target: `pegmove cancel` ends a "
                   "migration whose source serves");
  co_return std::string();
}

// The pivot. Each part may be repeated.
Task<std::string> HotMigration::complete(StepContext context) {
  CO_TRY(co_await find_target_serves());
  if (request_.opens_source)
    CO_TRY(co_await (*CO_TRY(co_await source())).deny(std::string(kDenyAll), soon()));
  context.session.show_progress(context.events, {.line = "removing the duplications"}, false);
  if (request_.has_way_back()) report_.notes.push_back(CO_TRY(co_await remove_back()).says);
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

}  // namespace pegmove::migration::hot
