// Explicit invariants: what must hold for any input, checked in every build. A check that fails is
// a defect of this program. What may fail for another reason is an Error (base/result.h).
#pragma once

#include <source_location>
#include <string_view>
#include <utility>

namespace pegmove::base {

// Prints the text, the file and the line to stderr and aborts: for a check whose text is only made
// when it fails.
[[noreturn]] void fail_check(std::string_view text,
                             const std::source_location& where = std::source_location::current());

// `text` says what must hold: "a stored key has two parts". Ends the process when it does not.
inline void check(bool condition, std::string_view text,
                  const std::source_location& where = std::source_location::current()) {
  if (!condition) [[unlikely]]
    fail_check(text, where);
}

// The value of an optional, a Result or a pointer that is never empty.
template <typename Holder>
decltype(auto) checked(Holder&& holder, std::string_view text,
                       const std::source_location& where = std::source_location::current()) {
  check(bool(holder), text, where);
  return *std::forward<Holder>(holder);
}

}  // namespace pegmove::base
