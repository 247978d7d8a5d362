#include "server/replica/checks.h"
#include "data_types.h"

#include <gtest/gtest.h>

namespace pegmove::server::replica {
namespace {

using enum CheckResult;
constexpr auto kAbsent = std::nullopt;

TEST(Check, KnowsTheTypesOfPegasus) {
  EXPECT_TRUE(is_check_type(wire::CT_NO_CHECK));
  EXPECT_TRUE(is_check_type(wire::CT_VALUE_INT_GREATER));
  EXPECT_FALSE(is_check_type(-1));
  EXPECT_FALSE(is_check_type(18));
}

TEST(Check, OfExistence) {
  EXPECT_EQ(check(wire::CT_NO_CHECK, "", kAbsent), kPassed);
  EXPECT_EQ(check(wire::CT_VALUE_NOT_EXIST, "", kAbsent), kPassed);
  EXPECT_EQ(check(wire::CT_VALUE_NOT_EXIST, "", ""), kNotPassed);
  EXPECT_EQ(check(wire::CT_VALUE_NOT_EXIST_OR_EMPTY, "", kAbsent), kPassed);
  EXPECT_EQ(check(wire::CT_VALUE_NOT_EXIST_OR_EMPTY, "", ""), kPassed);
  EXPECT_EQ(check(wire::CT_VALUE_NOT_EXIST_OR_EMPTY, "", "v"), kNotPassed);
  EXPECT_EQ(check(wire::CT_VALUE_EXIST, "", ""), kPassed);
  EXPECT_EQ(check(wire::CT_VALUE_NOT_EMPTY, "", ""), kNotPassed);
  EXPECT_EQ(check(wire::CT_VALUE_NOT_EMPTY, "", "v"), kPassed);
  for (int type = wire::CT_VALUE_EXIST; type <= wire::CT_VALUE_INT_GREATER; ++type)
    EXPECT_EQ(check(wire::cas_check_type(type), "1", kAbsent), kNotPassed) << type;
}

TEST(Check, OfMatches) {
  EXPECT_EQ(check(wire::CT_VALUE_MATCH_ANYWHERE, "bc", "abcd"), kPassed);
  EXPECT_EQ(check(wire::CT_VALUE_MATCH_ANYWHERE, "bd", "abcd"), kNotPassed);
  EXPECT_EQ(check(wire::CT_VALUE_MATCH_PREFIX, "ab", "abcd"), kPassed);
  EXPECT_EQ(check(wire::CT_VALUE_MATCH_PREFIX, "bc", "abcd"), kNotPassed);
  EXPECT_EQ(check(wire::CT_VALUE_MATCH_POSTFIX, "cd", "abcd"), kPassed);
  EXPECT_EQ(check(wire::CT_VALUE_MATCH_POSTFIX, "abcde", "abcd"), kNotPassed);
  EXPECT_EQ(check(wire::CT_VALUE_MATCH_ANYWHERE, "", ""), kPassed);
}

// The five comparisons in the order of their types, each as passed or not.
std::string comparisons(wire::cas_check_type first, std::string_view value,
                        std::string_view operand) {
  std::string passed;
  for (int i = 0; i < 5; ++i)
    passed += check(wire::cas_check_type(first + i), operand, value) == kPassed ? '1' : '0';
  return passed;
}

TEST(Check, OfBytesComparesUnsignedAndByLength) {
  EXPECT_EQ(comparisons(wire::CT_VALUE_BYTES_LESS, "a", "b"), "11000");
  EXPECT_EQ(comparisons(wire::CT_VALUE_BYTES_LESS, "b", "b"), "01110");
  EXPECT_EQ(comparisons(wire::CT_VALUE_BYTES_LESS, "ba", "b"), "00011");
  EXPECT_EQ(comparisons(wire::CT_VALUE_BYTES_LESS, "\xff", "b"), "00011");
  EXPECT_EQ(comparisons(wire::CT_VALUE_BYTES_LESS, "", "b"), "11000");
}

TEST(Check, OfNumbersComparesThemAsNumbers) {
  EXPECT_EQ(comparisons(wire::CT_VALUE_INT_LESS, "9", "10"), "11000");
  EXPECT_EQ(comparisons(wire::CT_VALUE_INT_LESS, "0x0A", "10"), "01110");
  EXPECT_EQ(comparisons(wire::CT_VALUE_INT_LESS, "-1", "-2"), "00011");
}

TEST(Check, OfNumbersIsInvalidWithoutNumbers) {
  for (int type = wire::CT_VALUE_INT_LESS; type <= wire::CT_VALUE_INT_GREATER; ++type) {
    EXPECT_EQ(check(wire::cas_check_type(type), "1", ""), kInvalid);
    EXPECT_EQ(check(wire::cas_check_type(type), "1", "1x"), kInvalid);
    EXPECT_EQ(check(wire::cas_check_type(type), "", "1"), kInvalid);
    EXPECT_EQ(check(wire::cas_check_type(type), "9223372036854775808", "1"), kInvalid);
  }
}

}  // namespace
}  // namespace pegmove::server::replica
