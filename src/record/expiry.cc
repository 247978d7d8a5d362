#include "record/expiry.h"

#include <string>

namespace pegmove::record {

Result<uint32_t> expire_ts_from_unix(int64_t unix_seconds) {
  constexpr int64_t kLast = kPegasusEpoch + std::numeric_limits<uint32_t>::max();
  if (unix_seconds <= kPegasusEpoch || unix_seconds > kLast) {
    return fail(Code::kInvalidArgument,
                "the expiry " + std::to_string(unix_seconds) +
                    " (unix seconds) is outside what Pegasus can store: give a time from " +
                    std::to_string(kPegasusEpoch + 1) + " to " + std::to_string(kLast) +
                    ", or none for no expiry");
  }
  return static_cast<uint32_t>(unix_seconds - kPegasusEpoch);
}

}  // namespace pegmove::record
