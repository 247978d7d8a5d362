#include "migration/hot/cutover.h"

#include <fmt/format.h>

#include "migration/hot/clocks.h"
#include "migration/hot/drain.h"
#include "migration/hot/fence.h"
#include "migration/hot/route_switch.h"

namespace pegmove::migration::hot {
namespace {

constexpr async::milliseconds kMembersServe{10'000};
constexpr async::milliseconds kMetaRequest{5'000};
constexpr async::milliseconds kMetaPause{200};

std::string_view value_of(FenceKind fence) {
  return fence == FenceKind::kAll ? kDenyAll : kDenyWrites;
}

// A fence is proven on the current members. One that becomes a member later has opened its replica
// under the env, or was there before: then it acts after this time. Where secondaries cannot be
// proven (writes cannot be tried on them) servers get another round.
async::milliseconds fence_age_needed(const CutoverPlan& plan, const Side& source) {
  return plan.fence == FenceKind::kAll ? source.envs_act_within() : 2 * source.envs_act_within();
}

// One cutover under way.
class Cutover {
 public:
  Cutover(CutoverPorts ports, CutoverPlan plan, CutoverBefore before, CutoverHooks hooks)
      : ports_(ports),
        plan_(std::move(plan)),
        before_(std::move(before)),
        hooks_(std::move(hooks)),
        proof_(plan_.fence) {}

  Task<CutoverEnd> fence_first();
  Task<CutoverEnd> routes_first();

 private:
  Task<SwitchEnd> fence_and_switch();
  Task<> set_fence();
  Task<> open_target();
  Task<> nothing_waits_behind();
  Task<> seal();
  Task<> await_target_clocks();
  Task<> check_before_switch();
  Task<> check_once();
  Task<> wait_for_fence_age();
  Task<CutoverEnd> end_switched();
  Task<CutoverEnd> end_given_back(std::string why);

  void begin_hold() { fence_requested_ = ports_.clock.now(); }
  async::milliseconds since_request() const {
    return std::chrono::duration_cast<async::milliseconds>(ports_.clock.now() - fence_requested_);
  }
  void pass(std::string_view point) {
    phases_.push_back({std::string(point), since_request()});
    hooks_.pass(point);
  }
  Deadline meta_request() const { return Deadline::in(ports_.clock, kMetaRequest).earlier(until_); }
  // A meta server may be away for a moment.
  bool may_repeat_request(const Error& error) const {
    const bool is_unknown = error.code() == Code::kUnreachable || error.code() == Code::kTimeout;
    return is_unknown && !until_.passed(ports_.clock);
  }
  MustPersist must_persist() const { return ports_.relay ? MustPersist::kNo : plan_.must_persist; }

  CutoverPorts ports_;
  CutoverPlan plan_;
  CutoverBefore before_;
  CutoverHooks hooks_;
  FenceProof proof_;
  Progress drained_;
  async::Instant fence_requested_{};
  async::Instant fence_set_{};
  async::Instant late_until_{};  // of requests for envs whose answers were lost
  Deadline until_{};             // when giving back begins
  std::vector<CutoverPhase> phases_;
};

Task<CutoverEnd> Cutover::fence_first() {
  CO_TRY(co_await see_members_serve(ports_.source, ports_.clock, proof_,
                                    Deadline::in(ports_.clock, kMembersServe)));
  CO_TRY(co_await check_not_denied(ports_.source, Deadline::in(ports_.clock, kMetaRequest)));
  CO_TRY(give_back_at(plan_, ports_.source, ports_.clock.now()));
  if (hooks_.before_fence) CO_TRY(co_await hooks_.before_fence());
  begin_hold();
  until_ = {CO_TRY(give_back_at(plan_, ports_.source, fence_requested_))};
  pass("cutover.members_seen");
  auto switched = co_await fence_and_switch();
  if (switched && *switched == SwitchEnd::kSwitched) co_return co_await end_switched();
  if (!switched) co_return co_await end_given_back(switched.error().to_string());
  co_return co_await end_given_back(
      *switched == SwitchEnd::kLost
          ? fmt::format("node {} was changed by somebody else meanwhile", plan_.path)
          : fmt::format("{} has not answered the switch in time", ports_.nodes.description()));
}

Task<SwitchEnd> Cutover::fence_and_switch() {
  CO_TRY(co_await set_fence());
  CO_TRY(co_await prove_fence(ports_.source, ports_.clock, proof_, hooks_, until_));
  pass("cutover.fence_proven");
  if (plan_.opens_target) {
    // Who comes to it by himself is acknowledged what must be newer than the source's rows.
    CO_TRY(co_await await_target_clocks());
    CO_TRY(co_await open_target());
  }
  drained_ =
      CO_TRY(co_await prove_drained(ports_.source, ports_.clock, proof_.view(), plan_.shipping,
                                    {must_persist(), plan_.readings_apart}, hooks_, until_));
  if (plan_.back) CO_TRY(co_await nothing_waits_behind());
  pass("cutover.drained");
  if (ports_.relay) CO_TRY(co_await seal());
  CO_TRY(co_await await_target_clocks());
  if (hooks_.compare) {
    CO_TRY(co_await hooks_.compare(until_));
    if (plan_.back) CO_TRY(co_await nothing_waits_behind());
    pass("cutover.compared");
  }
  CO_TRY(co_await check_before_switch());
  pass("cutover.checked");
  co_return co_await switch_route(ports_.nodes, ports_.clock, plan_, before_, until_);
}

// Past the times that the source has given.
Task<> Cutover::await_target_clocks() {
  if (!plan_.later_time_wins) co_return Result<void>();
  co_return co_await await_clocks(ports_.source, ports_.target, ports_.clock, hooks_, until_);
}

Task<> Cutover::set_fence() {
  const std::string value(value_of(plan_.fence));
  while (true) {
    auto denied = co_await ports_.source.deny(value, meta_request());
    if (denied) break;
    late_until_ = ports_.clock.now() + kLateRequest;
    if (until_.passed(ports_.clock) || hooks_.is_stopped())
      co_return fail(std::move(denied).error());
    co_await ports_.clock.sleep_for(kMetaPause);  // no result
  }
  fence_set_ = ports_.clock.now();
  pass("cutover.fence_set");
  co_return Result<void>();
}

// Nobody can write to either side now. The target was denied until here, and must take in what was
// shipped in vain.
Task<> Cutover::open_target() {
  while (true) {
    auto allowed = co_await ports_.target.allow(meta_request());
    if (allowed) break;
    late_until_ = ports_.clock.now() + kLateRequest;
    if (until_.passed(ports_.clock) || hooks_.is_stopped())
      co_return fail(std::move(allowed).error());
    co_await ports_.clock.sleep_for(kMetaPause);  // no result
  }
  CO_TRY(co_await see_all_open(ports_.target, ports_.clock, hooks_, until_));
  pass("cutover.target_opened");
  co_return Result<void>();
}

// The target's clients have written nothing that the source does not have: somebody who came to it
// by himself has written below what was still being shipped.
Task<> Cutover::nothing_waits_behind() {
  auto view = co_await ports_.target.view(meta_request());
  while (!view && may_repeat_request(view.error()) && !hooks_.is_stopped()) {
    co_await ports_.clock.sleep_for(kMetaPause);  // no result
    view = co_await ports_.target.view(meta_request());
  }
  if (!view) co_return fail(std::move(view).error());
  CO_TRY(
      in_context(co_await prove_drained(ports_.target, ports_.clock, *view, *plan_.back,
                                        {MustPersist::kNo, async::milliseconds(0)}, hooks_, until_),
                 "writes of the target's own clients"));
  co_return Result<void>();
}

Task<> Cutover::seal() {
  CO_TRY(co_await seal_relay(*ports_.relay, ports_.clock, hooks_, until_));
  pass("cutover.relay_sealed");
  co_return Result<void>();
}

Task<> Cutover::wait_for_fence_age() {
  const auto old_enough = fence_set_ + fence_age_needed(plan_, ports_.source);
  if (old_enough >= until_.at)
    co_return fail(Code::kBusy, "the fence cannot become old enough in time (--max-write-hold)");
  co_await ports_.clock.sleep_until(old_enough);  // no result
  co_return Result<void>();
}

Task<> Cutover::check_before_switch() {
  CO_TRY(co_await wait_for_fence_age());
  while (true) {
    auto checked = co_await check_once();
    if (hooks_.is_stopped()) co_return fail(Code::kInterrupted, "stopped on request");
    if (checked || !may_repeat_request(checked.error())) co_return checked;
    co_await ports_.clock.sleep_for(kMetaPause);  // no result
  }
}

// Everything that was proven is still so. The last question is for the members. A server that does
// not answer, or ships at this moment what it writes by itself, is asked again.
Task<> Cutover::check_once() {
  const auto reading =
      CO_TRY(co_await ports_.source.progress(proof_.view(), plan_.shipping, meta_request()));
  if (const auto why = why_not_drained(reading, proof_.view()))
    co_return fail(Code::kTimeout, fmt::format("{}: {}", ports_.source.name(), *why));
  if (shows_lost_decrees(drained_, reading))
    co_return fail(Code::kBusy, fmt::format("{}: a partition has fewer decrees than when it was "
                                            "drained",
                                            ports_.source.name()));
  const auto denied = CO_TRY(co_await ports_.source.denied(meta_request()));
  if (denied != value_of(plan_.fence))
    co_return fail(Code::kBusy, fmt::format("{}: somebody else has changed its env "
                                            "replica.deny_client_request to {}",
                                            ports_.source.name(), denied.value_or("nothing")));
  co_return co_await check_unchanged(ports_.source, proof_, meta_request());
}

Task<CutoverEnd> Cutover::end_switched() {
  const auto held = since_request();
  pass("cutover.switched");
  if (plan_.fence == FenceKind::kWrites) {
    CO_TRY(co_await send_readers_over(ports_, plan_, hooks_));
    pass("cutover.readers_sent");
  }
  co_return CutoverEnd{.result = CutoverResult::kSwitched,
                       .version = before_.version + 1,
                       .held = held,
                       .says = fmt::format("{} serves", ports_.target.name()),
                       .phases = std::move(phases_)};
}

Task<CutoverEnd> Cutover::end_given_back(std::string why) {
  const auto ended = CO_TRY(co_await give_back(ports_, plan_, before_, late_until_, hooks_));
  if (ended.end == GaveBack::kSwitched) co_return co_await end_switched();
  co_return CutoverEnd{.result = ended.end == GaveBack::kSourceServes ? CutoverResult::kGivenBack
                                                                      : CutoverResult::kStaysDenied,
                       .version = before_.version,
                       .held = since_request(),
                       .says = fmt::format("{}: {}", ended.says, why),
                       .phases = std::move(phases_)};
}

// No hold, and no promise: both clusters accept writes until the fence acts.
Task<CutoverEnd> Cutover::routes_first() {
  begin_hold();
  until_ = Deadline::in(ports_.clock, plan_.give_back_takes + kMetaRequest);
  const auto switched = co_await switch_route(ports_.nodes, ports_.clock, plan_, before_, until_);
  if (!switched) co_return co_await end_given_back(switched.error().to_string());
  if (*switched != SwitchEnd::kSwitched)
    co_return co_await end_given_back(fmt::format("node {} was not changed", plan_.path));
  pass("cutover.switched");
  CO_TRY(co_await send_readers_over(ports_, plan_, hooks_));
  pass("cutover.readers_sent");
  co_return CutoverEnd{.result = CutoverResult::kSwitched,
                       .version = before_.version + 1,
                       .says = fmt::format("{} serves; until every server of {} denies its clients "
                                           "both accept writes, and acknowledged ones may be lost",
                                           ports_.target.name(), ports_.source.name()),
                       .phases = std::move(phases_)};
}

}  // namespace

Result<async::Instant> give_back_at(const CutoverPlan& plan, const Side& source,
                                    async::Instant fence_requested) {
  const auto gives_back = source.envs_act_within() + plan.give_back_takes;
  const auto least = fence_age_needed(plan, source) + plan.readings_apart + gives_back;
  if (plan.max_write_hold <= least)
    return fail(Code::kInvalidArgument,
                fmt::format("--max-write-hold {} ms is too short: to close, to prove and to open "
                            "{} takes more than {} ms",
                            plan.max_write_hold.count(), source.name(), least.count()));
  return fence_requested + plan.max_write_hold - gives_back;
}

// An env of somebody else would be taken for this cutover's, and deleted by giving back.
Task<> check_not_denied(Side& source, Deadline deadline) {
  const auto denied = CO_TRY(co_await source.denied(deadline));
  if (denied)
    co_return fail(Code::kBusy,
                   fmt::format("{} has the env replica.deny_client_request={} already: somebody "
                               "else has fenced it. Nothing was changed; delete the env when that "
                               "has ended, and repeat the cutover",
                               source.name(), *denied));
  co_return Result<void>();
}

Task<CutoverEnd> cut_over(CutoverPorts ports, CutoverPlan plan, CutoverBefore before,
                          CutoverHooks hooks) {
  const bool fences_first = plan.order == Order::kFenceFirst;
  Cutover cutover(ports, std::move(plan), std::move(before), std::move(hooks));
  co_return fences_first ? co_await cutover.fence_first() : co_await cutover.routes_first();
}

}  // namespace pegmove::migration::hot
