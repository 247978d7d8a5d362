// Reads single rows from a server: value and expiry, exactly.
//
// GET does not return the expiry, and TTL only the remaining time, in seconds of the server's
// clock. So a row is read by a scan whose range is only its key, with return_expire_ts (Pegasus:
// on_get_scanner() in src/server/pegasus_server_impl.cpp; both ends inclusive). Many such scans run
// in parallel.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "client/table.h"
#include "compare/difference.h"

namespace pegmove::compare {

// A row that exists and has not expired.
struct RowState {
  std::string value;
  uint32_t expire_ts = 0;
};

// What is kept of a row to detect changes: 128 bits represent the value.
struct RowFingerprint {
  bool exists = false;
  uint32_t expire_ts = 0;
  RowSum value_sum{};

  static RowFingerprint of(const std::optional<RowState>& row);
  bool operator==(const RowFingerprint&) const = default;
};

// How the two sides of a row may differ and still count as equal.
struct RowRule {
  // Between two expiries. A row with an expiry and one without always differ.
  uint32_t expiry_tolerance_s = 0;
  // A row that is missing on one side and expires within this time is not a difference: it may have
  // been read on one side before that moment, and on the other after it.
  static constexpr uint32_t kExpiryMarginSeconds = 5;
  // A server has just returned the row, so it cannot have expired long ago: the clocks differ.
  static constexpr uint32_t kLongAgoSeconds = 600;

  static bool expires_about(uint32_t expire_ts, uint32_t now_ts);

  bool same_expiry(uint32_t a, uint32_t b) const;
  // nullopt: equal. `now_ts`: Pegasus seconds.
  std::optional<DifferenceKind> compare(const RowFingerprint& source, const RowFingerprint& target,
                                        uint32_t now_ts) const;
};

// Reads one row by its raw key; nullopt: it does not exist. Errors: kInvalidArgument (not a raw
// key), those of client::Scanner.
Task<std::optional<RowState>> read_row(client::Table& table, std::string raw_key,
                                       Deadline deadline);
Task<RowFingerprint> read_fingerprint(client::Table& table, std::string raw_key, Deadline deadline);

// Runs `work(index)` for 0 .. count - 1, up to `at_once` at a time, in order of their beginning.
// Returns the first error after all that had begun have ended.
Task<> for_each_at_once(size_t count, size_t at_once, std::function<Task<>(size_t index)> work);

}  // namespace pegmove::compare
