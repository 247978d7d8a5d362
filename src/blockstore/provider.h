// Block stores as Pegasus's servers are configured with them: [block_service.NAME], type and args.
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
  std::string args;  // words with blanks between them
};
using Providers = std::map<std::string, Provider>;  // by name

// Whether its args give a root folder, below which everything lies: only then Pegasus refuses a
// path of its own for a backup. Pegasus: hdfs_service only (backup_engine.cpp).
bool has_root(const Provider& provider);

// Nothing is asked of the store yet. The clock outlives it.
// Errors: kInvalidArgument, naming the section and what to write in it; kNotFound and kIo for files
// with keys.
Result<std::unique_ptr<BlockStore>> open_store(const Provider& provider, const Clock& clock);

}  // namespace pegmove::blockstore
