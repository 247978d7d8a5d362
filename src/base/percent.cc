#include "base/percent.h"

#include <fmt/format.h>

#include "base/bytes.h"

namespace pegmove::base {
namespace {

// Of ASCII, independent of the locale.
bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-_.~").contains(c);
}

}  // namespace

std::string percent_encode(std::string_view text, bool keep_slashes) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    if (is_plain(c) || (keep_slashes && c == '/')) {
      encoded += c;
    } else {
      encoded += '%';
      encoded += kDigits[uint8_t(c) >> 4];
      encoded += kDigits[uint8_t(c) & 15];
    }
  }
  return encoded;
}

Result<std::string> percent_decode(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    if (i + 2 >= text.size())
      return fail(Code::kInvalidArgument, "Encountered partial escape sequence at end of string");
    const auto pair = text.substr(i + 1, 2);
    const auto byte = from_hex(pair);
    if (!byte)
      return fail(Code::kInvalidArgument, fmt::format("The characters {} do not form a hex value. "
                                                      "Please escape it or pass a valid hex value",
                                                      pair));
    decoded += *byte;
    i += 2;
  }
  return decoded;
}

}  // namespace pegmove::base
