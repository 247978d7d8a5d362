// The guard: gives a cutover back when the process that holds it is gone, or late. Run by another
// process, on this host or another one, from before the fence.
#pragma once

#include "migration/hot/give_back.h"
#include "migration/hot/plan.h"

namespace pegmove::migration::hot {

enum class HolderState {
  kInTime,
  kLate,   // its time is over, and it has not ended: it hangs, or was stopped
  kGone,   // nobody holds the run, and the cutover has not ended
  kEnded,  // the journal says how the cutover has ended
};

// Who carries out the cutover that is guarded: this attempt of it, not a later one. Behind it: the
// journal's lease and the run's lock.
class Holder {
 public:
  virtual ~Holder() = default;
  // Errors: it is not known. Counts as kInTime; an implementation that has seen when the holder's
  // time is over answers kLate after it.
  virtual Task<HolderState> state() = 0;
};

struct GuardEnd {
  std::optional<GiveBackEnd> gave_back{};  // nullopt: there was nothing to do
};

// Returns when nobody can close the source any more: when the holder is gone or has ended. While it
// is late it is given back to as often as needed: a process that was stopped may wake up and set
// the fence once more. Errors: kInterrupted (abandoned).
Task<GuardEnd> guard_cutover(CutoverPorts ports, CutoverPlan plan, CutoverBefore before,
                             Holder& holder, CutoverHooks hooks);

}  // namespace pegmove::migration::hot
