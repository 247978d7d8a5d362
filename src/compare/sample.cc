#include "compare/sample.h"

#define XXH_INLINE_ALL
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/bytes.h"

namespace pegmove::compare {
namespace {

constexpr int64_t kFirstSliceRows = 16;
constexpr int64_t kMostSliceRows = 512;
constexpr int64_t kSlicesOfASize = 8;

std::optional<double> parse_number(std::string_view text) {
  double number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number))
    return std::nullopt;
  return number;
}

}  // namespace

Result<double> parse_share(std::string_view text) {
  auto slash = text.find('/');
  auto above = parse_number(text.substr(0, slash));
  auto below =
      slash == std::string_view::npos ? std::optional(1.0) : parse_number(text.substr(slash + 1));
  if (above && below && *above > 0 && *below >= *above && *above / *below >= 1e-9)
    return *above / *below;
  return fail(
      Code::kInvalidArgument,
      fmt::format("\"{}\" is not a share of the rows: write it like 1/64 or 0.05, at most 1",
                  base::printable(text)));
}

double LearnedKeys::Place::rank(uint8_t byte) const {
  double rank = 0;
  for (int other = 0; other < byte; ++other) rank += bytes[size_t(other)];
  return rank;
}

int LearnedKeys::Place::nth(int rank) const {
  for (int byte = 0; byte < 256; ++byte)
    if (bytes[size_t(byte)] && rank-- == 0) return byte;
  return greatest();
}

int LearnedKeys::Place::greatest() const {
  for (int byte = 255; byte >= 0; --byte)
    if (bytes[size_t(byte)]) return byte;
  return -1;
}

void LearnedKeys::learn(std::string_view key) {
  auto size = std::min(key.size(), kPlaces);
  if (places_.size() < size) places_.resize(size);
  for (size_t i = 0; i < size; ++i) {
    auto byte = size_t(uint8_t(key[i]));
    if (places_[i].bytes[byte]) continue;
    if (int(byte) > places_[i].greatest()) places_[i].saturated = false;
    places_[i].bytes.set(byte);
  }
}

void LearnedKeys::saturate(size_t place) {
  if (place < places_.size()) places_[place].saturated = true;
}

// The position of the key among all keys with the same first `place` bytes: from 0 to below 1.
double LearnedKeys::fraction(std::string_view key, size_t place) const {
  double fraction = 0, unit = 1;
  for (; place < std::min(key.size(), places_.size()) && unit > 1e-15; ++place) {
    unit /= places_[place].radix();
    fraction += unit * places_[place].rank(uint8_t(key[place]));
  }
  return fraction;
}

// The bytes after the prefix at this fraction, as many as the resolution needs.
std::string LearnedKeys::spell(std::string prefix, double fraction, double resolution) const {
  for (double unit = 1; prefix.size() < places_.size() && unit > resolution;) {
    const auto& place = places_[prefix.size()];
    unit /= place.radix();
    auto scaled = fraction * place.radix();
    auto digit = std::clamp(std::floor(scaled), 0.0, place.radix() - 1);
    fraction = std::clamp(scaled - digit, 0.0, 1.0);
    prefix.push_back(char(place.nth(int(digit))));
  }
  return prefix;
}

std::optional<LearnedKeys::Density> LearnedKeys::measure(const Stretch& stretch) const {
  const auto limit = std::min({stretch.begin.size(), stretch.end.size(), places_.size()});
  size_t level = 0;
  while (level < limit && stretch.begin[level] == stretch.end[level]) ++level;
  if (level >= places_.size()) return std::nullopt;
  auto length = fraction(stretch.end, level) - fraction(stretch.begin, level);
  if (length <= 0) return std::nullopt;
  return Density{level, double(stretch.rows) / length};
}

LearnedKeys::Leap LearnedKeys::leap(const std::vector<Stretch>& stretches, std::string_view from,
                                    double rows) const {
  std::optional<Density> densest;
  double most = 0;  // rows among all keys, as a logarithm
  for (const auto& stretch : stretches) {
    auto density = measure(stretch);
    if (!density) continue;
    auto logarithm = std::log(density->rows_of_all);
    for (size_t i = 0; i < density->level; ++i) logarithm += std::log(places_[i].radix());
    if (!densest || logarithm > most) most = logarithm, densest = density;
  }
  if (!densest || densest->level >= from.size()) return {};
  auto [level, rows_of_all] = *densest;
  for (auto at = fraction(from, level);; --level) {
    auto to = at + rows / rows_of_all;
    std::string prefix(from.substr(0, level));
    if (to < 1) return {.to = spell(std::move(prefix), to, 1 / rows_of_all), .rows = rows};
    const auto& place = places_[level];
    auto left = std::max(0.0, (1 - at) * rows_of_all);
    if (!place.saturated && place.greatest() < 255)
      return {.to = prefix + char(place.greatest() + 1),
              .rows = left,
              .place = level,
              .prefix = prefix};
    if (level == 0) return {.to = "\xff\xff", .rows = left};
    // Later keys have a greater byte one place before.
    auto radix = places_[level - 1].radix();
    at = (places_[level - 1].rank(uint8_t(from[level - 1])) + at) / radix;
    rows_of_all *= radix;
  }
}

int64_t SlicePlan::slice_rows() const {
  auto doublings = std::min<int64_t>(number_ / kSlicesOfASize, 10);
  return std::min(kFirstSliceRows << doublings, kMostSliceRows);
}

double SlicePlan::next_leap_rows(int64_t rows_compared) {
  uint64_t of[2] = {uint64_t(class_number_), uint64_t(number_++)};
  auto random = double(XXH3_64bits_withSeed(of, sizeof of, options_.seed) >> 11) / 0x1p53;
  auto mean = double(rows_compared) * (1 - options_.share) / options_.share;
  return mean * (0.5 + random);
}

}  // namespace pegmove::compare
