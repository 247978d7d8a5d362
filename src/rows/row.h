// A row of a table, as sources pass it to sinks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pegmove::rows {

// The creator of the row owns the memory of the views: the row is valid only as long as that.
struct Row {
  std::string_view hash_key;
  std::string_view sort_key;
  std::string_view value;
  uint32_t expire_ts = 0;  // seconds since 2016-01-01 00:00:00 UTC, 0 = never expires

  bool operator==(const Row&) const = default;
};

// A row that owns its bytes.
struct OwnedRow {
  std::string hash_key;
  std::string sort_key;
  std::string value;
  uint32_t expire_ts = 0;  // as in Row

  // Valid until this row is changed, moved from or destroyed.
  Row view() const { return {hash_key, sort_key, value, expire_ts}; }

  bool operator==(const OwnedRow&) const = default;
};

}  // namespace pegmove::rows
