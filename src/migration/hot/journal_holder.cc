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
  co_return co_await pool_->run([this] { return look(); });
}

// The lock before the step: a process that ends writes the step first.
Result<HolderState> JournalHolder::look() const {
  const auto holder = TRY(journal::RunLock::holder(journal_, run_));
  const auto steps = TRY(journal_.steps(run_));
  const auto step = std::ranges::find(steps, guarded_.name, &journal::StepRecord::name);
  if (step == steps.end() || step->state != StepState::kBegun || step->before != guarded_.before)
    return HolderState::kEnded;
  if (!holder) return HolderState::kGone;
  const auto leases = TRY(journal_.leases(run_));
  const auto lease = std::ranges::find(leases, guarded_.name, &journal::Lease::step);
  if (lease != leases.end() && clock_.unix_us() / 1000 > lease->until_unix_ms)
    return HolderState::kLate;
  return HolderState::kInTime;
}

}  // namespace pegmove::migration::hot
