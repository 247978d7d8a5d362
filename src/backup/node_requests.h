// What a meta server asks a node to do for a backup, and how far that is.
#pragma once

#include <atomic>
#include <string>

#include "backup/failpoints.h"
#include "backup/layout.h"
#include "base/ids.h"

namespace pegmove::backup {

struct BackupRequest {
  Gpid gpid;
  std::string provider;
  std::string policy;  // names the folder of the checkpoint; "fake_policy_<id>" for one-time
  Place place;
};

struct RestoreRequest {
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

}  // namespace pegmove::backup
