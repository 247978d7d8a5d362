// Tab-separated values: hash_key, sort_key, value and, where the row expires, expire_ts (Unix
// seconds). There is no heading line.
//
//   user1<TAB>name<TAB>Ann<TAB>1767225600
//   user2<TAB><TAB>\xFF\x00
//
// In the first three columns \t \n \r \\ mean TAB, LF, CR and backslash, and \xHH a byte: bytes
// below 0x20, and those that are not part of valid UTF-8, are written in this way; so is U+FEFF at
// the beginning of a hash key, since in the first line of a file it is a byte order mark.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "rows/row.h"

namespace pegmove::rows {

// Appends the row and "\n"; three columns when it never expires, else four.
void append_tsv(const Row& row, std::string& out);

// An empty or absent fourth column means that the row never expires. One "\r" at the end is part
// of the line end. All other unescaped bytes are taken unchanged. The length of the hash key is not
// checked; parse_row does that. Errors: kInvalidArgument for a wrong number of columns, an unknown
// escape, an expiry that is not an integer or out of range; the message names the column.
Result<OwnedRow> parse_tsv(std::string_view line);

}  // namespace pegmove::rows
