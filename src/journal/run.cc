#include "journal/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/bytes.h"

namespace pegmove::journal {
namespace {

constexpr size_t kMostIdBytes = 48;
constexpr std::array kStates = {RunState::kPlanned,     RunState::kRunning,   RunState::kPaused,
                                RunState::kDone,        RunState::kFailed,    RunState::kCancelled,
                                RunState::kInterrupted, RunState::kCancelling};

}  // namespace

std::string_view to_string(RunState state) {
  switch (state) {
    case RunState::kPlanned: return "planned";
    case RunState::kRunning: return "running";
    case RunState::kPaused: return "paused";
    case RunState::kDone: return "done";
    case RunState::kFailed: return "failed";
    case RunState::kCancelled: return "cancelled";
    case RunState::kInterrupted: return "interrupted";
    case RunState::kCancelling: return "cancelling";
  }
  return "unknown";
}

Result<RunState> parse_run_state(std::string_view text) {
  for (const RunState state : kStates)
    if (to_string(state) == text) return state;
  return fail(Code::kInvalidArgument,
              fmt::format("'{}' is not a state of a run", base::printable(text)));
}

bool is_run_id(std::string_view text) {
  return !text.empty() && text.size() <= kMostIdBytes && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

std::string_view to_string(StepState state) {
  switch (state) {
    case StepState::kBegun: return "begun";
    case StepState::kDone: return "done";
    case StepState::kUndoing: return "undoing";
    case StepState::kUndone: return "undone";
  }
  return "unknown";
}

std::string_view to_string(Request request) {
  switch (request) {
    case Request::kPause: return "pause";
    case Request::kCancel: return "cancel";
    case Request::kCutover: return "cutover";
    case Request::kRollback: return "rollback";
    case Request::kComplete: return "complete";
  }
  return "unknown";
}

}  // namespace pegmove::journal
