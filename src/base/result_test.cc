#include "base/result.h"

#include <gtest/gtest.h>

namespace pegmove::base {
namespace {

Result<int> half(int number) {
  if (number % 2 != 0) return fail(Code::kInvalidArgument, std::to_string(number) + " is odd");
  return number / 2;
}
Result<int> quarter(int number) { return TRY(half(TRY(half(number)))); }

TEST(Result, TryPassesValuesOnAndLeavesWithTheFirstError) {
  EXPECT_EQ(quarter(8), 2);
  EXPECT_EQ(quarter(6).error().message(), "3 is odd");
}

TEST(Error, ContextReadsFromTheOutermostInwards) {
  auto result = in_context(in_context(quarter(6), "reading block 2"), "opening table t");
  EXPECT_EQ(result.error().to_string(), "opening table t: reading block 2: 3 is odd");
  EXPECT_EQ(result.error().code(), Code::kInvalidArgument);
}

TEST(Error, KeepsTheNumberOfTheWire) {
  auto error = Error(Code::kBusy, "ERR_BUSY").with_wire_code(7);
  EXPECT_EQ(error.wire_code(), 7);
}

}  // namespace
}  // namespace pegmove::base
