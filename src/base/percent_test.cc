#include "base/percent.h"

#include <gtest/gtest.h>

namespace pegmove::base {
namespace {

TEST(PercentEncode, EncodesWhatUrlsDoNotTake) {
  EXPECT_EQ(percent_encode("a b/c+%\xC3\xA9"), "a%20b%2Fc%2B%25%C3%A9");
  EXPECT_EQ(percent_encode("azAZ09-_.~"), "azAZ09-_.~");
  EXPECT_EQ(percent_encode("a/b", true), "a/b");
}

TEST(PercentDecode, ReadsBothCasesAndLeavesTheRest) {
  EXPECT_EQ(percent_decode("a%20b%2f%2F+%C3%a9").value(), "a b//+\xC3\xA9");
  EXPECT_EQ(percent_decode("%41").value(), "A");
  EXPECT_EQ(percent_decode("").value(), "");
  std::string all;
  for (int c = 0; c < 256; ++c) all += char(c);
  EXPECT_EQ(percent_decode(percent_encode(all)).value(), all);
}

TEST(PercentDecode, RefusesAnEscapeThatIsNone) {
  for (const char* text : {"%", "%4", "a%4", "%zz", "%4z", "% 4"}) {
    const auto decoded = percent_decode(text);
    ASSERT_FALSE(decoded) << text;
    EXPECT_EQ(decoded.error().code(), Code::kInvalidArgument);
  }
}

}  // namespace
}  // namespace pegmove::base
