#include "migration/hot/drain.h"

#include <fmt/format.h>

#include <algorithm>

namespace pegmove::migration::hot {
namespace {

constexpr async::milliseconds kReading{3'000};  // one reading's deadline

async::milliseconds drain_pause(async::milliseconds readings_apart) {
  return std::clamp(readings_apart / 5, async::milliseconds(5), async::milliseconds(200));
}

const std::string* primary_of(const PartitionView& partition) {
  const auto found = std::ranges::find_if(partition.members, &Member::is_primary);
  return found == partition.members.end() ? nullptr : &found->node;
}

std::optional<std::string> why_not_drained_partition(const PartitionProgress* progress,
                                                     const PartitionView& view, size_t index) {
  const auto* primary = primary_of(view);
  if (!primary) return fmt::format("partition {} has no primary", index);
  if (!progress)
    return fmt::format("partition {} on {} does not tell how far it is shipped", index, *primary);
  if (progress->node != *primary)
    return fmt::format("partition {} was answered for by {}, not by its primary {}", index,
                       progress->node, *primary);
  const auto last = progress->max_prepared;
  if (progress->last_committed == last && progress->last_applied == last &&
      progress->confirmed == last)
    return std::nullopt;
  return fmt::format("partition {} on {}: prepared {}, committed {}, applied {}, shipped {}", index,
                     *primary, last, progress->last_committed, progress->last_applied,
                     progress->confirmed);
}

}  // namespace

std::optional<std::string> why_not_drained(const Progress& reading, const TableView& view) {
  if (view.empty()) return "the table has no partitions";
  std::vector<const PartitionProgress*> by_index(view.size());
  for (const auto& progress : reading) {
    if (progress.partition < 0 || size_t(progress.partition) >= view.size() ||
        by_index[size_t(progress.partition)])
      return fmt::format("partition {} was answered for by two servers, or does not exist",
                         progress.partition);
    by_index[size_t(progress.partition)] = &progress;
  }
  for (size_t i = 0; i < view.size(); ++i)
    if (auto why = why_not_drained_partition(by_index[i], view[i], i)) return why;
  return std::nullopt;
}

bool shows_same_decrees(const Progress& one, const Progress& other) {
  const auto is_same = [](PartitionProgress a, PartitionProgress b) {
    a.persisted = b.persisted;
    return a == b;
  };
  return std::ranges::is_permutation(one, other, is_same);
}

std::optional<std::string> why_not_persisted(const Progress& reading) {
  for (const auto& progress : reading)
    if (progress.persisted != progress.confirmed)
      return fmt::format("partition {}: the meta server has persisted {} of {}", progress.partition,
                         progress.persisted, progress.confirmed);
  return std::nullopt;
}

Task<Progress> prove_drained(Side& side, Clock& clock, TableView view, Shipping shipping,
                             MustPersist must_persist, async::milliseconds readings_apart,
                             CutoverHooks hooks, Deadline deadline) {
  std::optional<std::pair<async::Instant, Progress>> first;  // the begin of an unchanged time
  while (true) {
    const auto asked_at = clock.now();
    auto reading =
        co_await side.progress(view, shipping, Deadline::in(clock, kReading).earlier(deadline));
    if (!reading && reading.error().code() == Code::kNotFound)
      co_return fail(std::move(reading).error());
    auto why = reading ? why_not_drained(*reading, view) : reading.error().to_string();
    if (why || (first && !shows_same_decrees(first->second, *reading))) first.reset();
    // From the end of the first reading to the begin of the last one.
    if (!why && first && asked_at - first->first >= readings_apart) {
      if (must_persist == MustPersist::kYes) why = why_not_persisted(*reading);
      if (!why) co_return *std::move(reading);
    } else if (!why) {
      why = "the second reading";
      if (!first) first = {clock.now(), *std::move(reading)};
    }
    if (hooks.is_stopped()) co_return fail(Code::kInterrupted, "stopped on request");
    hooks.show_line(fmt::format("drain: waits for {}", *why));
    if (deadline.passed(clock))
      co_return fail(Code::kBusy,
                     fmt::format("{}: it is not proven that everything was shipped ({}), and the "
                                 "time for it is over (--max-write-hold)",
                                 side.name(), *why));
    co_await clock.sleep_for(drain_pause(readings_apart));  // no result
  }
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
