// Carries a run out, step by step, or undoes it.
//
// Forward: each step is journaled as begun before it acts and as done after it; a process that
// resumes the run asks the world whether a begun step has happened, and else repeats it. A cancel:
// the state becomes "cancelling", the steps are undone in reverse order, each journaled before and
// after, and "cancelled" is written only when all of them are. What a cancel did is kept in the
// run's result and with each step, and printed.
#pragma once

#include <string>
#include <vector>

#include "runs/run_session.h"
#include "runs/work.h"

namespace pegmove::runs {

// What became of a run in this process.
struct Ending {
  journal::RunState state = journal::RunState::kDone;
  std::string reason{};
  std::optional<Report> report{};  // when all steps were carried out
  std::optional<Error> refused{};  // it could not be resumed now: the run is as it was
  std::vector<Undone> undone{};    // of a cancel: what each step's undo did
  bool was_too_late = false;       // to cancel: it was carried to its end
};

// Carries the run out from wherever it is. `is_open`: the work was opened (kBegin) and may begin.
// Where a cancel was asked for, before or meanwhile, the run is undone instead. A stop leaves it
// paused or interrupted. Every way out but an error writes the run's state. Errors: the journal's.
Task<Ending> carry_out(RunSession& session, Work& work, const Events& events, bool is_open);

// Undoes the run. Errors: the journal's.
Task<Ending> undo(RunSession& session, Work& work, const Events& events);

// Ends a run whose undo is impossible, as "cancelled"; `undone` lists what is left.
Task<Ending> abandon(RunSession& session, Work& work);

// The steps as people read them, a line each: "1. create table t on B with 16 partitions".
std::string procedure_text(const std::vector<Step>& steps);
// [{"step", "does", "kind", "remote"}, ...]
std::string procedure_json(const std::vector<Step>& steps);

// Several works as one run, one after the other; the names of their steps must differ.
void append(std::vector<Step>& steps, std::vector<Step> more);

}  // namespace pegmove::runs
