#include "base/bytes.h"

#include <array>

namespace pegmove::base {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";
constexpr char kUpperHexDigits[] = "0123456789ABCDEF";
constexpr char kBase64Digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

constexpr std::array<int8_t, 256> make_base64_values() {
  std::array<int8_t, 256> values{};
  values.fill(-1);
  for (int8_t i = 0; i < 64; ++i) values[uint8_t(kBase64Digits[i])] = i;
  return values;
}
constexpr auto kBase64Values = make_base64_values();

// The length of the UTF-8 sequence that a first byte announces, 0 when it can begin none.
size_t utf8_length(uint8_t first) {
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return 2;
  if (first >= 0xe0 && first <= 0xef) return 3;
  if (first >= 0xf0 && first <= 0xf4) return 4;
  return 0;
}

// The second byte shows overlong forms, surrogates and code points past U+10FFFF.
bool utf8_second_fits(uint8_t first, uint8_t second) {
  switch (first) {
    case 0xe0: return second >= 0xa0;
    case 0xed: return second <= 0x9f;
    case 0xf0: return second >= 0x90;
    case 0xf4: return second <= 0x8f;
    default: return true;
  }
}

}  // namespace

SharedBytes SharedBytes::own(std::string bytes) {
  auto owner = std::make_shared<const std::string>(std::move(bytes));
  std::string_view view = *owner;
  return {std::move(owner), view};
}

std::string to_hex(std::string_view bytes) {
  std::string digits;
  digits.reserve(bytes.size() * 2);
  for (uint8_t byte : bytes) {
    digits += kHexDigits[byte >> 4];
    digits += kHexDigits[byte & 15];
  }
  return digits;
}

Result<std::string> from_hex(std::string_view digits) {
  if (digits.size() % 2 != 0) return fail(Code::kInvalidArgument, "odd number of hex digits");
  std::string bytes;
  bytes.reserve(digits.size() / 2);
  for (size_t i = 0; i < digits.size(); i += 2) {
    int high = hex_value(digits[i]), low = hex_value(digits[i + 1]);
    if (high < 0 || low < 0) return fail(Code::kInvalidArgument, "not a hex digit");
    bytes += char(high << 4 | low);
  }
  return bytes;
}

std::string to_base64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    size_t have = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) group = group << 8 | (k < have ? uint8_t(bytes[i + k]) : 0);
    for (size_t k = 0; k < 4; ++k)
      text += k <= have ? kBase64Digits[group >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

Result<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return fail(Code::kInvalidArgument, "base64 has a wrong length");
  size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  uint32_t group = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    bool is_padding = i >= text.size() - padding;
    int8_t value = is_padding ? 0 : kBase64Values[uint8_t(text[i])];
    if (value < 0) return fail(Code::kInvalidArgument, "not a base64 digit");
    group = group << 6 | uint32_t(value);
    if (i % 4 != 3) continue;
    for (int shift : {16, 8, 0}) bytes += char(group >> shift & 255);
    group = 0;
  }
  bytes.resize(bytes.size() - padding);
  return bytes;
}

bool is_utf8(std::string_view bytes) {
  for (size_t i = 0; i < bytes.size();) {
    uint8_t first = uint8_t(bytes[i]);
    size_t length = utf8_length(first);
    if (length == 0 || bytes.size() - i < length) return false;
    for (size_t k = 1; k < length; ++k)
      if ((uint8_t(bytes[i + k]) & 0xc0) != 0x80) return false;
    if (length > 1 && !utf8_second_fits(first, uint8_t(bytes[i + 1]))) return false;
    i += length;
  }
  return true;
}

std::string printable(std::string_view bytes, size_t limit) {
  std::string text;
  for (char byte : bytes.substr(0, limit)) {
    if (byte == '"' || byte == '\\') {
      text += '\\';
      text += byte;
    } else if (byte >= 0x20 && byte < 0x7f) {
      text += byte;
    } else {
      text += "\\x";
      text += kUpperHexDigits[uint8_t(byte) >> 4];
      text += kUpperHexDigits[uint8_t(byte) & 15];
    }
  }
  if (bytes.size() > limit) text += "...";
  return text;
}

}  // namespace pegmove::base
