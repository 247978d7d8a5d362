// The steps of a hot migration until its cutover: what ships the table, and that it is right.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/json_fields.h"
#include "base/json_text.h"
#include "client/table.h"
#include "compare/progress_text.h"
#include "migration/hot/drain.h"
#include "migration/hot/hot.h"
#include "migration/hot/hot_certificate.h"

namespace pegmove::migration::hot {

using async::milliseconds;
using journal::StepRecord;
using journal::StepState;
using runs::StepContext;
using runs::UndoEnd;
using runs::Undone;

namespace {

constexpr milliseconds kBetweenShippingLooks{300};
constexpr milliseconds kBetweenSettingLooks{5'000};
constexpr const char* kSettingsStep = "ship-one-by-one";
constexpr const char* kInBatches = R"({"in_batches":true})";  // the step's product
// A lag that has grown for so long is too much for shipping one by one.
constexpr milliseconds kPatienceWithLag{60'000};
constexpr const char* kVerifyStep = "verify-live";
constexpr const char* kLostSetting =
    "a replica server of the source lost its setting, for instance by a restart, and may have "
    "reordered writes";
constexpr const char* kMasterEnv = "duplication.master_cluster";
// With a relay. A row that was repaired has the time of its repair, by the target's clock, and
// leaves out what the source has written before it, by its own clock: so the tables are verified
// once more when the clocks have passed that time.
constexpr milliseconds kClocksDiffer{2'000};
constexpr int kMostVerifications = 4;

std::string settings_text(const std::vector<ServerValue>& source,
                          const std::vector<ServerValue>& target) {
  return base::json_text(
      nlohmann::json{{"source", base::parse_json<nlohmann::json>(to_json(source))},
                     {"target", base::parse_json<nlohmann::json>(to_json(target))}});
}

// Adds the servers that were not there before. Returns whether there are any.
bool add_new_servers(std::vector<ServerValue>& before, const std::vector<ServerValue>& changed) {
  const auto count = before.size();
  for (const auto& server : changed)
    if (std::ranges::count(before, server.node, &ServerValue::node) == 0) before.push_back(server);
  return before.size() > count;
}

void show_lag(StepContext context, const LagMeter& meter, const std::string& prefix,
              const std::string& says, const std::string& more = "") {
  const auto line = prefix + ": " + (says.empty() ? meter.to_line() : says) + more;
  context.session.set_reason(says);
  context.session.show_progress(context.events,
                                {.line = line,
                                 .unit = "mutations behind",
                                 .done = meter.last().is_whole() ? meter.last().mutations : -1,
                                 .per_second = meter.shipped_per_second(),
                                 .eta_ms = meter.eta() ? meter.eta()->count() : -1},
                                false);
}

}  // namespace

Task<std::string> HotMigration::find_no_duplication() {
  co_return co_await forward_.find_none(*CO_TRY(co_await source()), soon());
}

Task<std::string> HotMigration::duplicate() {
  co_return co_await forward_.add(*CO_TRY(co_await source()), soon());
}

Task<std::optional<std::string>> HotMigration::find_duplication() {
  co_return co_await forward_.find(*CO_TRY(co_await source()), soon());
}

Result<void> HotMigration::take_duplication(const StepRecord& record) {
  return forward_.take(record);
}

Task<Undone> HotMigration::remove_forward() {
  auto side = co_await source();
  if (side) co_return co_await forward_.remove(**side, soon());
  if (side.error().code() != Code::kNotFound) co_return fail(std::move(side.error()));
  co_return Undone{.says = "the source table does not exist any more"};
}

// A cancel. The target table stays, unless it is to be dropped and certainly comes from this
// source. What stays serves again: a rollback has left it denied.
Task<Undone> HotMigration::undo_duplication(StepContext context) {
  if (auto late = CO_TRY(co_await why_too_late(context))) co_return *std::move(late);
  auto undone = CO_TRY(co_await remove_forward());
  if (request_.has_relay()) co_return undone;  // make-target has made the table
  const auto& name = request_.target.table;
  const auto place = fmt::format("table {} on cluster {}", name, request_.target.cluster);
  const auto info = co_await target_cluster_->table_info(name, soon());
  if (!info && info.error().code() == Code::kNotFound) co_return undone;
  if (!info) co_return fail(info.error());
  const auto master = info->envs.find(kMasterEnv);
  const bool is_ours = master != info->envs.end() && master->second == request_.source.name;
  if (is_ours && request_.drops_target) {
    CO_TRY(co_await target_cluster_->drop_table(name, 0, soon()));
    undone.says += fmt::format("; {}, which this run made, is dropped", place);
    co_return undone;
  }
  if (is_ours) CO_TRY(co_await (*CO_TRY(co_await target())).allow(soon()));
  undone.says += fmt::format("; {} stays: drop it if you do not need it", place);
  co_return undone;
}

// Shows how far the duplication is, until it has begun in every partition, and, forward, until the
// lag is small. What cannot be asked for now is waited for.
Task<> HotMigration::wait_until_shipping(StepContext context, bool goes_back) {
  LagMeter meter;
  while (true) {
    if (context.session.stop().requested())
      co_return fail(Code::kInterrupted, "the clusters continue the duplication by themselves");
    auto* side = CO_TRY(goes_back ? co_await target() : co_await source());
    const auto& duplication = goes_back ? back_ : forward_;
    base::check(duplication.shipping().has_value(), "a duplication that is awaited was added");
    auto look = co_await look_at_shipping(*side, *duplication.shipping(), soon());
    if (!look && !is_passing(look.error())) co_return fail(std::move(look.error()));
    if (look) meter.add(context.session.clock().now(), look->lag);
    show_lag(context, meter, goes_back ? "shipping back" : "shipping",
             look ? look->says : look.error().to_string());
    const bool ships = look && look->state == ShippingState::kShips && look->lag.is_whole();
    if (ships && (goes_back || look->lag.mutations <= request_.most_lag)) break;
    co_await context.session.clock().sleep_for(kBetweenShippingLooks);  // no result
  }
  context.session.set_reason("");
  co_return Result<void>();
}

Task<std::string> HotMigration::catch_up(StepContext context) {
  CO_TRY(co_await wait_until_shipping(context, false));
  co_return std::string();
}

Task<std::string> HotMigration::find_settings() {
  std::vector<ServerValue> of_source, of_target;
  if (!request_.source.is_embedded)
    of_source =
        CO_TRY(co_await hot::find_settings(servers_of(*source_cluster_), kBatchSetting, soon()));
  if (!request_.target.is_embedded)
    of_target =
        CO_TRY(co_await hot::find_settings(servers_of(*target_cluster_), kBatchSetting, soon()));
  co_return settings_text(of_source, of_target);
}

Result<void> HotMigration::take_settings(const StepRecord& record) {
  ships_in_batches_ = record.product == kInBatches;
  if (record.before.empty()) return {};
  const auto json = base::parse_json<nlohmann::json>(record.before);
  const auto in = TRY(base::JsonFields::of(json, "the journal's settings of servers"));
  source_settings_ = TRY(server_values_from_json(base::json_text(*TRY(in.any("source")))));
  target_settings_ = TRY(server_values_from_json(base::json_text(*TRY(in.any("target")))));
  has_settings_ = true;
  return {};
}

Task<std::string> HotMigration::ship_one_by_one(StepContext context) {
  if (request_.ships_in_batches && has_real_servers()) co_return kInBatches;
  CO_TRY(co_await keep_settings(context, Keeps::kBoth));
  co_return std::string();
}

// Sets the setting wherever it is not set. Returns whether a server of the source had lost it: then
// it has shipped in batches for a while, and rows may differ. What follows from that, and the
// values of servers that are new, are journaled first.
Task<bool> HotMigration::keep_settings(StepContext context, Keeps keeps) {
  if (!has_settings_ || !has_real_servers() || ships_in_batches_) co_return false;
  bool lost = false;
  for (const bool of_source : {true, false}) {
    if ((of_source ? request_.source : request_.target).is_embedded) continue;
    if (of_source && keeps == Keeps::kTarget) continue;
    auto& cluster = of_source ? *source_cluster_ : *target_cluster_;
    auto& before = of_source ? source_settings_ : target_settings_;
    auto changed = CO_TRY(co_await hot::find_settings(servers_of(cluster), kBatchSetting, soon()));
    std::erase_if(changed, [](const auto& server) { return server.value == kOneByOne; });
    if (changed.empty()) continue;
    if (of_source) CO_TRY(co_await give_up_verification(context));
    if (add_new_servers(before, changed)) {
      auto record = *context.session.find_step(kSettingsStep);
      record.before = settings_text(source_settings_, target_settings_);
      CO_TRY(co_await context.session.save_step(std::move(record)));
    }
    const auto kept =
        CO_TRY(co_await keep_setting(servers_of(cluster), kBatchSetting, kOneByOne, soon()));
    for (const auto& text : kept.silent) context.events.warn_of(text);
    lost |= of_source;
  }
  co_return lost;
}

// A process that is killed from here on verifies again, too.
Task<> HotMigration::give_up_verification(StepContext context) {
  const auto* found = context.session.find_step(kVerifyStep);
  if (!found || found->state != StepState::kDone) co_return Result<void>();
  auto record = *found;
  record.state = StepState::kUndone;
  record.outcome = kLostSetting;
  co_return co_await context.session.save_step(std::move(record));
}

Task<Undone> HotMigration::put_settings_back() {
  if (!has_real_servers()) co_return Undone{};
  if (!request_.source.is_embedded)
    CO_TRY(co_await put_back_setting(servers_of(*source_cluster_), kBatchSetting, kOneByOne,
                                     source_settings_, soon()));
  if (!request_.target.is_embedded)
    CO_TRY(co_await put_back_setting(servers_of(*target_cluster_), kBatchSetting, kOneByOne,
                                     target_settings_, soon()));
  co_return Undone{.says = fmt::format("{} of all replica servers is as it was", kBatchSetting)};
}

// The tables cannot be kept exact, or not be verified: writes are shipped in batches again, and the
// cutover compares and repairs the tables under its fence. The verification counts as done.
Task<> HotMigration::ship_in_batches(StepContext context, std::string why) {
  CO_TRY(co_await put_settings_back());
  auto record = *context.session.find_step(kSettingsStep);
  record.product = kInBatches;
  CO_TRY(co_await context.session.save_step(std::move(record)));
  ships_in_batches_ = true;
  auto verified = *context.session.find_step(kVerifyStep);
  verified.state = StepState::kDone;
  CO_TRY(co_await context.session.save_step(std::move(verified)));
  context.events.warn_of(fmt::format(
      "{}: {} is put back, and the cutover compares and repairs the tables while writes "
      "wait. That takes as long as `pegmove verify`; give it time with `pegmove set {} "
      "max-write-hold=DURATION`",
      why, kBatchSetting, context.session.run().id));
  co_return Result<void>();
}

// While writes are shipped back nothing can be repaired: what a repair writes to the target would
// arrive at the source, on top of newer writes of clients. The way back is made after it.
Task<> HotMigration::remove_way_back(StepContext context) {
  CO_TRY(co_await remove_back());
  if (back_.shipping()) CO_TRY(co_await wait_until_not_shipping_back(context));
  std::vector<StepRecord> records;
  for (const char* name :
       {"await-back", kDuplicateBackStep, "await-relay-back", "touch-partitions"}) {
    const auto* found = context.session.find_step(name);
    if (!found || found->state == StepState::kUndone) continue;
    records.push_back(*found);
    records.back().state = StepState::kUndone;
    records.back().product.clear();
    records.back().outcome = "the tables were verified again";
  }
  co_return co_await context.session.save_steps(std::move(records));
}

// The meta server answers at once; replica servers hear of it up to 10 s later.
Task<> HotMigration::wait_until_not_shipping_back(StepContext context) {
  auto& side = *CO_TRY(co_await target());
  while (!context.session.stop().requested()) {
    auto view = CO_TRY(co_await side.view(soon()));
    const auto known =
        CO_TRY(co_await primary_progress(side.cluster(), side.app_id(), std::move(view), soon()));
    const bool ships = std::ranges::any_of(known, [&](const auto& each) {
      return std::ranges::count(each.second.duplications, back_.shipping()->dup_id,
                                &ShippedDecrees::id) > 0;
    });
    if (!ships && int32_t(known.size()) == side.partition_count()) co_return Result<void>();
    context.session.set_reason("the target still ships to the source");
    co_await context.session.clock().sleep_for(kBetweenShippingLooks);  // no result
  }
  co_return fail(Code::kInterrupted, "stopped on request");
}

Task<std::string> HotMigration::verify_live(StepContext context) {
  if (CO_TRY(co_await who_serves()) != NodeNames::kSource)
    co_return fail(Code::kRefused,
                   "the node in ZooKeeper does not name the source: nothing is repaired, since the "
                   "target may have newer writes; look at it with `pegmove routes show`");
  CO_TRY(co_await remove_way_back(context));
  auto from = CO_TRY(co_await client::Table::open(source_cluster_, request_.source.table, soon()));
  auto to = CO_TRY(co_await client::Table::open(target_cluster_, request_.target.table, soon()));
  CO_TRY(co_await keep_settings(context, Keeps::kBoth));
  for (int times = 1;; ++times) {
    compare::ProgressText text("verifying");
    const auto began_at = ports_.clock.now();
    const auto live = CO_TRY(in_context(
        co_await compare::verify_and_repair_live(
            from, to, {.delete_extra = true, .timeout = request_.timeout}, context.session.stop(),
            [&](const compare::CompareCounts& so_far, milliseconds elapsed) {
              context.session.show_progress(
                  context.events,
                  {.line = text.line(so_far, elapsed), .unit = "rows", .done = so_far.source_rows},
                  true);
            }),
        "the live verification"));
    report_.verification = summary_of(live, ports_.clock.unix_us() / 1000, took_ms(began_at));
    CO_TRY(co_await certify(context.session.run(), from, to, live, request_.timeout));
    if (CO_TRY(co_await keep_settings(context, Keeps::kBoth))) {
      context.events.warn_of(
          fmt::format("a replica server of the source lost {} meanwhile, for "
                      "instance by a restart: the tables are verified again",
                      kBatchSetting));
      continue;
    }
    const bool may_have_hidden = request_.has_relay() && report_.verification->repaired > 0;
    if (may_have_hidden && report_.verification->is_good() && times < kMostVerifications) {
      context.events.note(
          fmt::format("{}: the tables are verified once more", to_text(*report_.verification)));
      co_await context.session.clock().sleep_for(kClocksDiffer);  // no result
      continue;
    }
    if (report_.verification->is_good()) co_return to_json(*report_.verification);
    if (ships_in_batches_) {
      context.events.note(fmt::format(
          "{}: writes that are shipped in batches are reordered; the cutover compares and repairs "
          "the tables again, while it denies writes",
          to_text(*report_.verification)));
      co_return to_json(*report_.verification);
    }
    if (CO_TRY(co_await is_too_fast_to_verify())) {
      CO_TRY(co_await ship_in_batches(
          context, "clients write faster than writes can be shipped one by one"));
      co_return to_json(*report_.verification);
    }
    co_return fail(Code::kRefused,
                   fmt::format("the tables differ ({}): look for who writes to the target, and "
                               "resume the run, which verifies again",
                               to_text(*report_.verification)));
  }
}

// Rows then differ since the target is behind.
Task<bool> HotMigration::is_too_fast_to_verify() {
  if (request_.source.is_embedded || ships_in_batches_) co_return false;
  const auto look =
      CO_TRY(co_await look_at_shipping(*CO_TRY(co_await source()), *forward_.shipping(), soon()));
  co_return look.state == ShippingState::kShips&& look.lag.mutations > request_.most_lag;
}

Result<void> HotMigration::take_verification(const StepRecord& record) {
  if (!record.product.empty())
    report_.verification = TRY(hot_verification_from_json(record.product));
  return {};
}

Task<std::string> HotMigration::touch_target() {
  CO_TRY(co_await touch_partitions(*CO_TRY(co_await target()), soon()));
  co_return std::string();
}

Task<std::string> HotMigration::find_no_duplication_back() {
  co_return co_await back_.find_none(*CO_TRY(co_await target()), soon());
}

Task<std::string> HotMigration::duplicate_back() {
  co_return co_await back_.add(*CO_TRY(co_await target()), soon());
}

Task<std::optional<std::string>> HotMigration::find_duplication_back() {
  co_return co_await back_.find(*CO_TRY(co_await target()), soon());
}

Result<void> HotMigration::take_duplication_back(const StepRecord& record) {
  return back_.take(record);
}

Task<Undone> HotMigration::undo_duplication_back(StepContext context) {
  if (auto late = CO_TRY(co_await why_too_late(context))) co_return *std::move(late);
  co_return co_await remove_back();
}

Task<Undone> HotMigration::remove_back() {
  auto side = co_await target();
  if (!side && side.error().code() == Code::kNotFound)
    co_return Undone{.says = "the target table does not exist any more"};
  if (!side) co_return fail(std::move(side.error()));
  co_return co_await back_.remove(**side, soon());
}

Task<std::string> HotMigration::await_back(StepContext context) {
  CO_TRY(co_await wait_until_shipping(context, true));
  co_return std::string();
}

Task<bool> HotMigration::is_target_denied() {
  co_return CO_TRY(co_await (*CO_TRY(co_await target())).denied(soon())).has_value();
}

// Of what was compared last. Blocks for a moment.
Task<> HotMigration::certify(const journal::Run& run, std::shared_ptr<client::Table> from,
                             std::shared_ptr<client::Table> to, compare::LiveVerification live,
                             milliseconds within) {
  if (ports_.certificates.empty()) co_return Result<void>();
  auto& verification = *report_.verification;
  const auto began_ms = verification.ended_ms - verification.took_ms;
  verification.certificate =
      CO_TRY(in_context(co_await write_certificate(ports_.certificates,
                                                   {.version = ports_.version,
                                                    .run_id = run.id,
                                                    .from = from->cluster().name(),
                                                    .to = to->cluster().name(),
                                                    .began_unix_ms = began_ms,
                                                    .ended_unix_ms = verification.ended_ms},
                                                   std::move(from), std::move(to), std::move(live),
                                                   Deadline::in(ports_.clock, within)),
                        "the certificate"));
  co_return Result<void>();
}

// nullopt: they were, or the cutover compares them.
std::optional<std::string> HotMigration::why_not_verified(const journal::Run& run) const {
  if (ships_in_batches_) return std::nullopt;
  if (!report_.verification || !report_.verification->is_good()) return "the tables may differ";
  if (ports_.certificates.empty()) return std::nullopt;
  return hot::why_not_certified(*report_.verification, run.id);
}

// A run is ready with its servers' setting and its certificate. A target that a rollback has left
// denied lacks what the source has written since: the cutover compares the tables then.
Task<> HotMigration::verify_again_unless_ready(StepContext context, bool lost_setting) {
  const auto why = lost_setting ? std::optional<std::string>(kLostSetting)
                                : why_not_verified(context.session.run());
  if (!why) co_return Result<void>();
  if (CO_TRY(co_await is_target_denied())) co_return co_await ship_in_batches(context, *why);
  context.events.warn_of(fmt::format("{}: the tables are verified again", *why));
  CO_TRY(co_await remove_way_back(context));
  context.session.repeat_from(kVerifyStep, *why);
  co_return Result<void>();
}

std::string HotMigration::readiness(bool goes_back) const {
  if (goes_back || ships_in_batches_) return "the tables are compared while writes wait";
  return report_.verification ? certificate_text(*report_.verification)
                              : "the tables were not verified";
}

// Ends when a cutover was asked for, or the run makes it alone, and the target has nearly
// everything. A target that a rollback has left denied gets nothing until the cutover opens it.
Task<std::string> HotMigration::wait_for_cutover(StepContext context) {
  auto& session = context.session;
  const auto* before = session.find_step(kCutoverStep);
  const bool has_switched = before && !before->product.empty();  // at some time
  bool is_asked = request_.cuts_over_alone && !has_switched;
  LagMeter meter;
  serving_before_ = {};
  std::optional<async::Instant> looked_at, behind_since;
  bool is_unsealed = !relay_, is_way_back_open = !relay_back_ || !has_switched;
  while (true) {
    if (session.stop().requested() || was_too_late_)
      co_return fail(Code::kInterrupted,
                     "the source serves, and the clusters continue the duplication by themselves");
    if (const auto request = session.take_request()) {
      is_asked |= request == journal::Request::kCutover;
      if (request != journal::Request::kCutover)
        context.events.warn_of(
            "the source serves: there is nothing to roll back or to complete; "
            "`pegmove cancel` ends the migration");
    }
    // An earlier cutover has sealed it.
    if (!is_unsealed) is_unsealed = (co_await relay_->unseal(soon())).has_value();
    auto look = co_await look_at_shipping(*CO_TRY(co_await source()), *forward_.shipping(), soon());
    if (!look && !is_passing(look.error())) co_return fail(std::move(look.error()));
    if (look) meter.add(session.clock().now(), look->lag);
    show_lag(context, meter, is_asked ? "cutting over soon" : "ready for `pegmove cutover`",
             look ? look->says : look.error().to_string(), "; " + readiness(false));
    const bool is_near = look && look->state == ShippingState::kShips && look->lag.is_whole() &&
                         (look->lag.mutations <= request_.most_lag ||
                          (has_switched && CO_TRY(co_await is_target_denied())));
    const bool falls_behind = look && look->lag.is_whole() && !is_near && !meter.eta();
    if (!falls_behind || request_.source.is_embedded || ships_in_batches_)
      behind_since.reset();
    else if (!behind_since)
      behind_since = session.clock().now();
    else if (session.clock().now() - *behind_since >= kPatienceWithLag)
      CO_TRY(co_await ship_in_batches(
          context, "clients write faster than writes can be shipped one by one"));
    const bool is_due = !looked_at || session.clock().now() - *looked_at >= kBetweenSettingLooks;
    if (is_due || (is_asked && is_near)) {
      const auto lost = co_await keep_settings(context, Keeps::kBoth);
      if (lost) CO_TRY(co_await verify_again_unless_ready(context, *lost));
      if (!lost && !is_passing(lost.error())) co_return fail(lost.error());
      if (!lost) session.set_reason(lost.error().to_string());
      if (session.leads_back() || (lost && is_asked && is_near)) break;
      co_await note_serving(*CO_TRY(co_await source()), serving_before_);  // no result
      if (!is_way_back_open) is_way_back_open = (co_await unseal_way_back()).has_value();
      looked_at = session.clock().now();
    }
    co_await session.clock().sleep_for(kBetweenShippingLooks);  // no result
  }
  session.set_reason("");
  co_return std::string();
}

}  // namespace pegmove::migration::hot
