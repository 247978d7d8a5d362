// The failpoints of the meta server's control of duplications, in their order, by name:
// backup/failpoints.h describes what they are for.
#pragma once

#include <string_view>

namespace pegmove::duplication {

inline constexpr std::string_view kControlFailpoints[] = {
    // add_dup, of each partition and at the end.
    "duplication.log_kept", "duplication.noted",
    // A full duplication.
    "duplication.checkpoints_noted", "duplication.follower_made", "duplication.app_noted",
    "duplication.follower_completed", "duplication.log_noted",
    // Progress, changes, the end.
    "duplication.progress_noted", "duplication.changed", "duplication.removed"};

}  // namespace pegmove::duplication
