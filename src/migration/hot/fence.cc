#include "migration/hot/fence.h"

#include <fmt/format.h>

#include <algorithm>

#include "async/for_each.h"

namespace pegmove::migration::hot {
namespace {

constexpr size_t kProbesAtOnce = 64;
constexpr async::milliseconds kProbeAnswer{3'000};
// How long a doubtful member is waited for: one that was asked while it became a member serves
// soon.
constexpr async::milliseconds kDoubt{2'000};

// Fast where envs act at once, not a burden where it takes half a minute.
async::milliseconds fence_pause(const Side& side) {
  return std::clamp(side.envs_act_within() / 100, async::milliseconds(5), async::milliseconds(300));
}

Task<> probe_member(Side& side, FenceProof& proof, FenceProof::Asked asked, Deadline deadline) {
  const auto answer = co_await side.probe(asked.partition, asked.member, proof.probe(), deadline);
  proof.note(asked.partition, asked.member, answer);
  co_return Result<void>();
}

// Asks them all, between two looks at the configuration.
Task<> probe_round(Side& side, Clock& clock, FenceProof& proof,
                   std::vector<FenceProof::Asked> (FenceProof::*which)() const, Deadline deadline) {
  proof.note_view(CO_TRY(co_await side.view(deadline)));
  const auto asked = (proof.*which)();
  const auto answered = Deadline::in(clock, kProbeAnswer).earlier(deadline);
  CO_TRY(co_await async::for_each(asked.size(), kProbesAtOnce, [&](size_t index) {
    return probe_member(side, proof, asked[index], answered);
  }));
  proof.note_view(CO_TRY(co_await side.view(deadline)));
  co_return Result<void>();
}

Error interrupted_fence() { return Error(Code::kInterrupted, "stopped on request"); }

// A round that has failed is repeated: a meta server may be away for a moment.
Result<void> may_repeat(Result<void> round, const Clock& clock, Deadline deadline) {
  if (!round && (deadline.passed(clock) || round.error().code() == Code::kNotFound)) return round;
  return {};
}

bool has_primaries(const TableView& view) {
  return std::ranges::all_of(view, [](const PartitionView& partition) {
    return std::ranges::any_of(partition.members, &Member::is_primary);
  });
}

}  // namespace

void FenceProof::note_view(const TableView& view) {
  seen_.resize(view.size());
  for (size_t i = 0; i < view.size(); ++i)
    if (i >= view_.size() || view_[i] != view[i]) seen_[i] = Seen{};
  view_ = view;
}

void FenceProof::note(int32_t partition, const Member& member, ProbeAnswer answer) {
  auto& seen = seen_[size_t(partition)];
  if (answer == ProbeAnswer::kServed) {
    seen.served.insert(member.node);
    seen.denied.erase(member.node);
  } else if (answer == ProbeAnswer::kDenied) {
    seen.denied.insert(member.node);
  }
}

std::vector<FenceProof::Asked> FenceProof::unserved() const {
  std::vector<Asked> asked;
  for (size_t i = 0; i < view_.size(); ++i)
    for (const auto& member : view_[i].members)
      if (is_asked(member) && !seen_[i].served.contains(member.node))
        asked.push_back({int32_t(i), member});
  return asked;
}

std::vector<FenceProof::Asked> FenceProof::undenied() const {
  std::vector<Asked> asked;
  for (size_t i = 0; i < view_.size(); ++i)
    for (const auto& member : view_[i].members)
      if (is_asked(member) &&
          (!seen_[i].denied.contains(member.node) || !seen_[i].served.contains(member.node)))
        asked.push_back({int32_t(i), member});
  return asked;
}

bool FenceProof::is_proven() const {
  return !view_.empty() && has_primaries(view_) && undenied().empty();
}

bool FenceProof::is_doubtful() const {
  return std::ranges::any_of(undenied(), [this](const Asked& asked) {
    const auto& seen = seen_[size_t(asked.partition)];
    return seen.denied.contains(asked.member.node);
  });
}

std::string FenceProof::text_of(const std::vector<Asked>& asked) {
  if (asked.empty()) return {};
  auto text = fmt::format("partition {} on {}", asked[0].partition, asked[0].member.node);
  if (asked.size() > 1) text += fmt::format(" and {} others", asked.size() - 1);
  return text;
}

Task<> see_members_serve(Side& side, Clock& clock, FenceProof& proof, Deadline deadline) {
  while (true) {
    CO_TRY(may_repeat(co_await probe_round(side, clock, proof, &FenceProof::unserved, deadline),
                      clock, deadline));
    if (!proof.view().empty() && has_primaries(proof.view()) && proof.unserved().empty())
      co_return Result<void>();
    if (deadline.passed(clock))
      co_return fail(Code::kBusy,
                     fmt::format("{}: not every server serves ({}), so that a fence could not be "
                                 "proven. Nothing was changed; repeat the cutover when the table "
                                 "is healthy",
                                 side.name(),
                                 has_primaries(proof.view()) ? FenceProof::text_of(proof.unserved())
                                                             : "a partition has no primary"));
    co_await clock.sleep_for(fence_pause(side));  // no result
  }
}

Task<> prove_fence(Side& side, Clock& clock, FenceProof& proof, CutoverHooks hooks,
                   Deadline deadline) {
  std::optional<async::Instant> doubtful_since;
  while (true) {
    const auto round = co_await probe_round(side, clock, proof, &FenceProof::undenied, deadline);
    CO_TRY(may_repeat(round, clock, deadline));
    if (round && proof.is_proven()) co_return Result<void>();
    if (hooks.is_stopped()) co_return fail(interrupted_fence());
    const auto left = FenceProof::text_of(proof.undenied());
    hooks.show_line(fmt::format("fence: waits for {}", left));
    if (!proof.is_doubtful())
      doubtful_since.reset();
    else if (!doubtful_since)
      doubtful_since = clock.now();
    const bool is_hopeless = doubtful_since && clock.now() - *doubtful_since >= kDoubt;
    if (is_hopeless)
      co_return fail(Code::kBusy,
                     fmt::format("{}: the servers of a partition changed under the fence ({}), "
                                 "and it cannot be proven any more",
                                 side.name(), left));
    if (deadline.passed(clock))
      co_return fail(Code::kBusy, fmt::format("{}: the fence does not act yet everywhere ({}), and "
                                              "the time for it is over (--max-write-hold)",
                                              side.name(), left));
    co_await clock.sleep_for(fence_pause(side));  // no result
  }
}

Task<> check_unchanged(Side& side, const FenceProof& proof, Deadline deadline) {
  const auto view = CO_TRY(co_await side.view(deadline));
  for (size_t i = 0; i < std::max(view.size(), proof.view().size()); ++i)
    if (i >= view.size() || i >= proof.view().size() || view[i] != proof.view()[i])
      co_return fail(Code::kBusy, fmt::format("{}: the servers of partition {} have changed since "
                                              "the fence was proven",
                                              side.name(), i));
  co_return Result<void>();
}

Task<> see_all_open(Side& side, Clock& clock, CutoverHooks hooks, Deadline deadline) {
  FenceProof proof(FenceKind::kAll);
  while (true) {
    CO_TRY(may_repeat(co_await probe_round(side, clock, proof, &FenceProof::unserved, deadline),
                      clock, deadline));
    if (!proof.view().empty() && proof.unserved().empty()) co_return Result<void>();
    if (hooks.is_abandoned()) co_return fail(interrupted_fence());
    const auto left = FenceProof::text_of(proof.unserved());
    hooks.show_line(fmt::format("opening: waits for {}", left));
    if (deadline.passed(clock))
      co_return fail(Code::kBusy,
                     fmt::format("{}: not every server serves again ({})", side.name(), left));
    co_await clock.sleep_for(fence_pause(side));  // no result
  }
}

}  // namespace pegmove::migration::hot
