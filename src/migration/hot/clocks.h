// Whether the target's servers can give writes later times than the source's have given them.
//
// A relay leaves out what is older than the target's row, by the times that the servers of the two
// clusters gave the writes. So the target may serve only when each of its clocks has passed all of
// the source's, as these were when nothing could be written there any more: otherwise what is
// written to the target would be left out on the way back, silently (a rule of docs/cutover.md).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "migration/hot/plan.h"

namespace pegmove::migration::hot {

struct LaterClock {
  SideTime source{};  // the source's latest
  SideTime target{};  // the target's earliest
  async::milliseconds behind() const {
    return async::milliseconds((source.most_us - target.least_us) / 1000 + 1);
  }
};
// The two clocks that are farthest apart, where the target's has not passed the source's. nullopt:
// all have. Precondition: both sides have servers.
std::optional<LaterClock> find_later_clock(const std::vector<SideTime>& source,
                                           const std::vector<SideTime>& target);

std::string to_text(const LaterClock& later, const Side& source, const Side& target);

// Reads the source's clocks, of which nothing is written any more, and waits until the target's
// have passed them. Errors: kBusy, naming two servers: that would be after the deadline, or a clock
// could not be read until then; kInterrupted.
Task<> await_clocks(Side& source, Side& target, Clock& clock, CutoverHooks hooks,
                    Deadline deadline);

}  // namespace pegmove::migration::hot
