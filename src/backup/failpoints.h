// The failpoints of a backup and of a restore, in their order, by name. The listener is called when
// one is reached: tests kill the process there.
#pragma once

#include <functional>
#include <string_view>

namespace pegmove::backup {

using FailpointListener = std::function<void(std::string_view point)>;

inline constexpr std::string_view kFailpoints[] = {
    // The meta server begins a backup, nodes upload, and it ends.
    "backup.job_noted", "backup.marker_written", "backup.checkpoint_made",
    "backup.checkpoint_named", "backup.file_uploaded", "backup.metadata_written",
    "backup.current_written", "backup.checkpoint_removed", "backup.app_metadata_written",
    "backup.marker_removed", "backup.info_written", "backup.end_noted",
    // A restore.
    "restore.table_noted", "restore.file_downloaded", "restore.files_checked",
    "restore.partition_in_place", "restore.partition_noted", "restore.end_noted"};

}  // namespace pegmove::backup
