#include "base/units.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <limits>

namespace pegmove::base {
namespace {

struct Unit {
  std::string_view name;
  uint64_t factor;
};
constexpr std::array kDurationUnits{Unit{"ms", 1}, Unit{"s", 1000}, Unit{"m", 60'000},
                                    Unit{"h", 3'600'000}, Unit{"", 1000}};
constexpr std::array kSizeUnits{Unit{"", 1},
                                Unit{"B", 1},
                                Unit{"KiB", 1ull << 10},
                                Unit{"MiB", 1ull << 20},
                                Unit{"GiB", 1ull << 30},
                                Unit{"KB", 1'000},
                                Unit{"MB", 1'000'000},
                                Unit{"GB", 1'000'000'000}};

template <typename Units>
Result<uint64_t> parse_with_unit(std::string_view text, const Units& units, const char* example) {
  uint64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view rest(end, size_t(text.data() + text.size() - end));
  if (error == std::errc())
    for (const Unit& unit : units) {
      if (unit.name != rest) continue;
      if (number > uint64_t(std::numeric_limits<int64_t>::max()) / unit.factor) break;
      return number * unit.factor;
    }
  return fail(Code::kInvalidArgument,
              fmt::format("'{}' is not understood; write it like {}", text, example));
}

std::string format(const char* pattern, double value) {
  char text[32];
  std::snprintf(text, sizeof text, pattern, value);
  return text;
}

}  // namespace

Result<int64_t> parse_integer(std::string_view text, int64_t least, int64_t most) {
  int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < least || number > most)
    return fail(Code::kInvalidArgument,
                fmt::format("'{}' is not a whole number from {} to {}", text, least, most));
  return number;
}

std::optional<int64_t> parse_c_integer(std::string_view text) {
  std::string copy(text);  // strtoll needs a terminating zero
  errno = 0;
  char* end = nullptr;
  auto number = std::strtoll(copy.c_str(), &end, 0);
  if (errno != 0 || end == copy.c_str() || end != copy.c_str() + copy.size()) return std::nullopt;
  return number;
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  return std::chrono::milliseconds(TRY(parse_with_unit(text, kDurationUnits, "500ms, 5s or 10m")));
}

Result<uint64_t> parse_size(std::string_view text) {
  return parse_with_unit(text, kSizeUnits, "64KiB, 64MiB or 1GiB");
}

std::string format_size(uint64_t bytes) {
  static constexpr const char* kNames[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = double(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kNames)) value /= 1024, ++unit;
  return format(unit == 0 ? "%.0f " : "%.1f ", value) + kNames[unit];
}

std::string format_count(uint64_t count) {
  std::string digits = std::to_string(count);
  for (size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, ",");
  return digits;
}

std::string format_duration(std::chrono::milliseconds length) {
  auto ms = length.count();
  if (ms < 1000) return std::to_string(ms) + " ms";
  if (ms < 60'000) return format("%.1f s", double(ms) / 1000);
  auto seconds = (ms + 500) / 1000;
  char text[48];
  if (seconds < 3600)
    std::snprintf(text, sizeof text, "%lld m %02lld s", (long long)(seconds / 60),
                  (long long)(seconds % 60));
  else
    std::snprintf(text, sizeof text, "%lld h %02lld m", (long long)(seconds / 3600),
                  (long long)(seconds / 60 % 60));
  return text;
}

}  // namespace pegmove::base
