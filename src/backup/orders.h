// What a meta server tells a node to do for a backup, and what the node tells while it does it.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <string_view>

#include "backup/layout.h"
#include "base/ids.h"

namespace pegmove::backup {

struct BackupOrder {
  Gpid gpid;
  std::string provider;
  std::string policy;  // names the folder of the checkpoint; "fake_policy_<id>" for one-time
  Place place;
};

struct RestoreOrder {
  Gpid gpid;  // of the new table
  std::string provider;
  Place place;
};

// How far a partition is. Safe from any thread.
struct PartitionProgress {
  std::atomic<int64_t> done_bytes = 0;
  std::atomic<int64_t> all_bytes = 0;
  std::atomic<int64_t> sent_bytes = 0;  // of a backup: those that were not in the store already
  std::atomic<bool> cancelled = false;  // asks the node to stop, for good
};

// Called after each step of a backup or a restore, by its name: for tests that end the process
// there. The steps of nodes; see also kUploadSteps, kDownloadSteps.
using StepListener = std::function<void(std::string_view step)>;
inline constexpr std::string_view kNodeSteps[] = {
    "backup.checkpoint_made", "backup.checkpoint_named", "backup.checkpoint_removed",
    "restore.partition_in_place"};

}  // namespace pegmove::backup
