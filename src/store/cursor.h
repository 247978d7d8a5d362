// Walks over the rows of a database in key order.
#pragma once

#include <rocksdb/iterator.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "record/value.h"

namespace pegmove::store {

// Sees the rows as they were when it was made by PartitionDb::new_cursor(); only rows that have
// expired may go from under it. It skips keys shorter than two bytes, which are no rows. Expired
// rows are shown: the caller judges them (record/expiry.h).
//
// Stands nowhere until it is sought. When valid() turns false, status() tells the end from an
// error. It keeps old files alive and must not outlive its PartitionDb. For one thread at a time.
class Cursor {
 public:
  // `path` is for errors; an empty `upper_bound` is none.
  Cursor(std::string path, int data_version, std::string upper_bound);
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;

  void seek(std::string_view raw_key);           // the first row at or behind the key
  void seek_for_prev(std::string_view raw_key);  // the last row at or before the key
  bool valid() const { return valid_; }
  // These four need valid(). The views hold until the cursor moves.
  void next();
  void prev();
  std::string_view key() const;
  const record::DecodedValue& value() const { return value_; }

  // Errors: kCorrupt (a damaged file, or a value without a whole header), kIo.
  Result<void> status() const;

 private:
  friend class PartitionDb;
  enum class Direction { kForward, kBackward };
  void settle(Direction direction);

  std::string path_;
  int data_version_;
  std::string upper_bound_;
  rocksdb::Slice upper_bound_slice_;  // RocksDB keeps a pointer to it
  std::unique_ptr<rocksdb::Iterator> rows_;
  bool valid_ = false;
  bool bad_value_ = false;  // the row under rows_ has no whole header
  record::DecodedValue value_;
};

}  // namespace pegmove::store
