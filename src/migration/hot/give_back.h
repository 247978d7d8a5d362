// Giving a cutover back: the source serves again. Done by the cutover itself, by the guard, and by
// a process that resumes or cancels a run whose cutover was begun.
//
// The order is the rule: first the node's version is changed, with the source still named, so that
// a switch that is late fails; only then is the source opened. A node that names the target says
// that the switch has happened: the source is never opened then. While ZooKeeper cannot be asked
// the source stays denied.
#pragma once

#include "migration/hot/plan.h"

namespace pegmove::migration::hot {

enum class GaveBack {
  kSourceServes,  // it is open; who serves is proven by reads, or `doubt` says why not
  kSwitched,      // the target serves: the source stays denied
  kStaysDenied,   // it is not known who may serve: the operator decides
};
struct GiveBackEnd {
  GaveBack end = GaveBack::kStaysDenied;
  std::string says{};  // for the operator
  bool is_proven = false;
};

inline constexpr async::milliseconds kWarnEvery{10'000};
// How long a request whose answer was lost may still be on its way to a meta server.
inline constexpr async::milliseconds kLateRequest{10'000};

// Repeats each part until it succeeds; only `hooks.abandoned` ends it earlier, since a source that
// is half given back serves nobody. `hooks.warn` gets what hinders it, each `kWarnEvery`.
// `late_until`: when the last request for an env that may still be on its way has arrived; until
// then the envs are set and looked at again. Repeatable, also at the same time as the guard's.
// Errors: kInterrupted, saying what is left.
Task<GiveBackEnd> give_back(CutoverPorts ports, CutoverPlan plan, CutoverBefore before,
                            async::Instant late_until, CutoverHooks hooks);

// After the switch under a fence that leaves reads open: refuses reads as well, so that readers
// leave, too. Repeats it like give_back(). Errors: kInterrupted.
Task<> send_readers_over(CutoverPorts ports, CutoverPlan plan, CutoverHooks hooks);

}  // namespace pegmove::migration::hot
