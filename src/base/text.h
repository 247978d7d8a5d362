// Words and lines of text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pegmove::base {

// Without blanks, tabs and carriage returns at its ends.
std::string_view trim(std::string_view text);

// U+FEFF in UTF-8.
inline constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
// Without the mark that some editors put at the beginning of a UTF-8 text.
std::string_view without_byte_order_mark(std::string_view text);

// The parts between the separators, trimmed; those that are empty are left out.
std::vector<std::string> split(std::string_view text, char separator);

// The parts between the separators, without the blanks around them (spaces and tabs; after them
// also line ends), as Pegasus splits values of app envs.
std::vector<std::string_view> split_fields(std::string_view text, char separator, bool keep_empty);

// "2026-11-22 13:37:50", UTC; "-" for times that are not after the start of 1970.
std::string utc_date_time(int64_t unix_ms);

}  // namespace pegmove::base
