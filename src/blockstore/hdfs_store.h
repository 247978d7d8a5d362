// hdfs_service: a real HDFS, accessed through WebHDFS (Hadoop: WebHDFS REST API). Pegasus uses
// libhdfs for it (src/block_service/hdfs/hdfs_service.cpp); the files are the same.
#pragma once

#include "blockstore/block_store.h"
#include "blockstore/hdfs_config.h"

namespace pegmove::blockstore {

// A file is written as ".NAME.pegmove-part" in its folder, verified by HDFS's checksum, and
// renamed. Of several name nodes the currently active one answers.
std::unique_ptr<BlockStore> make_hdfs_store(HdfsOptions options);

}  // namespace pegmove::blockstore
