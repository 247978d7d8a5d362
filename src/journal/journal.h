// The journal: the runs, their steps and their progress, in one SQLite file. A killed run is
// resumed from its position in it, and one process can watch and steer the run of another.
//
// Every call blocks, since SQLite does: for the disk, and while another process writes, up to
// `busy_timeout_ms`. Coroutines call it through a Pool. One thread at a time uses a Journal;
// several Journals, of one process or of many, may use one file at the same time.
//
// What survives. Everything that returned survives the end of the process, kill -9 included. Runs,
// states, steps, plans, settings, requests and leases survive a power cut too (synchronous=FULL),
// as do the journal that open() created or converted, and what was removed or answered. save() and
// save_progress() do not wait for the disk (synchronous=NORMAL): a power cut may lose the last
// positions, whole calls, newest first. That is safe: from an older position rows are copied again,
// which changes nothing. Each change of state brings everything before it to the disk.
//
// Errors of every call, besides its own: kBusy (other processes kept the file locked), kCorrupt
// (the file is damaged or contains what no version of pegmove writes), kIo (disk full, permission).
// They contain SQLite's text, the file, and the operation. A call that failed has changed nothing
// and may be repeated.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "async/clock.h"
#include "journal/run.h"

namespace pegmove::journal {

struct JournalOptions {
  int busy_timeout_ms = 10'000;  // other processes write for milliseconds
};

class Journal {
 public:
  // Bounds of what is stored.
  static constexpr size_t kMostTextBytes = 1 << 20;    // options, result, a name
  static constexpr size_t kMostStepBytes = 1 << 20;    // a step's `before` and product
  static constexpr size_t kMostSpecBytes = 1 << 20;    // the description of a unit
  static constexpr size_t kMostUnits = 10'000'000;     // of a step
  static constexpr size_t kMostKeyBytes = 16 << 20;    // of a unit's last key
  static constexpr size_t kMostDetailBytes = 8 << 20;  // of a unit's position
  static constexpr size_t kMostReasonBytes = 4096;     // a longer one is cut
  static constexpr size_t kMostSettingBytes = 4096;    // a setting's value
  static constexpr size_t kMostSettings = 256;         // of a run
  static constexpr int64_t kMostListed = 10'000;

  // Opens the journal or creates it, with the folders above it (modes 0600 and 0700; those that
  // exist keep their modes). Errors: kInvalidArgument (a folder, or a file that is not a journal),
  // kUnsupported (created by a newer pegmove). The clock must outlive the journal.
  static Result<Journal> open(const std::string& path, const Clock& clock,
                              JournalOptions options = {});
  Journal(Journal&&) noexcept;
  Journal& operator=(Journal&&) noexcept;
  ~Journal();

  // Absolute and without links.
  const std::string& path() const;

  // Adds a run in state planned, with a new id. Errors: kInvalidArgument (method, options that are
  // not JSON), kTooLarge.
  Result<Run> begin(const NewRun& run);

  // Errors: kNotFound, kInvalidArgument (not an id).
  Result<Run> get(const std::string& run) const;
  // Newest first, at most `most` or kMostListed.
  Result<std::vector<Run>> list(int64_t most = kMostListed) const;
  // Removes a run that has ended, with all that belongs to it. Errors: kNotFound, kRefused (not
  // ended).
  Result<void> forget(const std::string& run);
  // Removes all runs that ended before that moment. Returns their ids.
  Result<std::vector<std::string>> forget_before(int64_t unix_ms);

  // Changes the state (run.h shows the allowed changes), or only the reason. `result` is JSON and
  // replaces the last one; without it the last one is kept. Errors: kNotFound, kRefused (the state
  // is final, or the new state is planned), kInvalidArgument (result), kTooLarge. May be repeated,
  // except for final states.
  Result<Run> set_state(const std::string& run, RunState state, const std::string& reason = "",
                        const std::optional<std::string>& result = std::nullopt);

  // Writes a step, before it acts and after it has acted; a record replaces an older one of the
  // same name. Errors: kNotFound, kRefused (the run has ended), kInvalidArgument (name, texts that
  // are not JSON), kTooLarge. May be repeated.
  Result<void> save_step(const std::string& run, const StepRecord& step) {
    return save_steps(run, {&step, 1});
  }
  // The same for several: all or none, in one transaction.
  Result<void> save_steps(const std::string& run, std::span<const StepRecord> steps);
  // In the order in which they were begun.
  Result<std::vector<StepRecord>> steps(const std::string& run) const;

  // Writes the units of a step, numbered from 0, each as JSON of at most kMostSpecBytes. Replaces
  // an older plan and its positions. Errors: kNotFound, kInvalidArgument, kTooLarge.
  Result<void> plan_units(const std::string& run, const std::string& step,
                          std::span<const std::string> specs);
  // By number; empty when there is no plan.
  Result<std::vector<std::string>> planned_units(const std::string& run,
                                                 const std::string& step) const;

  // Writes the positions of some units, all or none, in one transaction; a unit's position replaces
  // its older one. The run's totals become the sums of the step's units. Cheap: several calls per
  // second with hundreds of units are fine. All positions belong to one step. Errors: kNotFound,
  // kInvalidArgument (a negative number, a detail that is not JSON), kTooLarge. May be repeated.
  Result<void> save(const std::string& run, std::span<const UnitPosition> positions);
  // By number; only those that have a position.
  Result<std::vector<UnitPosition>> positions(const std::string& run,
                                              const std::string& step = "") const;
  // Removes the positions of a step that must begin again, for instance when the source's partition
  // count has changed; its plan is kept. May be repeated.
  Result<void> forget_positions(const std::string& run, const std::string& step = "");

  // Replaces the progress of the current step. Errors: kNotFound, kTooLarge.
  Result<void> save_progress(const std::string& run, const Progress& progress);
  // The step's name is empty when no progress was saved yet.
  Result<Progress> progress(const std::string& run) const;

  // Grants or extends a lease, or ends it (until_unix_ms 0). Errors: kNotFound. May be repeated.
  Result<void> lease(const std::string& run, const Lease& lease);
  Result<std::vector<Lease>> leases(const std::string& run) const;

  // Changes a setting of a run (`pegmove set ID key=value`). The journal does not know which
  // settings are valid: the caller checks that. A key has letters, digits, '-', '_' and '.', at
  // most 64. Errors: kNotFound, kRefused (the run has ended), kInvalidArgument (key), kTooLarge.
  // May be repeated.
  Result<void> set(const std::string& run, const std::string& key, const std::string& value);
  // Stores a request to the process that works on the run. Errors: kNotFound, kRefused (ended). May
  // be repeated.
  Result<void> request(const std::string& run, Request request);

  // The settings and requests after `version`; 0 for all. A process that begins or resumes a run
  // starts with 0, and then polls with the version that the last call returned. Errors: kNotFound.
  Result<Changes> changes_since(const std::string& run, int64_t version) const;
  // Marks the requests up to that version as done, so that they are not returned again; settings
  // are kept. A request that came in between is not lost. May be repeated.
  Result<void> answer_requests(const std::string& run, int64_t version);

 private:
  struct File;
  explicit Journal(std::unique_ptr<File> file);
  Result<Run> find(const std::string& run, std::string_view doing) const;
  Result<void> remove(const std::string& run, std::string_view doing);
  Result<void> store_change(const std::string& run, std::string_view kind, std::string_view name,
                            std::string_view value);

  std::unique_ptr<File> file_;
};

}  // namespace pegmove::journal
