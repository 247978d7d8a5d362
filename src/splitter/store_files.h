// The files of a checkpoint in a block store, as RocksDB reads them: by ranges, without downloading
// them first.
#pragma once

#include <rocksdb/env.h>

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "backup/metadata.h"
#include "blockstore/block_store.h"

namespace pegmove::splitter {

// One folder of a store. It shows only the files of the metadata. Its Env opens them for reading
// under any folder name and refuses everything else. Blocks; safe from any thread. RocksDB's own
// checksums cover the data: a changed block is an error of the reader.
class StoreFiles {
 public:
  // The store must outlive it.
  StoreFiles(blockstore::BlockStore& store, std::string folder, backup::CheckpointMetadata files);
  ~StoreFiles();
  StoreFiles(const StoreFiles&) = delete;
  StoreFiles& operator=(const StoreFiles&) = delete;

  rocksdb::Env& env() { return *env_; }
  const std::string& folder() const { return folder_; }

  // The store's own error behind RocksDB's last I/O error, which has fewer details.
  std::optional<Error> take_error();

  // For the Env.
  std::optional<int64_t> size_of(const std::string& name) const;
  std::vector<std::string> names() const;
  Result<void> read(const std::string& name, int64_t offset, char* to, size_t size);

 private:
  blockstore::BlockStore& store_;
  std::string folder_;
  std::map<std::string, int64_t> sizes_;
  std::unique_ptr<rocksdb::Env> env_;
  std::mutex mutex_;  // guards error_
  std::optional<Error> error_;
};

}  // namespace pegmove::splitter
