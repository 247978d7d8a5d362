// Requests of a meta server to a node for a backup, and the node's progress.
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

// The progress of a partition. Safe from any thread.
struct PartitionProgress {
  std::atomic<int64_t> done_bytes = 0;
  std::atomic<int64_t> all_bytes = 0;
  std::atomic<int64_t> sent_bytes = 0;  // of a backup: those that were not yet in the store
  std::atomic<bool> cancelled = false;  // asks the node to stop permanently
};

}  // namespace pegmove::backup
