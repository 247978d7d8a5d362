// Invariants in the open: what must hold whatever comes from outside, checked in every build. A
// check that fails is a defect of this program. What may fail for another reason is an Error
// (base/result.h).
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

// What an optional, a Result or a pointer holds that always holds something.
template <typename Holder>
decltype(auto) checked(Holder&& holder, std::string_view text,
                       const std::source_location& where = std::source_location::current()) {
  check(bool(holder), text, where);
  return *std::forward<Holder>(holder);
}

}  // namespace pegmove::base
