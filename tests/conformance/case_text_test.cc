#include "case_text.h"

#include <gtest/gtest.h>

namespace pegmove::conformance {
namespace {

Result<Step> step(const std::string& line) {
  auto cases = TRY(parse_cases("f", "case c\n  " + line + "\n"));
  return cases.at(0).steps.at(0);
}

Value value(const std::string& text) {
  return step("put v=" + text).value().arguments.at(0).second;
}

TEST(CaseTextTest, ReadsCasesStepsAndMarkers) {
  auto cases = parse_cases("f",
                           "# nothing\n"
                           "case first (one partition: a bb)\n"
                           "  put key=h:s value=v\n"
                           "\n"
                           "  get key=h:s no_value \\\n"
                           "    -> 7 value=v\n"
                           "case second (embedded only)\n"
                           "case third (default limits)\n");
  ASSERT_TRUE(cases) << cases.error().to_string();
  ASSERT_EQ(cases->size(), 3u);
  const auto& first = cases->at(0);
  EXPECT_EQ(first.name, "first");
  EXPECT_EQ(first.one_partition, (std::vector<std::string>{"a", "bb"}));
  ASSERT_EQ(first.steps.size(), 2u);
  EXPECT_EQ(first.steps[0].status, "0");
  EXPECT_EQ(first.steps[1].place, "f:6");
  EXPECT_EQ(first.steps[1].status, "7");
  EXPECT_EQ(find(first.steps[1].arguments, "no_value")->text, "true");
  EXPECT_EQ(find(first.steps[1].expected, "value")->text, "v");
  EXPECT_TRUE(cases->at(1).embedded_only);
  EXPECT_TRUE(cases->at(2).default_limits);
}

TEST(CaseTextTest, ReadsBytes) {
  EXPECT_EQ(value("v").text, "v");
  EXPECT_EQ(value(R"("")").text, "");
  EXPECT_EQ(value(R"("a\x00\xff\n\t\"\\b")").text, std::string("a\0\xff\n\t\"\\b", 8));
  EXPECT_EQ(value(R"("ab"*3)").text, "ababab");
  EXPECT_EQ(value(R"("a"*2+"b")").text, "aab");
  EXPECT_EQ(value("-1").text, "-1");
}

TEST(CaseTextTest, ReadsTuplesAndLists) {
  EXPECT_EQ(value(R"(h:"")"), Value::tuple({Value::of("h"), Value::of("")}));
  EXPECT_EQ(value("[]"), Value::list({}));
  EXPECT_EQ(value("[a, b:1]"),
            Value::list({Value::of("a"), Value::tuple({Value::of("b"), Value::of("1")})}));
  auto numbered = value("[x, k{8..10}:v]");
  ASSERT_EQ(numbered.items.size(), 4u);
  EXPECT_EQ(numbered.items[1].items[0].text, "k08");
  EXPECT_EQ(numbered.items[3].items[0].text, "k10");
}

TEST(CaseTextTest, NamesThePlaceOfWhatIsWrong) {
  for (const char* text :
       {"  put\n", "case\n", "case c (no such)\n", "case c\n  put v=\n", "case c\n  put v=\"a\n",
        "case c\n  put v=\"\\x0\"\n", "case c\n  put v=\"\\q\"\n", "case c\n  put v=[a\n",
        "case c\n  put v=[k{1..}]\n", "case c\n  put ->\n", "case c\n  put v=a )\n",
        "case c\n  put v=\"a\"*999999999\n"}) {
    auto cases = parse_cases("f", text);
    ASSERT_FALSE(cases) << text;
    EXPECT_TRUE(cases.error().to_string().contains("f:")) << cases.error().to_string();
  }
}

}  // namespace
}  // namespace pegmove::conformance
