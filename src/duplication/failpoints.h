// The failpoints of a full duplication, in their order, by name: backup/failpoints.h describes what
// they are for.
#pragma once

#include <string_view>

namespace pegmove::duplication {

inline constexpr std::string_view kFailpoints[] = {
    // A node of the source: its checkpoint; the others as often as it is asked.
    "dup.checkpoint_made", "dup.checkpoint_named", "dup.checkpoint_queried", "dup.block_sent",
    "dup.checkpoint_removed",
    // A node of the target.
    "follower.master_found", "follower.checkpoint_found", "follower.folder_wiped",
    "follower.sizes_known", "follower.block_written", "follower.file_synced",
    "follower.files_checked", "follower.log_dropped", "follower.partition_in_place",
    // The target's meta server: the partition serves.
    "follower.partition_opened"};

}  // namespace pegmove::duplication
