// Who holds a cutover, read from the journal: for the guard.
#pragma once

#include <optional>
#include <string>

#include "async/pool.h"
#include "journal/journal.h"
#include "migration/hot/guard.h"

namespace pegmove::migration::hot {

// The step of the run that is guarded, as it was when the guard began: another attempt has another
// `before`.
class JournalHolder : public Holder {
 public:
  // Errors: those of Journal::open().
  static Result<JournalHolder> open(const std::string& journal_path, const Clock& clock,
                                    std::string run, journal::StepRecord guarded);

  // kEnded: the journal has another state of the step. kGone: no process has the run. kLate: the
  // lease has run out, also when the journal cannot be read any more. Errors: the journal's.
  Task<HolderState> state() override;

 private:
  JournalHolder(journal::Journal journal, const Clock& clock, std::string run,
                journal::StepRecord guarded);
  Result<HolderState> look();
  bool is_late() const;

  journal::Journal journal_;
  const Clock& clock_;
  std::string run_;
  journal::StepRecord guarded_;
  std::optional<int64_t> late_after_unix_ms_;  // the lease, as it was read last
  std::unique_ptr<async::Pool> pool_;          // SQLite blocks
};

}  // namespace pegmove::migration::hot
