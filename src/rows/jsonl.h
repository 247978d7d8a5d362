// JSON Lines: one object per line.
//
//   {"hash_key":"user1","sort_key":"name","value":"Ann","expire_ts":1767225600}
//   {"hash_key":"user2","sort_key":"","value_b64":"/wA="}
//
// - hash_key, sort_key, value: required strings. When the bytes are not UTF-8, a field with the
//   same name and "_b64" (padded base64) replaces it. NUL is written as \u0000.
// - expire_ts: an integer, Unix seconds; absent when the row never expires.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "rows/row.h"

namespace pegmove::rows {

// Appends the row and "\n", with the fields in the order shown above.
void append_jsonl(const Row& row, std::string& out);

// Strict: unknown, repeated, missing and doubly given (plain and _b64) fields are errors, and so
// are wrong types, bad base64 and an expiry out of range. The length of the hash key is not
// checked; parse_row does that. Errors: kInvalidArgument, naming the field.
Result<OwnedRow> parse_jsonl(std::string_view line);

}  // namespace pegmove::rows
