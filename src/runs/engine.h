// Carries out a run, step by step, or undoes it.
//
// Forward: each step is journaled as begun before it acts and as done after it; a process that
// resumes the run asks the cluster or the store whether a begun step has happened, and repeats it
// if not. A step may lead back to an earlier one (RunSession::repeat_from). A cancel: the state
// becomes "cancelling", the steps are undone in reverse order, each journaled before and after, and
// "cancelled" is written only when all of them are. What a cancel did is kept in the run's result
// and with each step, and printed.
#pragma once

#include <string>
#include <vector>

#include "runs/run_session.h"
#include "runs/work.h"

namespace pegmove::runs {

// How the run ended in this process.
struct Ending {
  journal::RunState state = journal::RunState::kDone;
  std::string reason{};
  std::optional<Report> report{};  // when all steps were carried out
  std::optional<Error> refused{};  // it cannot be resumed now: the run is unchanged
  std::vector<Undone> undone{};    // after a cancel: what the undo of each step did
  bool was_too_late = false;       // to cancel: the run was carried to its end
  bool has_given_back = false;     // a cutover: who served before serves
};

// Carries out the run from its current position. `is_open`: the work was opened (kBegin) and may
// begin. If a cancel was requested, before or meanwhile, the run is undone instead. A stop leaves
// it paused or interrupted. The run's state is written unless an error is returned. Errors: the
// journal's.
Task<Ending> carry_out(RunSession& session, Work& work, const Events& events, bool is_open);

// Undoes the run. Errors: the journal's.
Task<Ending> undo(RunSession& session, Work& work, const Events& events);

// Ends a run whose undo is impossible, as "cancelled"; `undone` lists what is left.
Task<Ending> abandon(RunSession& session, Work& work);

// The steps as text, one per line: "1. create table t on B with 16 partitions".
std::string procedure_text(const std::vector<Step>& steps);
// [{"step", "does", "kind", "remote"}, ...]
std::string procedure_json(const std::vector<Step>& steps);

// For several works as one run, one after the other; the names of their steps must differ.
void append(std::vector<Step>& steps, std::vector<Step> more);

}  // namespace pegmove::runs
