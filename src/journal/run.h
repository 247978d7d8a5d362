// What the journal holds of a migration: a run, how far its lanes are, and what others want of it.
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
//       +------------+------------+---> done, cancelled: final
//
// A run goes from any state that is not final to any other but planned. A run whose process was
// killed stays "running"; RunLock::holder() tells the difference.
enum class RunState { kPlanned, kRunning, kPaused, kDone, kFailed, kCancelled, kInterrupted };

std::string_view to_string(RunState state);
// Errors: kInvalidArgument.
Result<RunState> parse_run_state(std::string_view text);
inline bool is_final(RunState state) {
  return state == RunState::kDone || state == RunState::kCancelled;
}

// What a caller gives. The journal is a plain file that is copied and sent around when something
// goes wrong, so nothing here may be a secret: a password, a token or a key belongs into the
// configuration, and the options name the entry. The journal cannot tell, and stores what it gets.
struct NewRun {
  std::string method;  // 1 to 16 letters and digits, a letter first: "copy"
  std::string from;    // the clusters, as the user named them
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
  int64_t rows = 0;             // of all lanes together
  int64_t bytes = 0;
  std::string result;  // JSON; empty while there is none
};

// True for texts that may be a run's id: lower-case letters, digits and hyphens, at most 48.
// Nothing that leads out of a folder.
bool is_run_id(std::string_view text);

// How far a lane (a partition of the source) is: every row up to `last_key` is in the target.
struct LanePosition {
  int32_t lane = 0;
  std::string last_key{};  // raw key (record/key.h); empty: nothing yet
  int64_t rows = 0;        // written in this lane so far, in all
  int64_t bytes = 0;
  bool done = false;
  std::string detail{};  // the method's own: JSON, or empty; at most Journal::kMostDetailBytes

  bool operator==(const LanePosition&) const = default;
};

enum class Request { kPause, kCancel };
std::string_view to_string(Request request);

// What others changed since a version.
struct Changes {
  int64_t version = 0;                          // to ask with the next time
  std::map<std::string, std::string> settings;  // the newest value of each that changed
  std::vector<Request> requests;                // not answered yet, in order
};

}  // namespace pegmove::journal
