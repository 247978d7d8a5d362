// Bodies of requests and replies. A body is a struct with exactly one field, whose type byte and id
// a reader ignores: THFT requests use id 1, everything else id 0. Source: section "args and result"
// of Pegasus's thrift_message_parser.cpp and serialization_helper/thrift_helper.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pegmove::wire {

// Decodes a whole body into a generated struct or a custom scalar (blob, rpc_address).
// Errors: kProtocol for anything truncated, oversized or followed by something else; unknown fields
// are skipped. Allocates at most 64 MiB, or twenty times the body's size if that is more.
template <typename Message>
Result<Message> decode_body(std::string_view body);

// Appends the body with the given field id.
template <typename Message>
void append_body(std::string& out, const Message& message, int16_t field_id);

template <typename Message>
std::string encode_body(const Message& message, int16_t field_id = 0) {
  std::string body;
  append_body(body, message, field_id);
  return body;
}

// The bodies that hold a bare integer (CLEAR_SCANNER).
Result<int64_t> decode_i64_body(std::string_view body);
void append_i64_body(std::string& out, int64_t value, int16_t field_id);

// The bodies that hold a bare string (the reply of CLI_CALL).
Result<std::string> decode_string_body(std::string_view body);
void append_string_body(std::string& out, std::string_view value, int16_t field_id);

}  // namespace pegmove::wire
