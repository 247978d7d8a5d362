// Pure checks of what servers answered, for all methods: no clock, no network.
#pragma once

#include "inspect/finding.h"
#include "inspect/inspection.h"

namespace pegmove::inspect {

// Clusters that cannot be talked to, calls that were not answered.
Findings check_reachability(const SideFacts& side);
// Versions, clocks, data versions, access control of the servers of one side.
// `needs_clocks`: duplicated writes are wanted.
Findings check_servers(const SideFacts& side, bool needs_clocks);

// Beyond this clocks are too far apart: a duplicated write lies ten minutes in the past, and of
// that much is left then.
inline constexpr int64_t kMostClockOffsetUs = 60'000'000;
// True when the offset is beyond it for certain.
bool is_far_off(const ClockOffset& offset);

}  // namespace pegmove::inspect
