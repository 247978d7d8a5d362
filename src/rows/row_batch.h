// Rows in transit, together with the memory that they point into: a buffer from the network, a file
// or RocksDB. A row is not copied between being read and being written.
#pragma once

#include <optional>
#include <vector>

#include "base/bytes.h"
#include "client/bulk_write.h"
#include "client/foreign_rows.h"

namespace pegmove::rows {

using client::RawRow;  // raw key, value, expire_ts

struct RowBatch {
  SharedBytes bytes;  // keeps alive what `rows` and `last_key` point into
  std::vector<RawRow> rows;
  // The position of the lane after this batch: the raw key of the last row that was read, which
  // need not be among `rows` (filters). Empty for lanes that cannot be resumed.
  std::string_view last_key{};
  int64_t rows_read = 0;          // for this batch, including those that were left out
  client::ForeignRows foreign{};  // left out

  int64_t size() const {
    int64_t size = 0;
    for (const auto& row : rows) size += int64_t(row.key.size() + row.value.size());
    return size;
  }
};

}  // namespace pegmove::rows
