// The sidecars of a backup in a folder (blockstore/local_store.h), written again after a copy that
// left out the dot files.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "backup/reader.h"

namespace pegmove::backup {

// Writes the sidecars of a table's files, and then that of backup_info, without which no table of
// the backup counts. To be called when verify_table() has found no problem in the same files
// without sidecars; `md5s` are those of the checkpoints' files, by path. The MD5s of the files that
// describe them are those of the present files, which can be parsed. May be repeated. Returns how
// many were written. Errors: the store's.
Task<int64_t> write_sidecars(const blockstore::AsyncStore& store, Place place, int32_t partitions,
                             std::map<std::string, std::string> md5s);

}  // namespace pegmove::backup
