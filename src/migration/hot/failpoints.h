// The failpoints of a cutover, of giving back and of the guard, in their order, by name:
// backup/failpoints.h describes what they are for. Each is also the end of a phase.
#pragma once

#include <string_view>

namespace pegmove::migration::hot {

inline constexpr std::string_view kFailpoints[] = {
    // A cutover. Before the fence:
    "cutover.version_read", "cutover.members_seen",
    // under the fence; target_opened only when the target was denied, relay_sealed only with one:
    "cutover.fence_set", "cutover.fence_proven", "cutover.target_opened", "cutover.drained",
    "cutover.relay_sealed", "cutover.compared", "cutover.checked",
    // after the commit point: before the caller's journal knows it.
    "cutover.switched", "cutover.readers_sent",
    // Giving back: by the cutover, by the guard, by a process that resumes the run.
    "give_back.begun", "give_back.switch_closed", "give_back.target_denied", "give_back.allowed",
    "give_back.served",
    // The guard.
    "guard.started", "guard.lease_ended", "guard.ended"};

}  // namespace pegmove::migration::hot
