// The rows of a geo table, by which Pegasus's geo client finds rows near a point.
//
// The table that an application uses (the common table) is accompanied by a geo table with one row
// for each of its rows whose value has a latitude and a longitude:
//
//   hash key = the first digits of the point's S2 cell: "1/223320022311" at level 12
//   sort key = the other digits of the cell, ":" and the raw key of the common row (record/key.h)
//   value    = that of the common row
//
// The value is text with fields between "|", and two of them are decimal degrees.
// Pegasus: src/geo/lib/geo_client.cpp, src/geo/lib/latlng_codec.cpp.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pegmove::geo {

// How a pair of tables is laid out. All clients of it must agree; the defaults are those of the
// geo client's configuration ([geo_client.lib]).
struct Layout {
  int min_level = 12;      // of the cells that are hash keys
  int latitude_index = 5;  // which field of the value, from 0
  int longitude_index = 4;

  bool operator==(const Layout&) const = default;
};

// Errors: kInvalidArgument when the level is not within 0 to 29, when an index is negative, or when
// both are one.
Result<void> check_layout(const Layout& layout);

struct Point {
  double latitude;   // degrees, -90 to 90
  double longitude;  // degrees, -180 to 180
};

// The point of a value. nullopt when the value lacks a field, a field is not a number, or there is
// no such point on earth.
std::optional<Point> point_of(const Layout& layout, std::string_view value);

// The leaf cell of S2 that contains the point, as its face and the 30 digits of its place in the
// face's quadtree: "2/033100321132223022222101112130".
std::string cell_text(Point point);

struct GeoKey {
  std::string hash_key;
  std::string sort_key;

  bool operator==(const GeoKey&) const = default;
};

// The key of a common row's geo row. nullopt: it has none, since its value has no point.
std::optional<GeoKey> geo_key(const Layout& layout, std::string_view raw_key,
                              std::string_view value);

// The raw key of the common row to which the geo row of this sort key belongs, a view of it.
// nullopt when this is not a sort key of a geo table.
std::optional<std::string_view> common_raw_key(const Layout& layout, std::string_view sort_key);

}  // namespace pegmove::geo
