// Writes many rows to one partition with many requests in flight, for copies and imports.
#pragma once

#include "client/join_threshold.h"
#include "client/table.h"

namespace pegmove::client {

// A row by its raw key (record/key.h). Views must stay valid until write_rows() returns.
struct RawRow {
  std::string_view key;
  std::string_view value;
  uint32_t expire_ts = 0;
};

// Writes all rows, overwriting existing ones. Neighbours with the same hash key and the same expiry
// are a group: it is sent in one MULTI_PUT (which has one expiry for all its rows), up to
// `max_request_bytes`, or in one PUT a row, as `batch` decides (nullptr: always the former). A
// failed request is sent again by itself until the deadline. Returns when every row is written, or
// with the first error that a retry cannot fix; some rows may be written then. Safe to repeat.
// Precondition: all rows belong to the partition.
Task<> write_rows(Table& table, int32_t partition_index, std::vector<RawRow> rows,
                  size_t max_request_bytes, Deadline deadline,
                  JoinThreshold::Batch* batch = nullptr);

}  // namespace pegmove::client
