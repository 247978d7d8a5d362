// The request of a copy, in the form that the journal keeps, and its settings.
#pragma once

#include <string>

#include "migration/copy/copy_options.h"
#include "rows/throttler.h"

namespace pegmove::migration {

inline constexpr std::string_view kCopyMethod = "copy";

// Everything that a later process needs to resume it.
struct CopyRequest {
  std::string from_metas;  // "host:port,...": a name may mean another cluster on another machine
  std::string to_metas;
  CopyOptions options{};
  rows::ThrottleOptions throttle{};
};
std::string to_json(const CopyRequest& request);
// Errors: kCorrupt, saying what is wrong.
Result<CopyRequest> copy_request_from_json(std::string_view text);

// Changes the throttle by a setting as the user types it: max-rows-per-second,
// max-megabytes-per-second, latency-bound, full-speed. Errors: kInvalidArgument, naming the
// setting, or the known settings.
Result<void> apply_setting(rows::ThrottleOptions& throttle, std::string_view key,
                           std::string_view value);

}  // namespace pegmove::migration
