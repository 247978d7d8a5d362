// A step of a run: how it is done, how one sees that it is done, and how it is undone. A method is
// a list of steps; engine.h carries them out.
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
  kPivot,        // once it has happened in the world a cancel is refused: only forward from there
};

// What the functions of a step may use. All outlive them.
struct StepContext {
  RunSession& session;
  const Events& events;
};

enum class UndoEnd {
  kUndone,   // as it was before the step
  kStays,    // what the step made stays on purpose
  kCannot,   // what should not stay, and cannot be taken back from here
  kTooLate,  // the pivot has happened: the run continues to its end instead
};
struct Undone {
  UndoEnd end = UndoEnd::kUndone;
  std::string says{};  // a sentence for the operator: what happened, or what is left and what helps
};

struct Step {
  std::string name;  // of the journal: [a-z0-9-], at most 32
  std::string does;  // "create table t on B with 16 partitions": for plans and dry runs
  StepKind kind = StepKind::kRetriable;
  bool is_remote = false;  // goes on in a cluster without this process

  // Returns what the step made, as JSON, or "": for take(), here and in later processes. Repeated
  // from its beginning after a kill. A stop ends it with kInterrupted.
  std::function<Task<std::string>(StepContext)> run{};
  // What must be known before it acts so that it can be undone: JSON. Written down before run().
  std::function<Task<std::string>(StepContext)> find_before{};
  // Asks the world, not the journal, whether a process that was killed has done the step already:
  // what run() would have returned, or nothing. Without it the step is repeated.
  std::function<Task<std::optional<std::string>>(StepContext)> find_product{};
  // What the journal knows of the step: called once a process, before anything is done, and again
  // when the step is done. Errors: kCorrupt.
  std::function<Result<void>(const journal::StepRecord&)> take{};
  // The step may have happened in part or not at all. May be repeated. An error: not known what
  // happened; the run stays "cancelling", so that the cancel can be repeated.
  std::function<Task<Undone>(StepContext, const journal::StepRecord&)> undo{};

  // How long it may take; then the run fails with kTimeout.
  std::optional<async::milliseconds> within{};
  // Another process may undo it when this process has not been heard of for so long. Ends with the
  // undo, or with the pivot.
  std::optional<async::milliseconds> lease{};
};

}  // namespace pegmove::runs
