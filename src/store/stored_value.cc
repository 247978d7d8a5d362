#include "store/stored_value.h"

#include <utility>

namespace pegmove::store {

StoredValue::StoredValue(record::ValueHeader header, rocksdb::PinnableSlice bytes)
    : header_(header), bytes_(std::move(bytes)) {}

std::optional<StoredValue> StoredValue::decode(int data_version, rocksdb::PinnableSlice bytes) {
  const auto decoded = record::decode_value(data_version, {bytes.data(), bytes.size()});
  if (!decoded) return std::nullopt;
  return StoredValue(decoded->header, std::move(bytes));
}

}  // namespace pegmove::store
