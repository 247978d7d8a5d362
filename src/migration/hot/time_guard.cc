#include "migration/hot/time_guard.h"

#include <fmt/format.h>

#include "base/units.h"

namespace pegmove::migration::hot {
namespace {

constexpr async::milliseconds kTimeGuardPause{1'000};
constexpr async::milliseconds kTimeGuardQuestion{5'000};

// What the guard sees at one moment.
struct SeenTable {
  NodeNames serves = NodeNames::kElse;
  routes::Node node{};
  bool is_fenced = false;  // who serves
  bool is_other_denied = false;
};

Task<SeenTable> look_at_table(CutoverPorts ports, CutoverPlan plan) {
  const auto deadline = Deadline::in(ports.clock, kTimeGuardQuestion);
  SeenTable seen;
  const auto node = CO_TRY(co_await ports.nodes.read(plan.path, deadline));
  seen.serves = names_in(node, plan);
  if (seen.serves == NodeNames::kElse) co_return seen;
  seen.node = *node;
  const bool is_back = seen.serves == NodeNames::kTarget;
  const auto denied = CO_TRY(co_await (is_back ? ports.target : ports.source).denied(deadline));
  seen.is_fenced = denied == kDenyAll || denied == kDenyWrites;
  seen.is_other_denied =
      CO_TRY(co_await (is_back ? ports.source : ports.target).denied(deadline)).has_value();
  co_return seen;
}

// A fence under watch.
struct SeenFence {
  int32_t version = 0;
  async::Instant since{};
};

Task<GiveBackEnd> give_fence_back(CutoverPorts ports, CutoverPlan plan, SeenTable seen,
                                  bool opens_target, CutoverHooks hooks) {
  if (seen.serves == NodeNames::kTarget) std::swap(plan.from, plan.to);
  const CutoverPorts sides =
      seen.serves == NodeNames::kTarget
          ? CutoverPorts{ports.target, ports.source, ports.nodes, ports.clock}
          : ports;
  plan.opens_target = opens_target;
  plan.fence = FenceKind::kWrites;  // after a switch readers are sent over, whatever it was
  co_return co_await give_back(sides, plan, {.version = seen.node.version, .text = seen.node.data},
                               ports.clock.now() + kLateRequest, hooks);
}

}  // namespace

Task<GiveBackEnd> guard_by_time(CutoverPorts ports, CutoverPlan plan, async::milliseconds longest,
                                CutoverHooks hooks) {
  std::optional<SeenFence> fence;
  // A rollback opens the source, and a second cutover the target, which are denied until then. In a
  // rollback that is always so.
  bool was_other_denied = false;
  while (true) {
    if (hooks.is_abandoned()) co_return fail(Code::kInterrupted, "the guard was stopped");
    const auto seen = co_await look_at_table(ports, plan);
    const auto now = ports.clock.now();
    if (!seen) {
      hooks.show_line(seen.error().to_string());
    } else if (!seen->is_fenced) {
      fence.reset();
      was_other_denied = seen->is_other_denied;
    } else if (!fence || fence->version != seen->node.version) {
      fence = {.version = seen->node.version, .since = now};
    } else if (now - fence->since >= longest) {
      const bool opens_target =
          seen->serves == NodeNames::kTarget || was_other_denied || seen->is_other_denied;
      hooks.warn_of(
          fmt::format("{} is fenced for {}, and node {} has not changed: it is given "
                      "back",
                      (seen->serves == NodeNames::kTarget ? ports.target : ports.source).name(),
                      base::format_duration(longest), plan.path));
      co_return co_await give_fence_back(ports, plan, *seen, opens_target, hooks);
    }
    co_await ports.clock.sleep_for(kTimeGuardPause);  // no result
  }
}

}  // namespace pegmove::migration::hot
