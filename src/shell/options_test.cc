#include "shell/options.h"

#include <gtest/gtest.h>

namespace pegmove::shell {
namespace {

constexpr OptionSpec kSpecs[] = {{'p', "partition_count", true},
                                 {'r', "replica_count", true},
                                 {'d', "detailed"},
                                 {'j', "json"},
                                 {'u', "resource_usage"}};

Result<Options> parse(std::vector<std::string> words) { return Options::parse(words, kSpecs); }

std::string error_of(std::vector<std::string> words) {
  auto options = parse(std::move(words));
  return options ? "no error" : options.error().message();
}

TEST(Options, TakesEveryWayToWriteAValue) {
  for (std::vector<std::string> words : {std::vector<std::string>{"-p", "8"},
                                         {"-p8"},
                                         {"--partition_count", "8"},
                                         {"--partition_count=8"},
                                         {"--part", "8"},
                                         {"-dp", "8"},
                                         {"-p", "1", "-p", "8"}}) {
    auto options = parse(words);
    ASSERT_TRUE(options) << words[0];
    EXPECT_EQ(options->number('p', "partition_count", 4), 8) << words[0];
    EXPECT_TRUE(options->rest().empty());
  }
}

TEST(Options, TakesFlagsTogether) {
  auto options = parse({"-dj"});
  ASSERT_TRUE(options);
  EXPECT_TRUE(options->has('d'));
  EXPECT_TRUE(options->has('j'));
  EXPECT_FALSE(options->has('p'));
  EXPECT_EQ(options->value('p'), nullptr);
  EXPECT_EQ(options->text('p'), "");
}

TEST(Options, KeepsOtherWordsInOrderWhereverTheyStand) {
  auto options = parse({"a", "-d", "b", "-", "", "--", "-p", "--json"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->rest(), (std::vector<std::string>{"a", "b", "-", "", "-p", "--json"}));
  EXPECT_TRUE(options->has('d'));
  EXPECT_FALSE(options->has('j'));
}

TEST(Options, TakesAValueThatLooksLikeAnOption) {
  auto options = parse({"-p", "-1", "--replica_count="});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->text('p'), "-1");
  ASSERT_NE(options->value('r'), nullptr);
  EXPECT_EQ(options->text('r'), "");
}

TEST(Options, NamesTheOptionThatIsWrong) {
  EXPECT_EQ(error_of({"-x"}), "unknown option '-x'");
  EXPECT_EQ(error_of({"-dx"}), "unknown option '-x'");
  EXPECT_EQ(error_of({"--nope"}), "unknown option '--nope'");
  EXPECT_EQ(error_of({"--re"}), "option '--re' is ambiguous");
  EXPECT_EQ(error_of({"-p"}), "option '-p' needs a value");
  EXPECT_EQ(error_of({"--partition_count"}), "option '--partition_count' needs a value");
  EXPECT_EQ(error_of({"--json=1"}), "option '--json' takes no value");
}

TEST(Options, NamesTheValueThatIsNoNumber) {
  auto options = parse({"-p", "4x"});
  ASSERT_TRUE(options);
  auto number = options->number('p', "partition_count", 4);
  ASSERT_FALSE(number);
  EXPECT_EQ(number.error().message(), "parse 4x as partition_count failed");
  EXPECT_EQ(options->number('r', "replica_count", 3), 3);
}

TEST(Options, ReadsBooleans) {
  auto options = parse({"-p", "true", "-r", "yes"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->boolean('p', "start_inclusive", false), true);
  auto wrong = options->boolean('r', "stop_inclusive", false);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message(), "invalid stop_inclusive param");
}

TEST(ParseInt32, ReadsNumbersOfAnyBase) {
  EXPECT_EQ(parse_int32("12"), 12);
  EXPECT_EQ(parse_int32("-12"), -12);
  EXPECT_EQ(parse_int32("0x10"), 16);
  EXPECT_EQ(parse_int32("010"), 8);
  EXPECT_EQ(parse_int32("2147483647"), 2147483647);
}

TEST(ParseInt32, RefusesWhatIsNoNumberOrTooLarge) {
  for (const char* text :
       {"", " 1", "1 ", "x", "1x", "2147483648", "-2147483649", "99999999999999999999"})
    EXPECT_EQ(parse_int32(text), std::nullopt) << text;
  EXPECT_EQ(parse_int32(std::string("1\0", 2)), std::nullopt);
}

}  // namespace
}  // namespace pegmove::shell
