// Points in time as Pegasus prints them, in the local time zone (src/utils/time_utils.h).
#pragma once

#include <cstdint>
#include <string>

namespace pegmove::service {

// "2026-11-22 13:37:50"
std::string local_date_time(int64_t unix_seconds);
// "-" for 0: it has not happened yet.
std::string date_time_or_dash(int64_t unix_ms);

}  // namespace pegmove::service
