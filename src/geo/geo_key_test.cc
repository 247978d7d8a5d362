#include "geo/geo_key.h"

#include <gtest/gtest.h>

namespace pegmove::geo {
namespace {

using namespace std::string_literals;

std::string value_at(const std::string& latitude, const std::string& longitude) {
  return "a|b|c|d|" + longitude + "|" + latitude + "|g";
}

struct PointAndCell {
  double latitude, longitude;
  const char* cell;
};

// Computed in Python from the definition of S2 (quadratic projection of the cube's faces, Hilbert
// curve), without its library. All six faces are covered.
constexpr PointAndCell kPoints[] = {
    {49.703498679, 11.770681595, "2/033100321132223022222101112130"},
    {55.685376759, 12.588490937, "2/030221022120301123013133001330"},
    {-30.694551352, -30.048758753, "0/002011000312001110221012132232"},
    {40.0039, 116.3222, "1/223320022311000122033012212321"},
    {-75.000000031, 0.000000133, "5/201032333330100111033000103300"},
    {39.9042, 116.4074, "1/223320022111303230203300012020"},
    {-33.8688, 151.2093, "3/112021111301333323011020000222"},
    {37.7749, -122.4194, "4/001002300010331013101230120300"},
    {89.99, 45.5, "2/022222222222200222211101220110"},
};

TEST(GeoKey, PointsLieInTheCellsOfS2) {
  for (const auto& point : kPoints)
    EXPECT_EQ(cell_text({point.latitude, point.longitude}), point.cell)
        << point.latitude << ", " << point.longitude;
}

TEST(GeoKey, TheCellIsCutBehindTheLevelAndTheRawKeyFollows) {
  auto key = geo_key({}, "\0\2h1s1"s, value_at("40.0039", "116.3222"));
  ASSERT_TRUE(key);
  EXPECT_EQ(key->hash_key, "1/223320022311");
  EXPECT_EQ(key->sort_key, "000122033012212321:\0\2h1s1"s);
}

TEST(GeoKey, OtherLevelsAndFieldsCanBeAgreedOn) {
  auto key = geo_key({.min_level = 5, .latitude_index = 0, .longitude_index = 1}, "\0\0"s,
                     "40.0039|116.3222");
  ASSERT_TRUE(key);
  EXPECT_EQ(key->hash_key, "1/22332");
  EXPECT_EQ(key->sort_key, "0022311000122033012212321:\0\0"s);
}

TEST(GeoKey, TheSortKeyTellsWhichRowItBelongsTo) {
  auto raw = "\0\1::|\xff"s;
  auto key = geo_key({}, raw, value_at("-33.8688", "151.2093"));
  ASSERT_TRUE(key);
  EXPECT_EQ(common_raw_key({}, key->sort_key), raw);
  EXPECT_FALSE(common_raw_key({}, key->sort_key.substr(0, 18)));
  EXPECT_FALSE(common_raw_key({}, "000122033012212324:x"));
  EXPECT_FALSE(common_raw_key({}, "000122033012212321/x"));
  EXPECT_FALSE(common_raw_key({}, ""));
}

TEST(PointOf, ReadsTheTwoFields) {
  auto point = point_of({}, value_at("-12.5", "1e2"));
  ASSERT_TRUE(point);
  EXPECT_EQ(point->latitude, -12.5);
  EXPECT_EQ(point->longitude, 100);
  EXPECT_TRUE(point_of({}, "||||-180|90")) << "the last field ends with the value";
  EXPECT_TRUE(point_of({}, value_at(" 5", "0x10"))) << "as strtod reads it";
}

TEST(PointOf, WhatIsNoPointIsNone) {
  for (const auto& value :
       {""s, "a|b|c|d"s, "a|b|c|d|1"s, value_at("", "1"), value_at("1", ""), value_at("1x", "1"),
        value_at("1 ", "1"), value_at("nan", "1"), value_at("inf", "1"), value_at("1e999", "1"),
        value_at("1e-999", "1"), value_at("90.001", "1"), value_at("1", "180.001"),
        value_at("1\0"s, "1")})
    EXPECT_FALSE(point_of({}, value)) << value;
}

TEST(CheckLayout, RefusesWhatCannotBe) {
  EXPECT_TRUE(check_layout({}));
  EXPECT_TRUE(check_layout({.min_level = 0}));
  EXPECT_FALSE(check_layout({.min_level = 30}));
  EXPECT_FALSE(check_layout({.min_level = -1}));
  EXPECT_FALSE(check_layout({.latitude_index = -1}));
  EXPECT_FALSE(check_layout({.latitude_index = 4}));
}

}  // namespace
}  // namespace pegmove::geo
