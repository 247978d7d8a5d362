#include "geo/geo_key.h"

#include <s2/s2cell_id.h>
#include <s2/s2latlng.h>

#include <cerrno>
#include <cmath>
#include <cstdlib>

namespace pegmove::geo {
namespace {

constexpr int kLevels = 30;
constexpr size_t kFaceSize = 2;  // "2/"

// The field of this index. nullopt when there are fewer.
std::optional<std::string_view> field_of(std::string_view value, int index) {
  for (; index > 0; --index) {
    auto bar = value.find('|');
    if (bar == std::string_view::npos) return std::nullopt;
    value.remove_prefix(bar + 1);
  }
  return value.substr(0, value.find('|'));
}

// A number as strtod() reads it, like the geo client: both accept the same points.
std::optional<double> parse_degrees(std::string_view field) {
  std::string text(field);
  if (text.empty()) return std::nullopt;
  errno = 0;
  char* end = nullptr;
  double number = std::strtod(text.c_str(), &end);
  if (end != text.c_str() + text.size() || errno != 0 || !std::isfinite(number))
    return std::nullopt;
  return number;
}

size_t rest_size(const Layout& layout) { return size_t(kLevels - layout.min_level); }

}  // namespace

Result<void> check_layout(const Layout& layout) {
  if (layout.min_level < 0 || layout.min_level >= kLevels)
    return fail(Code::kInvalidArgument, "the level of geo hash keys must be within 0 and 29, not " +
                                            std::to_string(layout.min_level));
  if (layout.latitude_index < 0 || layout.longitude_index < 0)
    return fail(Code::kInvalidArgument, "indexes of latitude and longitude begin at 0");
  if (layout.latitude_index == layout.longitude_index)
    return fail(Code::kInvalidArgument, "latitude and longitude cannot both be in field " +
                                            std::to_string(layout.latitude_index));
  return {};
}

std::optional<Point> point_of(const Layout& layout, std::string_view value) {
  auto latitude = field_of(value, layout.latitude_index);
  auto longitude = field_of(value, layout.longitude_index);
  if (!latitude || !longitude) return std::nullopt;
  auto north = parse_degrees(*latitude), east = parse_degrees(*longitude);
  if (!north || !east) return std::nullopt;
  if (!S2LatLng::FromDegrees(*north, *east).is_valid()) return std::nullopt;
  return Point{*north, *east};
}

std::string cell_text(Point point) {
  return S2CellId(S2LatLng::FromDegrees(point.latitude, point.longitude)).ToString();
}

std::optional<GeoKey> geo_key(const Layout& layout, std::string_view raw_key,
                              std::string_view value) {
  auto point = point_of(layout, value);
  if (!point) return std::nullopt;
  auto cell = cell_text(*point);
  auto cut = kFaceSize + size_t(layout.min_level);
  GeoKey key{cell.substr(0, cut), cell.substr(cut) + ":"};
  key.sort_key += raw_key;
  return key;
}

std::optional<std::string_view> common_raw_key(const Layout& layout, std::string_view sort_key) {
  auto digits = rest_size(layout);
  if (sort_key.size() <= digits || sort_key[digits] != ':') return std::nullopt;
  if (sort_key.substr(0, digits).find_first_not_of("0123") != std::string_view::npos)
    return std::nullopt;
  return sort_key.substr(digits + 1);
}

}  // namespace pegmove::geo
