// Rows on their way, together with the memory that they point into: the buffer that came off the
// wire, out of a file or out of RocksDB. A row is not copied between being read and being written.
#pragma once

#include <optional>
#include <vector>

#include "base/bytes.h"
#include "client/bulk_write.h"

namespace pegmove::rows {

using client::RawRow;  // raw key, value, expire_ts

struct RowBatch {
  SharedBytes bytes;  // keeps alive what `rows` and `last_key` point into
  std::vector<RawRow> rows;
  // How far the lane is with this batch: the raw key of the last row that was read, which need not
  // be among `rows` (filters). Empty for lanes that cannot be gone on with.
  std::string_view last_key{};
  int64_t rows_read = 0;  // for this batch, those that were left out among them

  int64_t size() const {
    int64_t size = 0;
    for (const auto& row : rows) size += int64_t(row.key.size() + row.value.size());
    return size;
  }
};

}  // namespace pegmove::rows
