// Single rows as they stand on a server now: value and expiry, exactly.
//
// GET gives no expiry, and TTL only what remains of it, in seconds of the server's clock. So a row
// is read by a scan that holds nothing but its key, with return_expire_ts (Pegasus:
// on_get_scanner() in src/server/pegasus_server_impl.cpp; both ends inclusive). Many such scans are
// in flight at once.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "client/table.h"
#include "compare/difference.h"

namespace pegmove::compare {

// A row that is there and has not expired.
struct RowState {
  std::string value;
  uint32_t expire_ts = 0;
};

// What is kept of a row to tell whether it has changed: 128 bits stand for the value.
struct RowFingerprint {
  bool exists = false;
  uint32_t expire_ts = 0;
  RowSum value_sum{};

  static RowFingerprint of(const std::optional<RowState>& row);
  bool operator==(const RowFingerprint&) const = default;
};

// How the two sides of a row may differ and still count as the same.
struct RowRule {
  uint32_t expiry_tolerance_s = 0;  // between two expiries; none and some always differ
  // A row that one side lacks and that expires within this time is no difference: it may have been
  // read on one side before that moment, and on the other behind it.
  static constexpr uint32_t kExpiryMarginSeconds = 5;
  // A server has just returned the row, so that it cannot have expired long ago: the clocks differ.
  static constexpr uint32_t kLongAgoSeconds = 600;

  static bool expires_about(uint32_t expire_ts, uint32_t now_ts);

  bool same_expiry(uint32_t a, uint32_t b) const;
  // nullopt: the same. `now_ts`: Pegasus seconds.
  std::optional<DifferenceKind> compare(const RowFingerprint& source, const RowFingerprint& target,
                                        uint32_t now_ts) const;
};

// Reads one row by its raw key; nullopt: it is not there. Errors: kInvalidArgument (no raw key),
// those of client::Scanner.
Task<std::optional<RowState>> read_row(client::Table& table, std::string raw_key,
                                       Deadline deadline);
Task<RowFingerprint> read_fingerprint(client::Table& table, std::string raw_key, Deadline deadline);

// Runs `work(index)` for 0 .. count - 1, up to `at_once` at a time, in order of their beginning.
// Returns the first error when all that had begun have ended.
Task<> for_each_at_once(size_t count, size_t at_once, std::function<Task<>(size_t index)> work);

}  // namespace pegmove::compare
