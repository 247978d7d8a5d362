// A value as it was read from a database.
#pragma once

#include <rocksdb/slice.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "record/value.h"

namespace pegmove::store {

// Owns the bytes that RocksDB handed out, often a piece of its block cache, so nothing is copied.
// It must not outlive the PartitionDb that it came from.
class StoredValue {
 public:
  // Nothing when the bytes are no value of this data version.
  static std::optional<StoredValue> decode(int data_version, rocksdb::PinnableSlice bytes);

  uint32_t expire_ts() const { return header_.expire_ts; }  // Pegasus seconds, 0 = none
  uint64_t timetag() const { return header_.timetag; }      // 0 in data version 0
  // A view into this object: valid until it is moved or destroyed.
  std::string_view user_data() const {
    return std::string_view(bytes_.data(), bytes_.size()).substr(header_.size);
  }

 private:
  StoredValue(record::ValueHeader header, rocksdb::PinnableSlice bytes);

  record::ValueHeader header_;
  rocksdb::PinnableSlice bytes_;
};

}  // namespace pegmove::store
