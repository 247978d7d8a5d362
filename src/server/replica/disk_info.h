// RPC_QUERY_DISK_INFO: the disk that a node keeps its partitions on. Pegasus: fs_manager in
// src/common/fs_manager.cpp.
#pragma once

#include <span>
#include <string>

#include "base/ids.h"
#include "replica_admin_types.h"

namespace pegmove::server::replica {

// What the one disk of a node is called: Pegasus names them in [replication] data_dirs.
inline constexpr const char* kDiskTag = "data";

// The size of the file system that `data_dir` lies on, in MiB, what is available to this process,
// and the partitions, all as primaries. Answers ERR_FILE_OPERATION_FAILED when the system does not
// tell. Blocks.
wire::query_disk_info_response disk_info_of(const std::string& data_dir,
                                            std::span<const Gpid> partitions);

}  // namespace pegmove::server::replica
