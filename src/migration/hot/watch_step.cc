// The step of a hot migration in which the target serves.
#include <fmt/format.h>

#include <algorithm>

#include "migration/hot/drain.h"
#include "migration/hot/hot.h"

namespace pegmove::migration::hot {

using async::milliseconds;
using journal::Request;
using runs::StepContext;

namespace {

constexpr milliseconds kBetweenWatchLooks{500};
constexpr milliseconds kBetweenWatchRounds{5'000};
constexpr milliseconds kServingQuestion{3'000};
constexpr milliseconds kBetweenServedLooks{1'000};

int64_t requests_per_second(const ServingMeter& meter) {
  const auto rate = meter.rate();
  return rate ? rate->reads + rate->writes : -1;
}

}  // namespace

// Until a rollback or the end is asked for.
Task<std::string> HotMigration::watch(StepContext context) {
  auto& session = context.session;
  std::optional<async::Instant> looked_at;
  bool is_unsealed = !relay_back_, is_way_open = !relay_;
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
    if (!looked_at || session.clock().now() - *looked_at >= kBetweenWatchRounds) {
      if (!is_way_open) is_way_open = (co_await unseal_way_there()).has_value();
      co_await look_around(context);  // no result
      looked_at = session.clock().now();
    }
    session.set_reason(!serves              ? serves.error().to_string()
                       : !problems_.empty() ? *problems_.begin()
                                            : "");
    co_await look_at_serving(context);                       // no result
    co_await session.clock().sleep_for(kBetweenWatchLooks);  // no result
  }
  session.set_reason("");
  co_return std::string();
}

// A cutover has sealed the relay to the target, and a rollback the one back.
Task<> HotMigration::unseal_way_there() {
  auto& left = *CO_TRY(co_await source());
  co_return co_await unseal_when_stored(left, *relay_, *forward_.shipping(), soon());
}

Task<> HotMigration::unseal_way_back() {
  auto& left = *CO_TRY(co_await target());
  co_return co_await unseal_when_stored(left, *relay_back_, *back_.shipping(), soon());
}

// What others may have changed, and what a rollback needs. A problem that is there in two rounds is
// shown once: proxies, for instance, take a moment to learn of a switch.
Routine<> HotMigration::look_around(StepContext context) {
  std::set<std::string> found;
  const auto note = [&](const Result<void>& looked) {
    if (!looked) found.insert(looked.error().to_string());
  };
  const auto kept = co_await keep_settings(context, Keeps::kTarget);
  if (!kept) found.insert(kept.error().to_string());
  note(co_await look_at_way_back());
  const auto followed = co_await look_at_proxies();
  note(followed);
  note(co_await look_at_source(context, bool(followed)));
  for (const auto& problem : found)
    if (problems_.contains(problem) && warned_of_.insert(problem).second)
      context.events.warn_of(problem);
  problems_ = std::move(found);
}

// Without it there is no rollback.
Task<> HotMigration::look_at_way_back() {
  if (!request_.has_way_back()) co_return Result<void>();
  auto look = co_await look_at_shipping(*CO_TRY(co_await target()), *back_.shipping(), soon());
  if (!look) co_return fail(std::move(look.error()).with_context("a rollback is not possible"));
  if (look->state == ShippingState::kPaused)
    co_return fail(Code::kBusy, "a rollback is not possible: " + look->says);
  if (look->lag.answered > 0) behind_on_the_way_back_ = look->lag.mutations;
  co_return Result<void>();
}

// Those that do not follow the node send their clients to the source, which refuses them.
Task<> HotMigration::look_at_proxies() {
  auto config = CO_TRY(co_await target_cluster_->table_config(request_.target.table, {}, soon()));
  const auto primaries = primaries_in(config);
  for (const auto& proxy : co_await ask_proxies(ports_, request_)) {
    if (proxy.error) co_return fail(Error(*proxy.error).with_context("MetaProxy " + proxy.proxy));
    if (std::ranges::none_of(proxy.primaries,
                             [&](const auto& server) { return primaries.contains(server); }))
      co_return fail(Code::kBusy,
                     fmt::format("MetaProxy {} does not send clients to cluster {}: is it cut off "
                                 "from ZooKeeper?",
                                 proxy.proxy, request_.target.cluster));
  }
  co_return Result<void>();
}

// It stays denied, unless it was to be opened, for the way back, once no proxy leads there.
Task<> HotMigration::look_at_source(StepContext context, bool proxies_follow) {
  auto& side = *CO_TRY(co_await source());
  const bool is_denied = CO_TRY(co_await side.denied(soon())).has_value();
  if (request_.opens_source && is_denied && proxies_follow) {
    CO_TRY(co_await side.allow(soon()));
    context.events.note(
        fmt::format("cluster {} is open for what is shipped back", request_.source.cluster));
  } else if (!request_.opens_source && !is_denied) {
    co_return fail(Code::kBusy,
                   fmt::format("somebody else has deleted the env replica.deny_client_request of "
                               "table {} on cluster {}: clients that still ask its servers write "
                               "to both clusters. Set it again: set_app_envs "
                               "replica.deny_client_request {}",
                               request_.source.table, request_.source.cluster, kDenyAll));
  }
  co_return Result<void>();
}

Routine<> HotMigration::note_serving(ClusterSide& side, ServingMeter& meter) {
  const auto served = co_await served_requests(side.cluster(), side.app_id(),
                                               Deadline::in(ports_.clock, kServingQuestion));
  if (served) meter.add(ports_.clock.now(), *served);
}

// To compare with what the other side serves after the switch. A process that has just begun looks
// twice.
Routine<std::optional<ServedRate>> HotMigration::served_before_switch(bool goes_back) {
  auto side = goes_back ? co_await target() : co_await source();
  auto& meter = goes_back ? target_serving_ : serving_before_;
  for (int times = 0; side && times < 2 && !meter.rate(); ++times) {
    if (times > 0) co_await ports_.clock.sleep_for(kBetweenServedLooks);  // no result
    co_await note_serving(**side, meter);                                 // no result
  }
  co_return meter.rate();
}

// Shown only: under a deny the source's number of requests says nothing about its clients.
Routine<> HotMigration::look_at_serving(StepContext context) {
  if (auto side = co_await target()) co_await note_serving(**side, target_serving_);  // no result
  if (auto side = co_await source()) co_await note_serving(**side, source_serving_);  // no result
  report_.serves_now = target_serving_.rate();
  report_.failed_reads = target_serving_.failed_reads();
  report_.failed_writes = target_serving_.failed_writes();
  report_.refused_by_target = target_serving_.refused_atomic();
  report_.refused_by_source = source_serving_.refused_atomic();
  const auto& id = context.session.run().id;
  context.session.show_progress(
      context.events,
      {.line = fmt::format("cluster {} serves table {}; `pegmove complete {}` ends the migration, "
                           "`pegmove rollback {}` moves it back ({} mutations to ship back); {}",
                           request_.target.cluster, request_.target.table, id, id,
                           behind_on_the_way_back_,
                           to_line(target_serving_, source_serving_, report_.served_before)),
       .per_second = requests_per_second(target_serving_)},
      false);
}

}  // namespace pegmove::migration::hot
