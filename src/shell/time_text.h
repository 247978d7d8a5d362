// Points in time as commands about duplications print them, in the local time zone.
#pragma once

#include <cstdint>
#include <string>

namespace pegmove::shell {

std::string date_time_text(int64_t unix_ms);     // "2026-11-29 13:35:37"
std::string date_time_ms_text(int64_t unix_ms);  // "2026-11-29 13:35:37.398"

}  // namespace pegmove::shell
