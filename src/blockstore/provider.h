// Block stores in the form of Pegasus's configuration: [block_service.NAME], type and args.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "async/clock.h"
#include "blockstore/block_store.h"

namespace pegmove::blockstore {

struct Provider {
  std::string name;
  std::string type;  // local_service, hdfs_service or s3_service
  std::string args;  // words separated by spaces
};
using Providers = std::map<std::string, Provider>;  // by name

// Whether its args contain a root folder: then Pegasus refuses a path for a backup. Pegasus: only
// hdfs_service (backup_engine.cpp).
bool has_root(const Provider& provider);

// Sends no request to the store yet. The clock must outlive it. Errors: kInvalidArgument, naming
// the section and what to write in it; kNotFound, kRefused and kIo for files with keys.
Result<std::unique_ptr<BlockStore>> open_store(const Provider& provider, const Clock& clock);

}  // namespace pegmove::blockstore
