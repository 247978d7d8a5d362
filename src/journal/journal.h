// The journal: which runs there are, their steps and how far they are, in one SQLite file, so that
// a killed run is resumed where it was, and so that one process can look at and steer another's.
//
// Every call blocks, since SQLite does: for the disk, and while another process writes up to
// `busy_timeout_ms`. So coroutines call it through a Pool. One thread at a time uses a Journal;
// several Journals, of one process or of many, may use one file at the same time.
//
// What survives. Everything that returned survives the end of the process, kill -9 included. Runs,
// states, steps, plans, settings, requests and leases survive a power cut too (synchronous=FULL).
// save() and save_progress() do not wait for the disk (synchronous=NORMAL): a power cut may take
// the last positions back, whole calls, newest first. That is safe: from an older position rows are
// copied again, which changes nothing. Each change of state brings everything before it to the
// disk.
//
// Errors of every call, beside its own: kBusy (others held the file all the time), kCorrupt (the
// file is damaged or holds what no pegmove writes), kIo (disk full, permission), with SQLite's
// text, the file, and what was being done. A call that failed has changed nothing and may be
// repeated.
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
  int busy_timeout_ms = 10'000;  // others write for milliseconds; longer means that one hangs
};

class Journal {
 public:
  // Bounds of what is stored.
  static constexpr size_t kMostTextBytes = 1 << 20;    // options, result, a name
  static constexpr size_t kMostStepBytes = 1 << 20;    // what a step found before, its product
  static constexpr size_t kMostSpecBytes = 1 << 20;    // what a unit is
  static constexpr size_t kMostUnits = 10'000'000;     // of a step
  static constexpr size_t kMostKeyBytes = 16 << 20;    // of a unit's last key
  static constexpr size_t kMostDetailBytes = 8 << 20;  // of a unit's position
  static constexpr size_t kMostReasonBytes = 4096;     // a longer one is cut
  static constexpr size_t kMostSettingBytes = 4096;    // a setting's value
  static constexpr size_t kMostSettings = 256;         // of a run
  static constexpr int64_t kMostListed = 10'000;

  // Opens the journal or makes it, with the folders above it (modes 0600 and 0700; those that exist
  // keep theirs). Errors: kInvalidArgument (a folder, or a file that is no journal), kUnsupported
  // (a newer pegmove made it). The clock outlives the journal.
  static Result<Journal> open(const std::string& path, const Clock& clock,
                              JournalOptions options = {});
  Journal(Journal&&) noexcept;
  Journal& operator=(Journal&&) noexcept;
  ~Journal();

  // Absolute and without links.
  const std::string& path() const;

  // A new run in state planned, with an id of its own. Errors: kInvalidArgument (method, options
  // that are no JSON), kTooLarge.
  Result<Run> begin(const NewRun& run);

  // Errors: kNotFound, kInvalidArgument (no id).
  Result<Run> get(const std::string& run) const;
  // Newest first, at most `most` or kMostListed.
  Result<std::vector<Run>> list(int64_t most = kMostListed) const;
  // Removes a run that is over, with all that belongs to it. Errors: kNotFound, kRefused (not
  // over).
  Result<void> forget(const std::string& run);
  // Removes all runs that were over before that moment. Returns their ids.
  Result<std::vector<std::string>> forget_before(int64_t unix_ms);

  // Changes the state (run.h says which ways lead where), or only the reason. `result` is JSON and
  // replaces the last one; without it that stays. Errors: kNotFound, kRefused (the state is final,
  // or planned is asked for), kInvalidArgument (result), kTooLarge. May be repeated, but for final
  // states.
  Result<Run> set_state(const std::string& run, RunState state, const std::string& reason = "",
                        const std::optional<std::string>& result = std::nullopt);

  // A step is written before it acts and after it has acted; the newest record of a name replaces
  // the one before. Errors: kNotFound, kRefused (the run is over), kInvalidArgument (name, texts
  // that are no JSON), kTooLarge. May be repeated.
  Result<void> save_step(const std::string& run, const StepRecord& step);
  // In the order in which they were begun.
  Result<std::vector<StepRecord>> steps(const std::string& run) const;

  // Writes down which units a step has, numbered from 0, each as JSON of at most kMostSpecBytes.
  // Replaces a plan from before and its positions. Errors: kNotFound, kInvalidArgument, kTooLarge.
  Result<void> plan_units(const std::string& run, const std::string& step,
                          std::span<const std::string> specs);
  // By number; empty when there is no plan.
  Result<std::vector<std::string>> planned_units(const std::string& run,
                                                 const std::string& step) const;

  // Writes the positions of some units, all or none, in one transaction; a unit's newer position
  // replaces its older. The run's totals become the sums of the step's units. Cheap: several calls
  // a second with hundreds of units are fine. All are of one step. Errors: kNotFound,
  // kInvalidArgument (a negative number, a detail that is no JSON), kTooLarge. May be repeated.
  Result<void> save(const std::string& run, std::span<const UnitPosition> positions);
  // By number; those without a position are missing.
  Result<std::vector<UnitPosition>> positions(const std::string& run,
                                              const std::string& step = "") const;
  // For a step that must begin again, as when the source's partition count changed; a plan stays.
  // May be repeated.
  Result<void> forget_positions(const std::string& run, const std::string& step = "");

  // How far the step under way is, in place of what was told before. Errors: kNotFound, kTooLarge.
  Result<void> save_progress(const std::string& run, const Progress& progress);
  // Nothing told yet: an empty step.
  Result<Progress> progress(const std::string& run) const;

  // Grants or extends a lease, or ends it (until_unix_ms 0). Errors: kNotFound. May be repeated.
  Result<void> lease(const std::string& run, const Lease& lease);
  Result<std::vector<Lease>> leases(const std::string& run) const;

  // Changes a setting of a run (`pegmove set ID key=value`); what it means is the runner's to say,
  // and to refuse. A key has letters, digits, '-', '_' and '.', at most 64. Errors: kNotFound,
  // kRefused (the run is over), kInvalidArgument (key), kTooLarge. May be repeated.
  Result<void> set(const std::string& run, const std::string& key, const std::string& value);
  // Asks the process that works on the run to do something. Errors: kNotFound, kRefused (over). May
  // be repeated.
  Result<void> request(const std::string& run, Request request);

  // What was set and requested after `version`; 0 for all: whoever begins or resumes a run starts
  // with that, and then polls with the version that the last call told. Errors: kNotFound.
  Result<Changes> changes_since(const std::string& run, int64_t version) const;
  // The requests up to that version have been acted on and are told no more; settings stay. So a
  // request that came in between is not lost. May be repeated.
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
