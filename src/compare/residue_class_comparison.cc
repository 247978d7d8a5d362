#include "compare/residue_class_comparison.h"

#include <algorithm>
#include <limits>

#include "async/all.h"
#include "record/expiry.h"

namespace pegmove::compare {
namespace {

using wire::KeyValueView;

constexpr size_t kMostCandidates = 5000;         // that wait to be read again
constexpr size_t kMostCandidateBytes = 4 << 20;  // of their keys
constexpr async::milliseconds kCandidateAge{
    30'000};                         // then they are read again, even if they are few
constexpr int64_t kLookEvery = 256;  // rows between checks of the clock

std::vector<int32_t> partitions_of_class(int number, int classes, int partition_count) {
  std::vector<int32_t> partitions;
  for (int index = number; index < partition_count; index += classes) partitions.push_back(index);
  return partitions;
}

}  // namespace

std::string_view ResidueClassComparison::Pair::least_key() const {
  if (!left) return right->key;
  return right ? std::min(left->key, right->key) : left->key;
}

ResidueClassComparison::ResidueClassComparison(const ResidueClassContext& context, int number,
                                               ResidueClassState& state,
                                               const async::StopSignal& stop)
    : context_(context),
      number_(number),
      state_(state),
      stop_(stop),
      clock_(context.source->cluster().client().clock()),
      last_key_(state.last_key),
      next_note_(clock_.now() + context.note_every) {}

ResidueClassComparison::Pair ResidueClassComparison::open(const std::string& after,
                                                          int32_t first_batch_rows,
                                                          int32_t most_batch_rows) const {
  auto scan = [&](const std::shared_ptr<client::Table>& table) {
    auto partitions = partitions_of_class(number_, context_.classes, table->partition_count());
    auto share = [&](int32_t rows) { return std::max(2, rows / int32_t(partitions.size()) + 1); };
    return MergedScan(table, partitions,
                      {.timeout = context_.timeout,
                       .after = after,
                       .first_batch_rows = share(first_batch_rows),
                       .most_batch_rows = share(most_batch_rows)});
  };
  return {.source = scan(context_.source), .target = scan(context_.target)};
}

Task<> ResidueClassComparison::begin(Pair& pair) {
  auto first = [](MergedScan& scan, const KeyValueView*& row) -> Task<> {
    row = CO_TRY(co_await scan.advance());
    co_return Result<void>();
  };
  std::vector<Task<>> both;
  both.push_back(first(pair.source, pair.left));
  both.push_back(first(pair.target, pair.right));
  co_return co_await async::all(std::move(both));
}

Task<> ResidueClassComparison::run() {
  if (state_.done) co_return Result<void>();
  if (context_.sample && context_.sample->share < 1) {
    CO_TRY(co_await run_slices());
  } else {
    auto pair = open(last_key_, 10, 1000);
    CO_TRY(co_await begin(pair));
    CO_TRY(co_await walk(pair, std::numeric_limits<int64_t>::max()));
  }
  CO_TRY(co_await recheck_candidates());
  state_.done = true;
  co_return co_await note(true);
}

// Compares up to this many rows of both sides together.
Task<> ResidueClassComparison::walk(Pair& pair, int64_t most_rows) {
  for (walked_ = 0; !pair.at_end() && walked_ < most_rows;) {
    if (stop_.requested()) co_return fail(Code::kInterrupted, "stopped on request");
    auto& [source, target, left, right] = pair;
    int order = !left ? 1 : !right ? -1 : left->key.compare(right->key);
    const auto& row = order <= 0 ? *left : *right;
    bool look = ++walked_ % kLookEvery == 0 || context_.sample;
    if (look) last_key_ = row.key;
    if (order != 0) [[unlikely]] {
      auto now = record::pegasus_seconds(clock_.unix_seconds());
      if (!RowRule::expires_about(row.expire_ts, now))
        CO_TRY(co_await find_different(
            order < 0 ? DifferenceKind::kMissing : DifferenceKind::kExtra, row.key));
    } else if (left->value != right->value) {
      CO_TRY(co_await find_different(DifferenceKind::kValue, row.key));
    } else if (!context_.rule.same_expiry(left->expire_ts, right->expire_ts)) {
      CO_TRY(co_await find_different(DifferenceKind::kExpiry, row.key));
    }
    auto& counts = state_.counts;
    if (order <= 0) {
      ++counts.source_rows;
      counts.source_bytes += int64_t(left->key.size() + left->value.size());
      counts.source_sum.add(*left);
      const auto* next = source.advance_if_ready();
      left = next ? next : CO_TRY(co_await source.advance());
    }
    if (order >= 0) {
      ++counts.target_rows;
      counts.target_sum.add(*right);
      const auto* next = target.advance_if_ready();
      right = next ? next : CO_TRY(co_await target.advance());
    }
    if (context_.sample) learned_.learn(last_key_);
    if (look) [[unlikely]] {
      count_foreign(pair);
      CO_TRY(co_await note(false));
    }
  }
  count_foreign(pair);
  co_return Result<void>();
}

// Those up to the row that was compared last.
void ResidueClassComparison::count_foreign(Pair& pair) {
  auto& counts = state_.counts;
  const bool all = pair.at_end();
  counts.source_foreign += all ? pair.source.take_foreign() : pair.source.take_foreign(last_key_);
  counts.target_foreign += all ? pair.target.take_foreign() : pair.target.take_foreign(last_key_);
}

Task<> ResidueClassComparison::run_slices() {
  SlicePlan plan(*context_.sample, number_, state_.counts.slices);
  auto position = last_key_;
  while (true) {
    auto rows = int32_t(plan.slice_rows());
    auto pair = open(position, rows, rows);
    CO_TRY(co_await begin(pair));
    if (pair.at_end()) co_return Result<void>();
    std::vector<LearnedKeys::Stretch> halves;
    for (int half = 0; half < 2 && !pair.at_end(); ++half) {
      auto& stretch = halves.emplace_back(std::string(pair.least_key()));
      CO_TRY(co_await walk(pair, rows / 2));
      stretch.end = last_key_;
      stretch.rows = walked_;
    }
    state_.counts.slices = plan.slices() + 1;
    if (pair.at_end()) co_return Result<void>();
    position = last_key_;
    auto left = plan.next_leap_rows(rows);
    // Each turn ends at an existing key, and learns from it.
    while (left >= 1) {
      if (stop_.requested()) co_return fail(Code::kInterrupted, "stopped on request");
      auto leap = learned_.leap(halves, position, left);
      if (leap.to <= position) break;
      state_.counts.rows_skipped += int64_t(leap.rows);
      left -= leap.rows;
      position = leap.to;
      if (leap.place == LearnedKeys::kNoPlace) break;
      auto seek = open(position, 1, 1);
      CO_TRY(co_await begin(seek));
      if (seek.at_end()) co_return Result<void>();
      auto found = std::string(seek.least_key());
      if (!found.starts_with(leap.prefix)) learned_.saturate(leap.place);
      learned_.learn(found);
      if (left < 1) break;
      position = std::move(found);
    }
  }
}

Task<> ResidueClassComparison::find_different(DifferenceKind kind, std::string_view raw_key) {
  if (!context_.live) co_return co_await prove(kind, raw_key);
  if (candidates_.empty()) first_candidate_ = clock_.now();
  ++state_.counts.suspects;
  candidate_bytes_ += raw_key.size();
  candidates_.push_back({std::string(raw_key)});
  if (candidates_.size() >= kMostCandidates || candidate_bytes_ >= kMostCandidateBytes)
    co_return co_await recheck_candidates();
  co_return Result<void>();
}

Task<> ResidueClassComparison::prove(DifferenceKind kind, std::string_view raw_key) {
  state_.counts.count(kind);
  bool listed = state_.listed.size() < context_.most_listed;
  if (!listed && !context_.sink) co_return Result<void>();
  auto difference = Difference::of(kind, raw_key);
  if (listed) state_.listed.push_back(difference);
  if (context_.sink) CO_TRY(co_await context_.sink->take(std::move(difference)));
  co_return Result<void>();
}

Task<> ResidueClassComparison::recheck_candidates() {
  if (candidates_.empty()) co_return Result<void>();
  candidate_bytes_ = 0;
  auto rechecked =
      CO_TRY(co_await recheck(*context_.source, *context_.target, std::exchange(candidates_, {}),
                              context_.rule, *context_.live, stop_));
  state_.counts.not_settled += rechecked.not_settled;
  for (const auto& row : rechecked.different) CO_TRY(co_await prove(row.kind, row.raw_key));
  co_return Result<void>();
}

// Reports the position of the class, when it is time. Nothing before the position may be pending: a
// kill would lose candidates that were not read again, and differences that the sink still holds.
Task<> ResidueClassComparison::note(bool at_once) {
  const auto now = clock_.now();
  if (!at_once && now < next_note_) co_return Result<void>();
  if (!candidates_.empty()) {
    if (now - first_candidate_ < kCandidateAge) co_return Result<void>();
    CO_TRY(co_await recheck_candidates());
  }
  next_note_ = now + context_.note_every;
  if (context_.sink) CO_TRY(co_await context_.sink->flush());
  state_.last_key = last_key_;
  if (context_.on_state) context_.on_state(number_, state_);
  co_return Result<void>();
}

}  // namespace pegmove::compare
