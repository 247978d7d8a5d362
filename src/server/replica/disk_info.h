// RPC_QUERY_DISK_INFO: the disk that a node keeps its partitions on. Pegasus: fs_manager in
// src/common/fs_manager.cpp.
#pragma once

#include <string>
#include <vector>

#include "base/ids.h"
#include "replica_admin_types.h"

namespace pegmove::server::replica {

// The name of a node's only disk: Pegasus names disks in [replication] data_dirs.
inline constexpr const char* kDiskTag = "data";

struct HeldPartitions {
  std::vector<Gpid> primaries = {};
  std::vector<Gpid> secondaries = {};
};

// The size of the file system of `data_dir` and the space available to this process, in MiB, and
// the partitions. Answers ERR_FILE_OPERATION_FAILED when the system call fails.
// Blocks.
wire::query_disk_info_response disk_info_of(const std::string& data_dir,
                                            const HeldPartitions& partitions);

}  // namespace pegmove::server::replica
