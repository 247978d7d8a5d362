// Bytes: byte order, hexadecimal and base64, and a view that keeps its memory alive.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pegmove::base {

template <typename Int>
Int load_big_endian(const char* from) {
  Int value;
  std::memcpy(&value, from, sizeof value);
  return std::byteswap(value);
}
template <typename Int>
void store_big_endian(char* to, Int value) {
  value = std::byteswap(value);
  std::memcpy(to, &value, sizeof value);
}
template <typename Int>
Int load_little_endian(const char* from) {
  Int value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
template <typename Int>
void store_little_endian(char* to, Int value) {
  std::memcpy(to, &value, sizeof value);
}
static_assert(std::endian::native == std::endian::little);

template <typename Int>
void append_big_endian(std::string& to, Int value) {
  char bytes[sizeof value];
  store_big_endian(bytes, value);
  to.append(bytes, sizeof value);
}

// A view of bytes together with their owner: a frame that came off the wire, a block read from a
// file. Copies share the owner; that is why it is a shared_ptr.
struct SharedBytes {
  std::shared_ptr<const void> owner;
  std::string_view view;

  // Takes ownership of the string; the view covers all of it.
  static SharedBytes own(std::string bytes);
};

// Lower-case hexadecimal, two digits per byte.
std::string to_hex(std::string_view bytes);
// Errors: kInvalidArgument when a character is not a hexadecimal digit or their count is odd.
Result<std::string> from_hex(std::string_view digits);

// Base64 with padding (RFC 4648, section 4).
std::string to_base64(std::string_view bytes);
// Errors: kInvalidArgument on anything but whole, padded base64 without line breaks.
Result<std::string> from_base64(std::string_view text);

// True when the bytes are well-formed UTF-8 (no overlong forms, no surrogates).
bool is_utf8(std::string_view bytes);

// For people: printable ASCII as it is, quotes and backslash escaped, other bytes as \xHH. Input
// longer than `limit` bytes ends in "...": for messages that name a key.
std::string printable(std::string_view bytes, size_t limit = 64);

}  // namespace pegmove::base

namespace pegmove {
using base::SharedBytes;
}
