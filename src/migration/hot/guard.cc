#include "migration/hot/guard.h"

#include <fmt/format.h>

namespace pegmove::migration::hot {
namespace {

constexpr async::milliseconds kGuardPause{500};

// Whether a late holder has closed the source once more.
Task<bool> is_denied_again(CutoverPorts ports) {
  const auto denied =
      CO_TRY(co_await ports.source.denied(Deadline::in(ports.clock, async::milliseconds(3'000))));
  co_return denied.has_value();
}

}  // namespace

Task<GuardEnd> guard_cutover(CutoverPorts ports, CutoverPlan plan, CutoverBefore before,
                             Holder& holder, CutoverHooks hooks) {
  hooks.pass("guard.started");
  GuardEnd guarded;
  std::optional<async::Instant> warned_at;
  while (true) {
    const auto state = co_await holder.state();
    if (hooks.is_abandoned()) co_return fail(Code::kInterrupted, "the guard was stopped");
    if (!state && (!warned_at || ports.clock.now() - *warned_at >= kWarnEvery)) {
      warned_at = ports.clock.now();
      hooks.warn_of(
          fmt::format("it cannot be read how far the cutover is: {}", state.error().to_string()));
    }
    if (state == HolderState::kEnded) break;
    const bool is_due = state == HolderState::kGone || state == HolderState::kLate;
    const bool is_given_back =
        guarded.gave_back && guarded.gave_back->end == GaveBack::kSourceServes;
    if (is_due && !guarded.gave_back) hooks.pass("guard.lease_ended");
    if (is_due && (!guarded.gave_back || state == HolderState::kGone ||
                   (is_given_back && (co_await is_denied_again(ports)).value_or(false)))) {
      const auto late_until = ports.clock.now() + kLateRequest;
      guarded.gave_back = CO_TRY(co_await give_back(ports, plan, before, late_until, hooks));
    }
    if (state == HolderState::kGone) break;
    co_await ports.clock.sleep_for(kGuardPause);  // no result
  }
  hooks.pass("guard.ended");
  co_return guarded;
}

}  // namespace pegmove::migration::hot
