#include "record/expiry.h"

#include <fmt/format.h>

namespace pegmove::record {

Result<uint32_t> expire_ts_from_unix(int64_t unix_seconds) {
  constexpr int64_t kLast = kPegasusEpoch + std::numeric_limits<uint32_t>::max();
  if (unix_seconds <= kPegasusEpoch || unix_seconds > kLast) {
    return fail(
        Code::kInvalidArgument,
        fmt::format("the expiry {} (unix seconds) is outside what Pegasus can store: give a "
                    "time from {} to {}, or none for no expiry",
                    unix_seconds, kPegasusEpoch + 1, kLast));
  }
  return static_cast<uint32_t>(unix_seconds - kPegasusEpoch);
}

}  // namespace pegmove::record
