#include "migration/hot/journal_holder.h"

#include <algorithm>

#include "journal/run_lock.h"

namespace pegmove::migration::hot {

using journal::StepState;

Result<JournalHolder> JournalHolder::open(const std::string& journal_path, const Clock& clock,
                                          std::string run, journal::StepRecord guarded) {
  return JournalHolder(TRY(journal::Journal::open(journal_path, clock)), clock, std::move(run),
                       std::move(guarded));
}

JournalHolder::JournalHolder(journal::Journal journal, const Clock& clock, std::string run,
                             journal::StepRecord guarded)
    : journal_(std::move(journal)),
      clock_(clock),
      run_(std::move(run)),
      guarded_(std::move(guarded)),
      pool_(std::make_unique<async::Pool>(1)) {}

Task<HolderState> JournalHolder::state() {
  auto seen = co_await pool_->run([this] { return look(); });
  if (!seen && is_late()) co_return HolderState::kLate;
  co_return seen;
}

// The lock before the step: a process that ends writes the step first.
Result<HolderState> JournalHolder::look() {
  const auto holder = TRY(journal::RunLock::holder(journal_, run_));
  const auto steps = TRY(journal_.steps(run_));
  const auto step = std::ranges::find(steps, guarded_.name, &journal::StepRecord::name);
  // A cancel gives the cutover back, and may be killed, too.
  const bool is_open = step != steps.end() && step->before == guarded_.before &&
                       (step->state == StepState::kBegun || step->state == StepState::kUndoing);
  if (!is_open) return HolderState::kEnded;
  if (!holder) return HolderState::kGone;
  const auto leases = TRY(journal_.leases(run_));
  const auto lease = std::ranges::find(leases, guarded_.name, &journal::Lease::step);
  late_after_unix_ms_.reset();
  if (lease != leases.end()) late_after_unix_ms_ = lease->until_unix_ms;
  return is_late() ? HolderState::kLate : HolderState::kInTime;
}

bool JournalHolder::is_late() const {
  return late_after_unix_ms_ && clock_.unix_us() / 1000 > *late_after_unix_ms_;
}

}  // namespace pegmove::migration::hot
