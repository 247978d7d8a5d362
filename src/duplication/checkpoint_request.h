// Full duplication (`add_dup -s`): what the target's meta server asks a node to fetch.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "net/address.h"

namespace pegmove::duplication {

// The app envs by which a table names the table that its rows come from. Pegasus:
// src/common/duplication_common.h.
inline constexpr const char* kMasterClusterEnv = "duplication.master_cluster";
inline constexpr const char* kMasterMetasEnv = "duplication.master_metas";
inline constexpr const char* kMasterTableEnv = "duplication.master_app_name";
inline constexpr const char* kFollowerStatusEnv = "duplication.follower_app_status";

// A partition of a new table, whose rows are those of the same partition of a source table.
struct CheckpointRequest {
  Gpid gpid;  // of the new table
  int32_t partition_count = 0;
  std::string table;                        // the new table's name, for people
  std::string master_cluster;               // its name, for people
  std::vector<net::HostPort> master_metas;  // not empty
  std::string master_table;
};

// Shared by the meta server and the node that fetches.
struct CheckpointProgress {
  std::atomic<int64_t> done_bytes = 0;
  std::atomic<int64_t> all_bytes = 0;  // 0 until it is known
  std::atomic<bool> cancelled = false;
};

}  // namespace pegmove::duplication
