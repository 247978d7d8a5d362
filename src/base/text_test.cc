#include "base/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/ini.h"

namespace pegmove::base {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;

TEST(Text, PartsAreTrimmedAndEmptyOnesLeftOut) {
  EXPECT_THAT(split("a, b ,,\tc d\r,", ','), ElementsAre("a", "b", "c d"));
  EXPECT_THAT(split(" , ", ','), IsEmpty());
  EXPECT_EQ(trim(" \t\r"), "");
}

TEST(Text, FieldsAreTrimmedAndEmptyOnesMayBeKept) {
  EXPECT_THAT(split_fields(" a *b\n** c", '*', true), ElementsAre("a", "b", "", "c"));
  EXPECT_THAT(split_fields(" a *b\n** c", '*', false), ElementsAre("a", "b", "c"));
  EXPECT_THAT(split_fields("", '*', true), ElementsAre(""));
  EXPECT_THAT(split_fields("", '*', false), IsEmpty());
}

TEST(Text, PointsInTime) {
  EXPECT_EQ(utc_date_time(1'742'888'751'127), "2025-03-25 07:45:51");
  EXPECT_EQ(utc_date_time(0), "-");
}

TEST(Ini, SectionsNamesAndComments) {
  constexpr std::string_view kText =
      "\xef\xbb\xbf# first\n[a]\n  x = 1 ; one\n; y = 2\nx=3 #4\r\n[ b ]\nkey = p#q=r\n[c]";
  const auto with = parse_ini(kText, {.comments_behind_values = true});
  ASSERT_TRUE(with);
  EXPECT_THAT(*with,
              ElementsAre(Pair("a", ElementsAre(Pair("x", "3"))),
                          Pair("b", ElementsAre(Pair("key", "p#q=r"))), Pair("c", IsEmpty())));
  const auto without = parse_ini(kText, {});
  ASSERT_TRUE(without);
  EXPECT_EQ(without->at("a").at("x"), "3 #4");
}

TEST(Ini, ALineOfNoFormIsNamedByItsNumberAndNotShown) {
  for (const auto* line : {"secret-key", "[secret-key"}) {
    const auto text = std::string("[a]\n") + line + "\nx = 1\n";
    const auto refused = parse_ini(text, {});
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message(), HasSubstr("line 2"));
    EXPECT_THAT(refused.error().message(), Not(HasSubstr("secret-key")));
    const auto skipped = parse_ini(text, {.skips_unknown_lines = true});
    ASSERT_TRUE(skipped);
    EXPECT_EQ(skipped->at("a").at("x"), "1");
  }
}

}  // namespace
}  // namespace pegmove::base
