// The rows of one partition's checkpoint in a block store, in key order.
#pragma once

#include <rocksdb/db.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "splitter/store_files.h"

namespace rocksdb {
class Cache;
}

namespace pegmove::splitter {

// Opens the checkpoint read-only, and iterates over it. All calls block. For one thread at a time.
class CheckpointRows {
 public:
  // `metadata` is that of the checkpoint in `folder`. Index and filter blocks go to `cache`, shared
  // by all open checkpoints. Errors: kCorrupt (damaged, or not a partition of Pegasus),
  // kUnsupported (an unknown data version), the store's.
  static Result<std::unique_ptr<CheckpointRows>> open(blockstore::BlockStore& store,
                                                      std::string folder,
                                                      backup::CheckpointMetadata metadata,
                                                      std::shared_ptr<rocksdb::Cache> cache);
  ~CheckpointRows();

  int data_version() const { return data_version_; }
  // Sizes of the files with rows, from the MANIFEST; overwritten and removed rows count too.
  int64_t bytes() const { return bytes_; }
  int64_t rows() const { return row_count_; }
  // About how many of these bytes are before a key, from the files' indexes. Errors: as status().
  Result<int64_t> bytes_before(const std::string& key);
  // Whether there is a row of this key that has not expired by `now_ts`. Errors: as status().
  Result<bool> has_row(std::string_view key, uint32_t now_ts);
  // How many files are read in parallel.
  int streams() const { return streams_; }

  // Moves to the first key at or after `from`, and ends before `to` ("": at the end). Reads
  // `readahead_bytes` of a file at a time. May be called again, also after an error.
  void begin(const std::string& from, const std::string& to, size_t readahead_bytes);
  bool valid() const { return rows_ && rows_->Valid(); }
  // These three need valid(). The views are valid until it moves.
  std::string_view key() const { return rows_->key().ToStringView(); }
  std::string_view value() const { return rows_->value().ToStringView(); }
  void next() { rows_->Next(); }
  // When valid() is false: the end, or an error. The store's own error if there was one.
  Result<void> status();

 private:
  explicit CheckpointRows(std::unique_ptr<StoreFiles> files) : files_(std::move(files)) {}
  Result<void> open_database(std::shared_ptr<rocksdb::Cache> cache);
  Result<void> read_version();
  void read_file_list();
  Error error(const rocksdb::Status& status, const char* doing);

  std::unique_ptr<StoreFiles> files_;
  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::ColumnFamilyHandle* rows_family_ = nullptr;  // both destroyed before db_
  rocksdb::ColumnFamilyHandle* meta_family_ = nullptr;
  std::string end_;
  rocksdb::Slice end_slice_;  // RocksDB keeps a pointer to it
  std::unique_ptr<rocksdb::Iterator> rows_;
  int64_t bytes_ = 0, row_count_ = 0;
  int streams_ = 0;
  int data_version_ = 0;
};

}  // namespace pegmove::splitter
