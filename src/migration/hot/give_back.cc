#include "migration/hot/give_back.h"

#include <fmt/format.h>

#include "migration/hot/fence.h"
#include "migration/hot/route_switch.h"

namespace pegmove::migration::hot {
namespace {

constexpr async::milliseconds kAttempt{5'000};
constexpr async::milliseconds kAttemptPause{500};

// Repeats a change until it succeeds. `left` says what is so until then.
class Persistent {
 public:
  Persistent(Clock& clock, CutoverHooks hooks, std::string left)
      : clock_(clock), hooks_(std::move(hooks)), left_(std::move(left)) {}

  Deadline attempt() const { return Deadline::in(clock_, kAttempt); }
  // After an attempt that has failed. Errors: kInterrupted.
  Task<> failed(Error why) {
    if (!warned_at_ || clock_.now() - *warned_at_ >= kWarnEvery) {
      warned_at_ = clock_.now();
      hooks_.warn_of(fmt::format("{}: {}", left_, why.to_string()));
    }
    if (hooks_.is_abandoned())
      co_return fail(Code::kInterrupted, fmt::format("{}: {}", left_, why.to_string()));
    co_await clock_.sleep_for(kAttemptPause);  // no result
    co_return Result<void>();
  }

 private:
  Clock& clock_;
  CutoverHooks hooks_;
  std::string left_;
  std::optional<async::Instant> warned_at_;
};

Task<ClosedSwitch> decide(CutoverPorts ports, CutoverPlan plan, CutoverBefore before,
                          CutoverHooks hooks) {
  Persistent persistent(ports.clock, hooks,
                        fmt::format("{} STAYS DENIED and serves nobody, since ZooKeeper cannot be "
                                    "asked whether {} serves",
                                    ports.source.name(), ports.target.name()));
  while (true) {
    auto closed =
        co_await close_switch(ports.nodes, ports.clock, plan, before, persistent.attempt());
    if (closed) co_return *closed;
    CO_TRY(co_await persistent.failed(std::move(closed).error()));
  }
}

// A target that was opened for what is shipped is closed again, before the source opens.
Task<> deny_target(CutoverPorts ports, CutoverHooks hooks) {
  Persistent persistent(ports.clock, hooks,
                        fmt::format("{} cannot be denied again, and {} stays denied until then",
                                    ports.target.name(), ports.source.name()));
  while (true) {
    auto denied = co_await ports.target.deny(std::string(kDenyAll), persistent.attempt());
    if (denied) co_return Result<void>();
    CO_TRY(co_await persistent.failed(std::move(denied).error()));
  }
}

// Until the meta server has no env any more. An earlier request for the fence, whose answer was
// lost, may be carried out late: so it is asked afterwards. Errors: kInterrupted; kNotFound: the
// table does not exist any more.
Task<> open_source(CutoverPorts ports, CutoverHooks hooks) {
  Persistent persistent(
      ports.clock, hooks,
      fmt::format("{} cannot be opened yet and serves nobody", ports.source.name()));
  while (true) {
    auto allowed = co_await ports.source.allow(persistent.attempt());
    if (allowed) {
      const auto denied = co_await ports.source.denied(persistent.attempt());
      if (denied && !*denied) co_return Result<void>();
      allowed = denied ? fail(Code::kBusy, "the env is there again") : fail(denied.error());
    }
    if (allowed.error().code() == Code::kNotFound && !hooks.is_abandoned()) co_return allowed;
    CO_TRY(co_await persistent.failed(std::move(allowed).error()));
  }
}

Task<> unseal(CutoverPorts ports, CutoverHooks hooks) {
  Persistent persistent(ports.clock, hooks, "the relay stays sealed: nothing is shipped");
  while (true) {
    auto unsealed = co_await ports.relay->unseal(persistent.attempt());
    if (unsealed) co_return Result<void>();
    CO_TRY(co_await persistent.failed(std::move(unsealed).error()));
  }
}

// Whether a later cutover has begun, or somebody else has changed the node, since it was closed
// with this version: then the envs are not this one's any more.
Routine<bool> is_superseded(CutoverPorts ports, CutoverPlan plan, int32_t version) {
  const auto node = co_await ports.nodes.read(plan.path, Deadline::in(ports.clock, kAttempt));
  co_return node && (!*node || (*node)->version > version);
}

// Opens, and looks until everybody serves and no request that is still on its way can change that
// any more, but no longer than servers may take (with two rounds missed).
Task<bool> open_and_see(CutoverPorts ports, CutoverPlan plan, int32_t version,
                        async::Instant late_until, CutoverHooks hooks) {
  constexpr async::milliseconds kLook{5'000};
  const auto give_up =
      std::max(late_until, ports.clock.now() + 3 * ports.source.envs_act_within()) + kLook;
  while (true) {
    const bool is_last = ports.clock.now() >= late_until;
    if (plan.opens_target) {
      CO_TRY(co_await deny_target(ports, hooks));
      hooks.pass("give_back.target_denied");
    }
    CO_TRY(co_await open_source(ports, hooks));
    hooks.pass("give_back.allowed");
    const auto open =
        co_await see_all_open(ports.source, ports.clock, hooks, Deadline::in(ports.clock, kLook));
    if (open && is_last) co_return true;
    if (hooks.is_abandoned() || ports.clock.now() >= give_up) co_return bool(open);
    if (open) co_await ports.clock.sleep_for(kAttemptPause);  // no result
    if (co_await is_superseded(ports, plan, version)) co_return false;
  }
}

}  // namespace

Task<GiveBackEnd> give_back(CutoverPorts ports, CutoverPlan plan, CutoverBefore before,
                            async::Instant late_until, CutoverHooks hooks) {
  hooks.pass("give_back.begun");
  const auto closed = CO_TRY(co_await decide(ports, plan, before, hooks));
  if (closed.names == NodeNames::kTarget) {
    if (plan.fence == FenceKind::kWrites || plan.order == Order::kRoutesFirst)
      CO_TRY(co_await send_readers_over(ports, plan, hooks));
    co_return GiveBackEnd{
        .end = GaveBack::kSwitched,
        .says = fmt::format("node {} names {}: the switch has happened, and {} stays denied",
                            plan.path, ports.target.name(), ports.source.name()),
        .is_proven = true};
  }
  if (closed.names == NodeNames::kElse) {
    auto says = fmt::format(
        "{} STAYS DENIED and serves nobody: node {} names neither it nor {}. "
        "Decide who serves, write the node with `pegmove routes set`, and "
        "repeat `pegmove rollback` or `pegmove cutover`",
        ports.source.name(), plan.path, ports.target.name());
    hooks.warn_of(says);
    co_return GiveBackEnd{.end = GaveBack::kStaysDenied, .says = std::move(says)};
  }
  hooks.pass("give_back.switch_closed");
  const auto opened = co_await open_and_see(ports, plan, closed.version, late_until, hooks);
  if (!opened && opened.error().code() == Code::kNotFound)
    co_return GiveBackEnd{
        .end = GaveBack::kStaysDenied,
        .says = fmt::format("the source serves nobody: {}", opened.error().to_string())};
  const bool is_proven = CO_TRY(opened);
  // A later attempt may have switched while this process was stopped: then it has just opened a
  // source that must stay denied.
  const auto node = co_await ports.nodes.read(plan.path, Deadline::in(ports.clock, kAttempt));
  if (node && names_in(*node, plan) == NodeNames::kTarget) {
    CO_TRY(co_await send_readers_over(ports, plan, hooks));
    co_return GiveBackEnd{.end = GaveBack::kSwitched,
                          .says = fmt::format("a later cutover has switched: {} is denied again",
                                              ports.source.name()),
                          .is_proven = true};
  }
  if (ports.relay) CO_TRY(co_await unseal(ports, hooks));
  hooks.pass("give_back.served");
  co_return GiveBackEnd{
      .end = GaveBack::kSourceServes,
      .says = is_proven ? fmt::format("{} serves again", ports.source.name())
                        : fmt::format("{} is open, but not every server of it serves yet",
                                      ports.source.name()),
      .is_proven = is_proven};
}

Task<> send_readers_over(CutoverPorts ports, CutoverPlan plan, CutoverHooks hooks) {
  Persistent persistent(ports.clock, hooks,
                        fmt::format("{} serves ({}), but {} cannot be closed for reads yet",
                                    ports.target.name(), plan.path, ports.source.name()));
  while (true) {
    auto denied = co_await ports.source.deny(std::string(kDenyAll), persistent.attempt());
    if (denied) co_return Result<void>();
    CO_TRY(co_await persistent.failed(std::move(denied).error()));
  }
}

}  // namespace pegmove::migration::hot
