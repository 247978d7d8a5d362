// The disk that databases are on when no test gives one of its own.
#pragma once

#include <rocksdb/env.h>

namespace pegmove::store {

// RocksDB's usual files, for file systems of any kind:
// - Folders that the file system cannot sync (fsync: EINVAL) count as synced, as in
//   base::sync_folder(). RocksDB itself would open no database there.
// - Where it has no hard links, a checkpoint copies its files. RocksDB recognizes only some of the
//   errors that mean this.
// Exists until the process ends. Safe from any thread.
rocksdb::Env& disk();

}  // namespace pegmove::store
