// The steps of a hot migration to another partition count that bring the table to the target: its
// older rows as files, behind what a relay brings.
//
// Nothing is missing: what is written after the decrees that `await-shipping` journals is shipped,
// and what was written until then is in a backup that has these decrees. Nothing old wins: files
// are loaded behind all rows of the target, among them the tombstones of deletes, which are there
// since the target compacts nothing until then.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "backup/reader.h"
#include "base/check.h"
#include "base/json_fields.h"
#include "base/json_text.h"
#include "migration/hot/behind_table.h"
#include "migration/hot/hot.h"

namespace pegmove::migration::hot {

using async::milliseconds;
using journal::StepRecord;
using runs::StepContext;
using runs::StepKind;
using runs::UndoEnd;
using runs::Undone;

namespace {

constexpr milliseconds kBetweenRelayLooks{300};
constexpr milliseconds kMakesTable{120'000};
constexpr int kMostBackups = 3;
constexpr const char* kFirstBackupStep = "start-backup";

runs::Step make_target_step(HotMigration& hot) {
  const auto& request = hot.request();
  return {
      .name = "make-target",
      .does = fmt::format("create table {} with {} partitions on {}, which compacts nothing until "
                          "the older rows are loaded",
                          request.target.table, request.other.partitions, request.target.metas),
      .kind = StepKind::kCompensable,
      .run = [&hot](StepContext context) { return hot.make_target(context); },
      .find_before = [&hot](StepContext) { return hot.find_no_target(); },
      .undo = [&hot](StepContext,
                     const StepRecord& record) { return hot.drop_made_target(record); }};
}

runs::Step await_relay_step(HotMigration& hot) {
  return {.name = "await-relay",
          .does = fmt::format("wait for the relay {}", hot.request().other.relay),
          .run = [&hot](StepContext context) { return hot.await_relay(context, false); }};
}

runs::Step touch_source_step(HotMigration& hot) {
  return {.name = "touch-source",
          .does =
              "give each partition of the source that is empty its first write, a remove of a "
              "key that nobody has",
          .run = [&hot](StepContext) { return hot.touch_source(); }};
}

runs::Step await_shipping_step(HotMigration& hot) {
  return {.name = "await-shipping",
          .does = "wait until every partition of the source has a stored confirmed decree",
          .is_remote = true,
          .run = [&hot](StepContext context) { return hot.await_shipped_from(context); },
          .take = [&hot](const StepRecord& record) { return hot.take_shipped_from(record); }};
}

runs::Step check_backup_step(HotMigration& hot) {
  return {.name = "check-backup",
          .does = "check that the backup has these decrees; else make another one",
          .run = [&hot](StepContext context) { return hot.check_backup(context); }};
}

runs::Step finish_target_step(HotMigration& hot) {
  return {.name = "finish-target",
          .does = "let the target table compact as the source does",
          .run = [&hot](StepContext) { return hot.finish_target(); }};
}

// Shows what a step waits for.
void show_wait(StepContext context, const std::string& what, const std::string& why) {
  context.session.set_reason(why);
  context.session.show_progress(context.events, {.line = what + ": " + why}, false);
}

// A cancel drops the target table, or leaves it: rows that it has do not matter then.
Task<Undone> undo_in_time(std::function<Task<Undone>(StepContext, const StepRecord&)> undo,
                          StepContext context, StepRecord record) {
  auto undone = CO_TRY(co_await undo(context, record));
  if (undone.end == UndoEnd::kTooLate)
    undone = {.end = UndoEnd::kStays, .says = "the older rows are in the target table"};
  co_return undone;
}

runs::Step never_too_late(runs::Step step) {
  if (step.undo)
    step.undo = [undo = std::move(step.undo)](StepContext context, const StepRecord& record) {
      return undo_in_time(undo, context, record);
    };
  return step;
}

}  // namespace

std::vector<runs::Step> prepare_for_relay(HotMigration& hot) {
  std::vector<runs::Step> steps;
  steps.push_back(make_target_step(hot));   // with the envs that the load needs, before any row
  steps.push_back(await_relay_step(hot));   // it needs the table
  steps.push_back(touch_source_step(hot));  // real servers lose the first write of a partition
  return steps;
}

std::vector<runs::Step> move_older_rows(HotMigration& hot) {
  std::vector<runs::Step> steps;
  steps.push_back(await_shipping_step(hot));  // only what is later is shipped for certain
  runs::append(steps, hot.files().back_up());
  steps.push_back(check_backup_step(hot));
  for (auto& step : hot.files().split_and_load()) steps.push_back(never_too_late(std::move(step)));
  steps.push_back(finish_target_step(hot));
  return steps;
}

// Preflight has looked; so a table that is found later is the run's own.
Task<std::string> HotMigration::find_no_target() {
  const auto info = co_await target_cluster_->table_info(request_.target.table, soon());
  if (info)
    co_return fail(Code::kAlreadyExists,
                   fmt::format("table '{}' on cluster {} exists already: "
                               "drop it, and resume the run",
                               request_.target.table, request_.target.cluster));
  if (info.error().code() != Code::kNotFound) co_return fail(info.error());
  co_return std::string();
}

Task<std::string> HotMigration::make_target(StepContext context) {
  const auto source = CO_TRY(co_await source_cluster_->table_info(request_.source.table, soon()));
  const auto replicas = request_.replica_count > 0 ? request_.replica_count : source.replica_count;
  const auto made = CO_TRY(co_await make_behind_table(*target_cluster_,
                                                      {.name = request_.target.table,
                                                       .partitions = request_.other.partitions,
                                                       .replicas = replicas,
                                                       .source_envs = source.envs},
                                                      Deadline::in(ports_.clock, kMakesTable)));
  for (const auto& note : made.notes) context.events.note(note);
  while (true) {
    const auto why = co_await why_not_behind(*CO_TRY(co_await target()), replicas, soon());
    if (!why && !is_passing(why.error())) co_return fail(why.error());
    if (why && !*why) break;
    if (context.session.stop().requested())
      co_return fail(Code::kInterrupted, "the target table is made; a resumed run continues");
    show_wait(context, "making the target table", why ? **why : why.error().to_string());
    co_await context.session.clock().sleep_for(kBetweenRelayLooks);  // no result
  }
  context.session.set_reason("");
  co_return base::json_text(nlohmann::json{{"app_id", made.app_id}});
}

Task<std::string> HotMigration::finish_target() {
  const auto source = CO_TRY(co_await source_cluster_->table_info(request_.source.table, soon()));
  CO_TRY(co_await target_cluster_->set_envs(request_.target.table, envs_when_loaded(source.envs),
                                            soon()));
  co_return std::string();
}

// A cancel. What stays serves: a rollback may have left it denied.
Task<Undone> HotMigration::drop_made_target(const StepRecord& record) {
  const auto& name = request_.target.table;
  const auto place = fmt::format("table {} on cluster {}", name, request_.target.cluster);
  const auto info = co_await target_cluster_->table_info(name, soon());
  if (!info && info.error().code() == Code::kNotFound)
    co_return Undone{.says = place + " does not exist"};
  if (!info) co_return fail(info.error());
  const auto product = base::parse_json<nlohmann::json>(record.product);
  const auto app_id = product.is_object() ? base::number_in(product, "app_id") : -1;
  if (app_id > 0 && app_id != info->app_id)
    co_return Undone{.end = UndoEnd::kStays,
                     .says = place + " was dropped and created again by somebody else: it stays"};
  if (request_.drops_target) {
    CO_TRY(co_await target_cluster_->drop_table(name, 0, soon()));
    co_return Undone{.says = fmt::format("{}, which this run made, is dropped", place)};
  }
  CO_TRY(co_await (*CO_TRY(co_await target())).allow(soon()));
  CO_TRY(co_await finish_target());
  co_return Undone{.end = UndoEnd::kStays, .says = place + " stays: drop it if you do not need it"};
}

// The operator starts it: it needs the table that it reads the partition count of.
Task<std::string> HotMigration::await_relay(StepContext context, bool goes_back) {
  const auto& relay = goes_back ? relay_back_ : relay_;
  base::check(relay != nullptr, "a run that waits for a relay has one");
  const auto& name = goes_back ? request_.other.relay_back : request_.other.relay;
  // A seal may be that of an earlier switch of this run, or else the operator's.
  const bool may_unseal = context.session.find_step(kCutoverStep) != nullptr;
  bool has_said = false;
  while (true) {
    auto* side = CO_TRY(goes_back ? co_await target() : co_await source());
    const auto unsealed = may_unseal ? co_await relay->unseal(soon()) : Result<void>();
    const auto look =
        unsealed ? co_await relay->look(side->partition_count(), soon()) : Result<void>(unsealed);
    if (look) break;
    if (!std::exchange(has_said, true))
      context.events.warn_of(
          fmt::format("the relay {} is not there yet ({}); start it, at the address that [pegasus."
                      "clusters] of the servers of cluster {} has for it: {}",
                      name, look.error().to_string(), side->cluster().name(),
                      relay_command(relay_ends(goes_back), request_.zookeeper)));
    if (context.session.stop().requested())
      co_return fail(Code::kInterrupted, fmt::format("it waits for the relay {}", name));
    show_wait(context, "waiting for the relay " + name, look.error().to_string());
    co_await context.session.clock().sleep_for(kBetweenRelayLooks);  // no result
  }
  context.session.set_reason("");
  co_return std::string();
}

Task<std::string> HotMigration::touch_source() {
  CO_TRY(co_await touch_partitions(*CO_TRY(co_await source()), soon()));
  co_return std::string();
}

Task<std::string> HotMigration::await_shipped_from(StepContext context) {
  base::check(forward_.shipping().has_value(), "a duplication that is awaited was added");
  while (true) {
    const auto look =
        co_await look_at_shipped_from(*CO_TRY(co_await source()), *forward_.shipping(), soon());
    if (!look && !is_passing(look.error())) co_return fail(look.error());
    if (look && !look->decrees.empty()) {
      context.session.set_reason("");
      co_return decrees_to_json(look->decrees);
    }
    if (context.session.stop().requested())
      co_return fail(Code::kInterrupted, "the clusters continue the duplication by themselves");
    show_wait(context, "shipping begins", look ? look->says : look.error().to_string());
    co_await context.session.clock().sleep_for(kBetweenRelayLooks);  // no result
  }
}

Result<void> HotMigration::take_shipped_from(const StepRecord& record) {
  if (!record.product.empty()) shipped_from_ = TRY(decrees_from_json(record.product));
  return {};
}

// What was written until these decrees may not have been shipped.
Task<std::string> HotMigration::check_backup(StepContext context) {
  const auto store = CO_TRY(ports_.get_store(request_.other.store));
  const auto place = files_->backup_place();
  std::string older;
  for (size_t i = 0; i < shipped_from_.size() && older.empty(); ++i) {
    const auto checkpoint = CO_TRY(co_await backup::read_checkpoint(store, place, int32_t(i)));
    if (checkpoint.metadata.decree < shipped_from_[i])
      older = fmt::format("backup {} has decree {} of partition {}, and shipping began at {}",
                          place.backup_id, checkpoint.metadata.decree, i, shipped_from_[i]);
  }
  if (older.empty()) co_return std::string();
  if (++backups_ >= kMostBackups)
    co_return fail(Code::kRefused, older + "; resume the run, which makes another backup");
  context.events.warn_of(older + ": another backup is made");
  context.session.repeat_from(kFirstBackupStep, older);
  co_return std::string();
}

}  // namespace pegmove::migration::hot
