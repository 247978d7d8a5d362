// The cutover: fence the source, prove that the fence acts, prove that the target has everything,
// switch the route by compare-and-set, or give back in time. The first lines of cut_over() are the
// procedure; its rules are the functions that it calls.
//
//   read_before -> [members serve] -> fence -> proven -> drained -> compared -> checked -> SWITCH
//                                      |          any failure, or too late           |
//                                      +-----------------> give_back <---------------+
#pragma once

#include <string>
#include <vector>

#include "migration/hot/give_back.h"
#include "migration/hot/plan.h"

namespace pegmove::migration::hot {

struct CutoverPhase {
  std::string name{};            // the failpoint at its end
  async::milliseconds ended{0};  // since the request for the fence
};

enum class CutoverResult { kSwitched, kGivenBack, kStaysDenied };
struct CutoverEnd {
  CutoverResult result = CutoverResult::kStaysDenied;
  int32_t version = 0;          // of the node, after the switch
  async::milliseconds held{0};  // from the request for the fence to the switch or the giving back
  std::string says{};           // why it was given back; what the operator must know
  std::vector<CutoverPhase> phases{};
};

// When a cutover must begin to give back, so that servers have acted on it at the hold's end.
// Errors: kInvalidArgument: max_write_hold is too short for anything, naming what is needed.
Result<async::Instant> give_back_at(const CutoverPlan& plan, const Side& source,
                                    async::Instant fence_requested);

// The source has no env replica.deny_client_request. Errors: kBusy, naming its value; those of
// Side.
Task<> check_not_denied(Side& source, Deadline deadline);

// Carries it out. `before` was journaled. May not be repeated: a process that resumes the run calls
// give_back(), which also finds out that the switch has happened. Errors: those of
// see_members_serve(), of check_not_denied(), and kInvalidArgument: nothing was changed;
// kInterrupted (abandoned): the guard, or a later process, gives back.
Task<CutoverEnd> cut_over(CutoverPorts ports, CutoverPlan plan, CutoverBefore before,
                          CutoverHooks hooks);

}  // namespace pegmove::migration::hot
