// What the journal contains of a run: its options, its steps, the positions of their units, and the
// requests to it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pegmove::journal {

//   planned ---> running <--> paused, failed, interrupted
//      \            \            \.
//       +------------+------------+---> done: final
//                                  \---> cancelling ---> cancelled: final
//
// A run goes from any state that is not final to any other but planned. A run whose process was
// killed stays "running" or "cancelling"; RunLock::holder() tells the difference. "cancelling"
// lasts until every step is undone: such a run cannot be resumed.
enum class RunState {
  kPlanned,
  kRunning,
  kPaused,
  kDone,
  kFailed,
  kCancelled,
  kInterrupted,
  kCancelling
};

std::string_view to_string(RunState state);
// Errors: kInvalidArgument.
Result<RunState> parse_run_state(std::string_view text);
inline bool is_final(RunState state) {
  return state == RunState::kDone || state == RunState::kCancelled;
}

// What a caller provides. The journal is a plain file that users copy and send when something goes
// wrong. Nothing here may be a secret: a password, a token or a key belongs in the configuration,
// and the options name the entry. The journal does not check that.
struct NewRun {
  std::string method;  // 1 to 16 letters and digits, a letter first: "copy"
  std::string from;    // the clusters, as the user gave them
  std::string to;
  std::string table;
  std::string to_table;
  std::string options = "{}";  // JSON, the caller's own; see above
};

struct Run {
  std::string id;  // "copy-20261122-1": method, day of its beginning (UTC), number of that day
  std::string method;
  std::string from;
  std::string to;
  std::string table;
  std::string to_table;
  RunState state = RunState::kPlanned;
  int64_t created_unix_ms = 0;
  int64_t updated_unix_ms = 0;  // of the last change of state or position
  std::string options;          // JSON
  std::string reason;           // why it waits, or why it ended; may be empty
  int64_t rows = 0;             // sum over all units of the current step
  int64_t bytes = 0;
  std::string result;  // JSON; empty while there is none
};

// True for texts that may be a run's id: lower-case letters, digits and hyphens, at most 48.
// They cannot lead out of a folder.
bool is_run_id(std::string_view text);

// The position of a unit of a step: a partition of the source, a residue class, a part of a split.
// Every row up to `last_key` is done.
struct UnitPosition {
  int32_t unit = 0;
  std::string last_key{};  // raw key (record/key.h); empty: nothing yet
  int64_t rows = 0;        // total of this unit so far
  int64_t bytes = 0;
  bool done = false;
  std::string detail{};  // the method's own: JSON, or empty; at most Journal::kMostDetailBytes
  std::string step{};    // the step that the unit belongs to

  bool operator==(const UnitPosition&) const = default;
};

// begun: it may have acted. done: it has. undoing: its undo may have acted. undone: it has.
enum class StepState { kBegun, kDone, kUndoing, kUndone };
std::string_view to_string(StepState state);

// A step of a run that has begun.
struct StepRecord {
  std::string name{};  // [a-z0-9-], at most 32
  StepState state = StepState::kBegun;
  std::string before{};   // JSON or empty: what it found before it acted, needed to undo it
  std::string product{};  // JSON or empty: what it created, for the following steps
  std::string outcome{};  // what its undo did or left, as a sentence; may be empty

  bool operator==(const StepRecord&) const = default;
};

// The progress of the current step, for other processes.
struct Progress {
  std::string step{};
  std::string line{};  // what the process shows: "copying: 966,147 rows, ..."
  std::string unit{};  // "rows", "bytes", "partitions", "units"
  int64_t done = -1;   // of these; -1: not known, here and below
  int64_t total = -1;  // may be an estimate
  int64_t per_second = -1;
  int64_t eta_ms = -1;  // until total
  int64_t updated_unix_ms = 0;

  bool operator==(const Progress&) const = default;
};

// Another process undoes the step when this moment has passed and the run's process has not
// extended the lease.
struct Lease {
  std::string step;
  int64_t until_unix_ms = 0;

  bool operator==(const Lease&) const = default;
};

enum class Request { kPause, kCancel, kCutover, kRollback, kComplete };
std::string_view to_string(Request request);

// The changes since a version.
struct Changes {
  int64_t version = 0;                          // for the next call
  std::map<std::string, std::string> settings;  // the newest value of each that changed
  std::vector<Request> requests;                // not answered yet, in order
};

}  // namespace pegmove::journal
