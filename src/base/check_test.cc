#include "base/check.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "base/result.h"

namespace pegmove::base {
namespace {

TEST(Check, WhatHoldsPasses) {
  check(true, "it holds");
  const std::optional<int> number = 7;
  EXPECT_EQ(checked(number, "there is a number"), 7);
  const std::string text = "a";
  EXPECT_EQ(&checked(&text, "there is a text"), &text);
  EXPECT_EQ(checked(Result<std::string>("b"), "it is good"), "b");
}

TEST(Check, AValueIsMovedOutOfWhatIsGivenUp) {
  auto number = checked(std::optional(std::make_unique<int>(3)), "there is a number");
  EXPECT_EQ(*number, 3);
}

TEST(CheckDeathTest, WhatDoesNotHoldEndsTheProcessAndNamesThePlace) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(check(1 + 1 == 3, "numbers add up"),
               "this must always hold: numbers add up \\(.*check_test.cc:[0-9]+\\)");
}

TEST(CheckDeathTest, AnEmptyHolderEndsTheProcessAtTheCallersLine) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const std::optional<int> none;
  EXPECT_DEATH(checked(none, "there is a number"),
               "there is a number \\(.*check_test.cc:[0-9]+\\)");
  const Result<int> failed = fail(Code::kIo, "no");
  EXPECT_DEATH(checked(failed, "it is good"), "it is good");
}

}  // namespace
}  // namespace pegmove::base
