// A guard on another host, which knows neither the run nor its journal: it goes by the time alone.
// For the loss of the machine that has both pegmove and its guard.
#pragma once

#include "migration/hot/give_back.h"
#include "migration/hot/plan.h"

namespace pegmove::migration::hot {

// Watches who serves by the node, and whether that side is fenced (kDenyAll, kDenyWrites). A fence
// that has been seen for longer than `longest`, under one version of the node, is given back: each
// cutover begins by changing the version. `plan` and `ports` are those of a cutover from the source
// to the target; for a rollback the sides are exchanged here. `longest` must be longer than any
// hold of the run. Returns after giving back. Errors: kInterrupted (abandoned).
//
// What cannot be asked is asked again: a fence counts from when it was seen first, and still has to
// be there with the same version at the end.
Task<GiveBackEnd> guard_by_time(CutoverPorts ports, CutoverPlan plan, async::milliseconds longest,
                                CutoverHooks hooks);

}  // namespace pegmove::migration::hot
