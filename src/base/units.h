// Durations, sizes and numbers as people type and read them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pegmove::base {

// A whole decimal number within [least, most]; the whole text must be the number.
// Errors: kInvalidArgument, naming the text and the bounds.
Result<int64_t> parse_integer(std::string_view text, int64_t least, int64_t most);

// A number as C's strtoll with base 0 reads it (blanks before it, a sign, 0x.., 0..), with nothing
// after it, as Pegasus reads numbers in values and app envs. Nothing when it is not a number, or
// does not fit.
std::optional<int64_t> parse_c_integer(std::string_view text);

// "500ms", "5s", "10m", "2h"; a bare number counts seconds.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

// "1024", "64KiB", "64MiB", "1GiB", and decimal "64KB", "64MB", "1GB"; bytes.
Result<uint64_t> parse_size(std::string_view text);

std::string format_size(uint64_t bytes);                        // "1.5 MiB"
std::string format_count(uint64_t count);                       // "1,234,567"
std::string format_duration(std::chrono::milliseconds length);  // "850 ms", "12.3 s", "4 m 05 s"

}  // namespace pegmove::base
