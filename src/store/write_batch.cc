#include "store/write_batch.h"

#include <array>
#include <string>

#include "record/value.h"

namespace pegmove::store {

void WriteBatch::put(std::string_view raw_key, std::string_view value, uint32_t expire_ts,
                     uint64_t timetag) {
  std::string header;  // short enough to need no allocation
  record::append_value_header(header, data_version_, expire_ts, timetag);
  const rocksdb::Slice key(raw_key);
  const std::array<rocksdb::Slice, 2> parts{rocksdb::Slice(header), rocksdb::Slice(value)};
  const rocksdb::Status status =
      batch_.Put(rocksdb::SliceParts(&key, 1), rocksdb::SliceParts(parts.data(), parts.size()));
  if (!status.ok() && first_error_.ok()) first_error_ = status;
}

void WriteBatch::remove(std::string_view raw_key) {
  const rocksdb::Status status = batch_.Delete(rocksdb::Slice(raw_key));
  if (!status.ok() && first_error_.ok()) first_error_ = status;
}

void WriteBatch::clear() {
  batch_.Clear();
  received_.reset();
  first_error_ = rocksdb::Status::OK();
}

}  // namespace pegmove::store
