#include "base/units.h"

#include <gtest/gtest.h>

namespace pegmove::base {
namespace {

using std::chrono::milliseconds;

TEST(Units, ReadsNumbersWithinBoundsOnly) {
  EXPECT_EQ(parse_integer("42", 0, 100), 42);
  EXPECT_EQ(parse_integer("-1", -1, 100), -1);
  for (const char* text : {"", "x", "4x", "101", "-1", "99999999999999999999", " 4"})
    EXPECT_FALSE(parse_integer(text, 0, 100)) << text;
}

TEST(Units, ReadsDurations) {
  EXPECT_EQ(parse_duration("500ms"), milliseconds(500));
  EXPECT_EQ(parse_duration("5s"), milliseconds(5000));
  EXPECT_EQ(parse_duration("5"), milliseconds(5000));
  EXPECT_EQ(parse_duration("2h"), milliseconds(7'200'000));
  for (const char* text : {"", "s", "5d", "-5s", "99999999999999999h"})
    EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(Units, ReadsSizes) {
  EXPECT_EQ(parse_size("64KiB"), 65536u);
  EXPECT_EQ(parse_size("1GB"), 1'000'000'000u);
  EXPECT_FALSE(parse_size("1XB"));
}

TEST(Units, WritesForPeople) {
  EXPECT_EQ(format_size(1536), "1.5 KiB");
  EXPECT_EQ(format_size(12), "12 B");
  EXPECT_EQ(format_count(1234567), "1,234,567");
  EXPECT_EQ(format_count(12), "12");
  EXPECT_EQ(format_duration(milliseconds(850)), "850 ms");
  EXPECT_EQ(format_duration(milliseconds(12'300)), "12.3 s");
  EXPECT_EQ(format_duration(milliseconds(245'000)), "4 m 05 s");
}

TEST(ParseCInteger, ReadsAsStrtollDoes) {
  EXPECT_EQ(parse_c_integer("  -12"), -12);
  EXPECT_EQ(parse_c_integer("+7"), 7);
  EXPECT_EQ(parse_c_integer("0x1f"), 31);
  EXPECT_EQ(parse_c_integer("010"), 8);
  EXPECT_EQ(parse_c_integer("-9223372036854775808"), INT64_MIN);
  for (auto text : {"", " ", "-", "0x", "1 ", "1.5", "9223372036854775808", "one"})
    EXPECT_EQ(parse_c_integer(text), std::nullopt) << text;
  EXPECT_EQ(parse_c_integer(std::string_view("1\0", 2)), std::nullopt);
}

}  // namespace
}  // namespace pegmove::base
