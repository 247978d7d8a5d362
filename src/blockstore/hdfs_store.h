// hdfs_service: a real HDFS, spoken to through WebHDFS (Hadoop: WebHDFS REST API). Pegasus uses
// libhdfs there (src/block_service/hdfs/hdfs_service.cpp); the files are the same.
#pragma once

#include "blockstore/block_store.h"
#include "blockstore/hdfs_config.h"

namespace pegmove::blockstore {

// A file is written under ".NAME.pegmove-part" beside its place, proven by HDFS's checksum, and
// renamed. A call is answered by the active one of several name nodes, whichever that is now.
std::unique_ptr<BlockStore> make_hdfs_store(HdfsOptions options);

}  // namespace pegmove::blockstore
