// local_service: a folder of this machine, or one that is mounted on it. As in Pegasus, each file F
// has a sidecar ".F.meta" with its MD5 and size, and a file without one does not exist
// (src/block_service/local/local_service.cpp): copies that leave out dot files lose them. Unlike in
// Pegasus, file and sidecar get their names when they are complete and on disk.
#pragma once

#include "blockstore/block_store.h"

namespace pegmove::blockstore {

// `root` is an absolute path; it is created when the first file is written. Links that lead out of
// it are not followed.
std::unique_ptr<BlockStore> make_local_store(std::string name, std::string root);

}  // namespace pegmove::blockstore
