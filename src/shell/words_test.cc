#include "shell/words.h"

#include <gtest/gtest.h>

#include <random>

namespace pegmove::shell {
namespace {

using Words = std::vector<std::string>;

Words split(std::string_view line) {
  auto words = split_words(line);
  EXPECT_TRUE(words) << line;
  return words.value_or(Words{});
}

TEST(SplitWords, SplitsAtBlanks) {
  EXPECT_EQ(split(""), Words{});
  EXPECT_EQ(split(" \t\r\n\v\f "), Words{});
  EXPECT_EQ(split("  set h\ts  v \n"), (Words{"set", "h", "s", "v"}));
}

TEST(SplitWords, KeepsVerticalBlanksInsideAWord) {
  EXPECT_EQ(split("a\vb \vc"), (Words{"a\vb", "c"}));
}

TEST(SplitWords, UnderstandsEscapesInDoubleQuotes) {
  EXPECT_EQ(split(R"("a b" "" "\x00\xfF\n\r\t\b\a\"\\\q\x4")"),
            (Words{"a b", "", std::string("\0\xff\n\r\t\b\a\"\\qx4", 12)}));
}

TEST(SplitWords, UnderstandsOnlyTheQuoteInSingleQuotes) {
  EXPECT_EQ(split(R"('a "b"' 'it\'s \n\x41' '')"), (Words{"a \"b\"", "it's \\n\\x41", ""}));
}

TEST(SplitWords, LeavesBackslashesOutsideOfQuotes) {
  EXPECT_EQ(split(R"(\x01 a\n)"), (Words{"\\x01", "a\\n"}));
}

TEST(SplitWords, QuotesMayBeginInsideAWord) {
  EXPECT_EQ(split("a\"b c\" d'e'"), (Words{"ab c", "de"}));
}

TEST(SplitWords, KeepsNulBytes) {
  std::string line("a\0b \"\0\"", 7);
  EXPECT_EQ(split(line), (Words{std::string("a\0b", 3), std::string("\0", 1)}));
}

TEST(SplitWords, RefusesMalformedQuotes) {
  for (std::string_view line : {"\"a", "'a", "\"a\"b", "'a'b", "\"a\"'b'", "\"a\\\"", "'a\\'",
                                "x \"\\", "x '\\", "'a\\\\'", "don't"}) {
    auto words = split_words(line);
    ASSERT_FALSE(words) << line;
    EXPECT_EQ(words.error().code(), Code::kInvalidArgument);
    EXPECT_EQ(words.error().message(), "Invalid argument(s)");
  }
}

TEST(CEscape, EscapesAsTheRealShell) {
  EXPECT_EQ(c_escape("a\n\r\t\"'\\~ ", false), R"(a\n\r\t\"\'\\~ )");
  EXPECT_EQ(c_escape(std::string_view("\0\x1f\x7f\xe9"
                                      "1",
                                      5),
                     false),
            R"(\x00\x1F\x7F\xE91)");
}

TEST(CEscape, EscapesEveryByteWhenAsked) {
  EXPECT_EQ(c_escape("bulk06", true), R"(\x62\x75\x6C\x6B\x30\x36)");
  EXPECT_EQ(c_escape("\n", true), R"(\x0A)");
}

TEST(CUnescape, ReversesCEscape) {
  std::mt19937 random(7);
  for (int i = 0; i < 500; ++i) {
    std::string bytes(random() % 64, '\0');
    for (char& byte : bytes) byte = char(random());
    for (bool all : {false, true}) EXPECT_EQ(c_unescape(c_escape(bytes, all)).value(), bytes);
  }
}

TEST(CUnescape, TakesHexInBothCases) {
  EXPECT_EQ(c_unescape(R"(\xaB\X4cc)").value(),
            "\xab"
            "Lc");
}

TEST(CUnescape, LeavesOtherBytes) { EXPECT_EQ(c_unescape("\xc3\xa9\x01").value(), "\xc3\xa9\x01"); }

TEST(CUnescape, RefusesUnknownEscapes) {
  for (std::string_view text : {"\\q", "a\\", "\\x", "\\x4", "\\x4g", "\\a", "\\0"}) {
    auto bytes = c_unescape(text);
    ASSERT_FALSE(bytes) << text;
    EXPECT_EQ(bytes.error().code(), Code::kInvalidArgument);
  }
  EXPECT_FALSE(c_unescape(std::string_view("\\\0", 2)));
  EXPECT_EQ(c_unescape("ab\\qc").error().message(),
            "unknown escape \"\\\\q\" at byte 2 of \"ab\\\\qc\": known are \\n \\r \\t \\\" \\' "
            "\\\\ \\xHH");
}

TEST(SplitCommands, CutsAtSemicolonsAndLineEnds) {
  EXPECT_EQ(split_commands("a; b 1 ;;c\n\n d\r\ne"), (Words{"a", "b 1", "c", "d", "e"}));
  EXPECT_EQ(split_commands(""), Words{});
  EXPECT_EQ(split_commands(" ; \n"), Words{});
}

TEST(SplitCommands, DropsAByteOrderMark) {
  EXPECT_EQ(split_commands("\xef\xbb\xbf# x\na; b"), (Words{"a", "b"}));
  EXPECT_EQ(split_commands("\xef\xbb\xbfuse t"), Words{"use t"});
}

TEST(SplitCommands, LeavesSeparatorsInQuotes) {
  EXPECT_EQ(split_commands(R"(set "a;\";b" 'c;\';d'; get "x
y")"),
            (Words{R"(set "a;\";b" 'c;\';d')", "get \"x\ny\""}));
}

TEST(SplitCommands, DropsComments) {
  EXPECT_EQ(split_commands("# don't; run\na # b\n  #c\nd; # e; f\ng"), (Words{"a # b", "d", "g"}));
  EXPECT_EQ(split_commands("#"), Words{});
}

TEST(SplitCommands, AnUnclosedQuoteTakesInTheRest) {
  auto commands = split_commands("a; set \"b; c\nd");
  ASSERT_EQ(commands, (Words{"a", "set \"b; c\nd"}));
  EXPECT_FALSE(split_words(commands[1]));
}

}  // namespace
}  // namespace pegmove::shell
