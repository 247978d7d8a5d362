#include "migration/hot/drain.h"

#include <fmt/format.h>

#include <algorithm>

namespace pegmove::migration::hot {
namespace {

constexpr async::milliseconds kReading{3'000};  // one reading's deadline
constexpr const char* kAnsweredTwice =
    "one server, since two have answered for a partition, or for one that does not exist";

async::milliseconds drain_pause(async::milliseconds readings_apart) {
  return std::clamp(readings_apart / 5, async::milliseconds(5), async::milliseconds(200));
}

const std::string* primary_of(const PartitionView& partition) {
  const auto found = std::ranges::find_if(partition.members, &Member::is_primary);
  return found == partition.members.end() ? nullptr : &found->node;
}

std::optional<std::string> why_not_answered(const PartitionProgress* progress,
                                            const PartitionView& view, size_t index) {
  const auto* primary = primary_of(view);
  if (!primary) return fmt::format("partition {} has no primary", index);
  if (!progress)
    return fmt::format("partition {} on {} does not tell how far it is shipped", index, *primary);
  if (progress->node != *primary)
    return fmt::format("partition {} was answered for by {}, not by its primary {}", index,
                       progress->node, *primary);
  return std::nullopt;
}

std::optional<std::string> why_not_drained_partition(const PartitionProgress* progress,
                                                     const PartitionView& view, size_t index) {
  if (auto why = why_not_answered(progress, view, index)) return why;
  const auto last = progress->max_prepared;
  if (progress->last_committed == last && progress->last_applied == last &&
      progress->confirmed == last)
    return std::nullopt;
  return fmt::format("partition {} on {}: prepared {}, committed {}, applied {}, shipped {}", index,
                     progress->node, last, progress->last_committed, progress->last_applied,
                     progress->confirmed);
}

// By partition; null: missing. Nothing: two answers for one, or one for none.
std::optional<std::vector<const PartitionProgress*>> index_of(const Progress& reading,
                                                              size_t partitions) {
  std::vector<const PartitionProgress*> by_index(partitions);
  for (const auto& progress : reading) {
    if (progress.partition < 0 || size_t(progress.partition) >= partitions ||
        by_index[size_t(progress.partition)])
      return std::nullopt;
    by_index[size_t(progress.partition)] = &progress;
  }
  return by_index;
}

}  // namespace

std::optional<std::string> why_not_drained(const Progress& reading, const TableView& view) {
  if (view.empty()) return "the table has no partitions";
  const auto by_index = index_of(reading, view.size());
  if (!by_index) return kAnsweredTwice;
  for (size_t i = 0; i < view.size(); ++i)
    if (auto why = why_not_drained_partition((*by_index)[i], view[i], i)) return why;
  return std::nullopt;
}

bool shows_lost_decrees(const Progress& before, const Progress& after) {
  return std::ranges::any_of(before, [&](const PartitionProgress& old) {
    return std::ranges::any_of(after, [&](const PartitionProgress& now) {
      return now.partition == old.partition && now.max_prepared < old.max_prepared;
    });
  });
}

void DrainProof::note(const Progress& reading, async::Instant asked_at,
                      async::Instant answered_at) {
  const auto by_index = index_of(reading, view_.size());
  for (size_t i = 0; i < view_.size(); ++i) {
    auto& part = parts_[i];
    if (part.is_proven) continue;
    part.why = by_index ? why_not_drained_partition((*by_index)[i], view_[i], i)
                        : std::optional<std::string>(kAnsweredTwice);
    if (part.why) {
      part.first.reset();
      continue;
    }
    const auto& progress = *(*by_index)[i];
    if (!part.first || part.first->decree != progress.max_prepared)
      part.first = {.decree = progress.max_prepared, .answered_at = answered_at};
    // From the end of the first reading to the begin of the last one.
    if (asked_at - part.first->answered_at < rule_.readings_apart)
      part.why = "the second reading";
    else if (rule_.must_persist == MustPersist::kYes && progress.persisted < part.first->decree)
      part.why = fmt::format("partition {}: the meta server has persisted {} of {}", i,
                             progress.persisted, part.first->decree);
    else
      part.is_proven = true;
  }
}

std::optional<std::string> DrainProof::why_not() const {
  if (parts_.empty()) return "the table has no partitions";
  const auto found = std::ranges::find(parts_, false, &Part::is_proven);
  return found == parts_.end() ? std::nullopt : found->why;
}

Task<Progress> prove_drained(Side& side, Clock& clock, TableView view, Shipping shipping,
                             DrainRule rule, CutoverHooks hooks, Deadline deadline) {
  DrainProof proof(std::move(view), rule);
  while (true) {
    const auto asked_at = clock.now();
    auto reading = co_await side.progress(proof.view(), shipping,
                                          Deadline::in(clock, kReading).earlier(deadline));
    if (!reading && reading.error().code() == Code::kNotFound)
      co_return fail(std::move(reading).error());
    auto why = reading ? std::string() : reading.error().to_string();
    if (reading) {
      proof.note(*reading, asked_at, clock.now());
      const auto left = proof.why_not();
      if (!left) co_return *std::move(reading);
      why = *left;
    }
    if (hooks.is_stopped()) co_return fail(Code::kInterrupted, "stopped on request");
    hooks.show_line(fmt::format("drain: waits for {}", why));
    if (deadline.passed(clock))
      co_return fail(Code::kBusy,
                     fmt::format("{}: it is not proven that everything was shipped ({}), and the "
                                 "time for it is over (--max-write-hold)",
                                 side.name(), why));
    co_await clock.sleep_for(drain_pause(rule.readings_apart));  // no result
  }
}

std::optional<std::string> why_not_stored(const Progress& reading, const TableView& view) {
  const auto by_index = index_of(reading, view.size());
  if (!by_index) return kAnsweredTwice;
  for (size_t i = 0; i < view.size(); ++i) {
    const auto* progress = (*by_index)[i];
    if (auto why = why_not_answered(progress, view[i], i)) return why;
    if (progress->confirmed < 0 || progress->persisted != progress->confirmed)
      return fmt::format("partition {} on {}: shipped {}, of which the meta server has stored {}",
                         i, progress->node, progress->confirmed, progress->persisted);
  }
  return std::nullopt;
}

Task<> unseal_when_stored(Side& left, Relay& relay, Shipping shipping, Deadline deadline) {
  auto view = CO_TRY(co_await left.view(deadline));
  const auto reading = CO_TRY(co_await left.progress(view, std::move(shipping), deadline));
  if (auto why = why_not_stored(reading, view)) co_return fail(Code::kBusy, *std::move(why));
  co_return co_await relay.unseal(deadline);
}

Task<> seal_relay(Relay& relay, Clock& clock, CutoverHooks hooks, Deadline deadline) {
  while (true) {
    const auto under_way = co_await relay.seal(Deadline::in(clock, kReading).earlier(deadline));
    if (under_way && *under_way == 0) co_return Result<void>();
    if (hooks.is_stopped()) co_return fail(Code::kInterrupted, "stopped on request");
    const auto why = under_way ? fmt::format("it has {} requests under way", *under_way)
                               : under_way.error().to_string();
    hooks.show_line(fmt::format("relay: {}", why));
    if (deadline.passed(clock))
      co_return fail(Code::kBusy, fmt::format("the relay cannot be sealed in time ({})", why));
    co_await clock.sleep_for(async::milliseconds(100));  // no result
  }
}

}  // namespace pegmove::migration::hot
