// How the values in the family `pegasus_meta_cf` that are ours have several numbers.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "base/units.h"

namespace pegmove::store {

inline constexpr int64_t kMost32 = std::numeric_limits<int32_t>::max();
inline constexpr int64_t kMost64 = std::numeric_limits<int64_t>::max();

// Decimal numbers from 0, with one separator between them, each at most as large as said; nothing
// when the text is anything else.
template <size_t kCount>
std::optional<std::array<int64_t, kCount>> numbers_in(std::string_view text, char separator,
                                                      const std::array<int64_t, kCount>& most) {
  std::array<int64_t, kCount> numbers{};
  for (size_t i = 0; i < numbers.size(); ++i) {
    const size_t end = i + 1 < numbers.size() ? text.find(separator) : text.size();
    if (end == std::string_view::npos) return std::nullopt;
    const auto number = base::parse_integer(text.substr(0, end), 0, most[i]);
    if (!number) return std::nullopt;
    numbers[i] = *number;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return numbers;
}

}  // namespace pegmove::store
