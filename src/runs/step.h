// A step of a run: how it is done, how to find out that it is done, and how it is undone. A method
// is a list of steps; engine.h carries them out.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "async/clock.h"
#include "journal/run.h"

namespace pegmove::runs {

class RunSession;
struct Events;

enum class StepKind {
  kRetriable,    // repeating it changes nothing, and a cancel has nothing to undo
  kCompensable,  // a cancel undoes it
  kPivot,        // once it has happened a cancel is refused: the run can only continue
};

// What the functions of a step may use. Valid until they return.
struct StepContext {
  RunSession& session;
  const Events& events;
};

enum class UndoEnd {
  kUndone,   // as it was before the step
  kStays,    // what the step created is kept on purpose
  kCannot,   // something is left that should not be, and pegmove cannot undo it
  kTooLate,  // the pivot has happened: the run continues to its end instead
};
struct Undone {
  UndoEnd end = UndoEnd::kUndone;
  std::string says{};  // a sentence for the operator: what happened, or what is left and what to do
};

struct Step {
  std::string name;  // in the journal: [a-z0-9-], at most 32
  std::string does;  // "create table t on B with 16 partitions": for plans and dry runs
  StepKind kind = StepKind::kRetriable;
  bool is_remote = false;  // continues in a cluster without this process

  // Does the step. Returns what it created, as JSON, or "": for take(), here and in later
  // processes. Repeated from its beginning after a kill. A stop ends it with kInterrupted.
  std::function<Task<std::string>(StepContext)> run{};
  // Finds out, before the step acts, what must be known to undo it: JSON. Journaled before run().
  // A step that is repeated (RunSession::repeat_from()) is asked again; the record that it has
  // until then has the earlier answer.
  std::function<Task<std::string>(StepContext)> find_before{};
  // Asks the cluster or the store, not the journal, whether a killed process has done the step
  // already. Returns what run() would have returned, or nullopt. Without this function the step is
  // repeated.
  std::function<Task<std::optional<std::string>>(StepContext)> find_product{};
  // Receives the journal's record of the step: called once per process, before anything is done,
  // and again when the step is done. Errors: kCorrupt.
  std::function<Result<void>(const journal::StepRecord&)> take{};
  // Undoes the step, which may have happened in part or not at all. May be repeated. An error: the
  // result is not known; the run stays "cancelling", so that the cancel can be repeated.
  std::function<Task<Undone>(StepContext, const journal::StepRecord&)> undo{};

  // The time limit of the step; after it the run fails with kTimeout.
  std::optional<async::milliseconds> within{};
  // Another process may undo the step when this process has not extended the lease for this long.
  // The lease ends with the undo, or with the pivot.
  std::optional<async::milliseconds> lease{};
};

}  // namespace pegmove::runs
