// Steering a run from another process, or when no process works on it.
#pragma once

#include "runs/engine.h"

namespace pegmove::runs {

// Asks the process that works on the run to pause it, and waits until it has. When no process works
// on it, it becomes paused here. Returns the run as it is then. Errors: kNotFound, kRefused (ended,
// or being cancelled), kTimeout (the process still works), the journal's.
Task<journal::Run> pause(SessionPlace place, Deadline deadline);

// The same for a cancel: the process that works on the run undoes it; when there is none, it is
// undone here. The run's state shows the result: cancelled, cancelling (the undo did not succeed:
// `reason` says why, and it may be repeated), or done (it was too late). Errors: as of pause();
// kUnsupported (no such method).
Task<journal::Run> cancel(SessionPlace place, const Registry& registry, const Events& events,
                          Deadline deadline);

// How a request that a step answers (cutover, rollback, complete) was taken up.
struct Asked {
  journal::Run run;                // as it is then
  std::optional<Ending> ending{};  // when the run was carried on here, since nobody worked on it
};
// Files the request. When a process works on the run, waits until `is_answered` says so of the
// journal's steps, or that process has left the run. When there is none, calls `unattended`, which
// carries the run on in this process; the session has the request for the step then. Errors:
// kNotFound, kRefused (ended), kTimeout (nobody has answered by the deadline: the request stays),
// the journal's, those of `unattended`.
Task<Asked> ask(SessionPlace place, journal::Request request,
                std::function<bool(const std::vector<journal::StepRecord>&)> is_answered,
                std::function<Task<Ending>(RunSession&)> unattended, Deadline deadline);

// Ends a run as cancelled without undoing anything. Errors: kBusy: a process works on it.
Task<journal::Run> abandon(SessionPlace place, const Registry& registry);

// What the cancel of a run did, read from its result.
std::vector<Undone> undone_of(const journal::Run& run);

}  // namespace pegmove::runs
