// The folder of a partition's database on the disk, before RocksDB has it open.
#pragma once

#include <rocksdb/env.h>

#include <string>
#include <string_view>

#include "base/result.h"
#include "store/layout.h"

namespace pegmove::store {

// What stands at a path. A database is recognised by its CURRENT file.
enum class FolderState { kMissing, kEmpty, kDatabase, kForeign };

// Reads only. Errors: kIo, also when the path is no folder.
Result<FolderState> look_at_folder(rocksdb::Env& env, const std::string& path);

// Checks, without changing a byte, that the database at the path has exactly the two column
// families of Pegasus. Errors: kCorrupt when the families are others or the files that list them
// are damaged, kIo.
Result<void> check_families(const rocksdb::DBOptions& options, const std::string& path);

// Makes a whole, empty database at options.path, where nothing or an empty folder must be. It is
// built beside ("PATH.creating", replaced when a killed process left one) and renamed, so that what
// stands at the path is always a whole database. Errors: kIo, kBusy.
Result<void> create_database(const PartitionOptions& options, const rocksdb::DBOptions& db_options);

// The path of a file in a folder.
std::string file_in(std::string folder, std::string_view name);

// Deletes a folder that holds plain files only. Errors: kIo.
Result<void> delete_folder(rocksdb::Env& env, const std::string& path);

}  // namespace pegmove::store
