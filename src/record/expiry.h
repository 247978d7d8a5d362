// When a record expires. Pegasus counts seconds since 2016-01-01 00:00:00 UTC in 32 bits, unsigned;
// the expiry of a record is such a time, and 0 means that it never expires.
// Pegasus: epoch_begin in src/base/pegasus_utils.h, check_if_ts_expired in
// src/base/pegasus_value_schema.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "base/result.h"

namespace pegmove::record {

// The start of Pegasus's time, in unix seconds.
inline constexpr int64_t kPegasusEpoch = 1451606400;

// The expiry for a moment in unix seconds; never 0, so the record does expire.
// Errors: kInvalidArgument when the moment is not after the Pegasus epoch (the epoch itself would
// read as "never"), or too late for 32 bits (after 2152-02-07).
Result<uint32_t> expire_ts_from_unix(int64_t unix_seconds);

// The moment of an expiry, in unix seconds. `expire_ts` must not be 0, which is not a moment.
constexpr int64_t unix_from_expire_ts(uint32_t expire_ts) { return kPegasusEpoch + expire_ts; }

// Whether a record with this expiry is gone at `now_ts`, both in Pegasus seconds. It is gone in the
// second of its expiry itself. A record with an expiry of 0 never expires.
constexpr bool is_expired(uint32_t expire_ts, uint32_t now_ts) {
  return expire_ts > 0 && expire_ts <= now_ts;
}

// A clock reading in unix seconds as Pegasus seconds. Readings outside the range of Pegasus's time
// are clamped to it: with a clock before 2016 nothing is expired.
constexpr uint32_t pegasus_seconds(int64_t unix_seconds) {
  constexpr int64_t kLast = kPegasusEpoch + std::numeric_limits<uint32_t>::max();
  return static_cast<uint32_t>(std::clamp(unix_seconds, kPegasusEpoch, kLast) - kPegasusEpoch);
}

}  // namespace pegmove::record
