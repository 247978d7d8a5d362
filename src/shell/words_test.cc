#include "shell/words.h"

#include <gtest/gtest.h>

#include <random>

namespace pegmove::shell {
namespace {

using Words = std::vector<std::string>;
using Commands = std::vector<ScriptCommand>;

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
  EXPECT_EQ(split_commands("a; b 1 ;;c\n\n d\r\ne"),
            (Commands{{"a", 1}, {"b 1", 1}, {"c", 1}, {"d", 3}, {"e", 4}}));
  EXPECT_EQ(split_commands(""), Commands{});
  EXPECT_EQ(split_commands(" ; \n"), Commands{});
}

TEST(SplitCommands, DropsAByteOrderMark) {
  EXPECT_EQ(split_commands("\xef\xbb\xbf# x\na; b"), (Commands{{"a", 2}, {"b", 2}}));
  EXPECT_EQ(split_commands("\xef\xbb\xbfuse t"), (Commands{{"use t", 1}}));
}

TEST(SplitCommands, LeavesSemicolonsInQuotes) {
  EXPECT_EQ(split_commands(R"(set "a;\";b" 'c;\';d'; get "x;y")"),
            (Commands{{R"(set "a;\";b" 'c;\';d')", 1}, {R"(get "x;y")", 1}}));
}

TEST(SplitCommands, DropsComments) {
  EXPECT_EQ(split_commands("# don't; run\na # b\n  #c\nd; # e; f\ng"),
            (Commands{{"a # b", 2}, {"d", 4}, {"g", 5}}));
  EXPECT_EQ(split_commands("#"), Commands{});
}

TEST(SplitCommands, AnOpenQuoteEndsWithItsLine) {
  auto commands = split_commands("a; set \"b; c\nset k s dogs'\nset k2 s2 cats'\r\nd \"\\");
  ASSERT_EQ(commands, (Commands{{"a", 1},
                                {"set \"b; c", 1},
                                {"set k s dogs'", 2},
                                {"set k2 s2 cats'", 3},
                                {"d \"\\", 4}}));
  for (size_t i = 1; i < commands.size(); ++i)
    EXPECT_FALSE(split_words(commands[i].text)) << commands[i].text;
}

}  // namespace
}  // namespace pegmove::shell
