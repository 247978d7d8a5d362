#include "apps/copy_options.h"

#include <gtest/gtest.h>

namespace pegmove::apps {
namespace {

using rows::Match;
using rows::WriteMode;
using namespace std::string_literals;

Result<migration::CopyRules> parse(std::vector<std::string> words, bool through_duplicate = false) {
  Program program("pegmove", "");
  CopyFilterArguments arguments;
  add_copy_filter_options(*program.root().add_verb("copy", ""), arguments);
  std::vector<const char*> argv{"pegmove", "copy"};
  for (const auto& word : words) argv.push_back(word.c_str());
  if (program.run(int(argv.size()), argv.data())) return fail(Code::kInvalidArgument, "usage");
  return parse_copy_rules(arguments, through_duplicate);
}

std::string error_of(std::vector<std::string> words, bool through_duplicate = false) {
  auto rules = parse(std::move(words), through_duplicate);
  return rules ? "no error" : rules.error().message();
}

TEST(CopyOptions, WithoutAnyAllRowsAreCopiedAsTheyAre) {
  EXPECT_EQ(parse({}), migration::CopyRules{});
}

TEST(CopyOptions, PartitionsCanBeGivenSeveralTimes) {
  auto rules = parse({"--partition", "3", "--partition", "0", "--partition", "3"});
  ASSERT_TRUE(rules) << rules.error().to_string();
  EXPECT_EQ(rules->partitions, (std::vector<int32_t>{0, 3}));
  EXPECT_FALSE(parse({"--partition", "-1"}));
  EXPECT_FALSE(parse({"--partition", "x"}));
}

TEST(CopyOptions, PatternsReadEscapes) {
  auto rules = parse({"--hash-key-filter", "prefix:a:\\x00\\\\",
                      "--sort-key-filter=exact:", "--value-filter", "ANYWHERE:\\xFF"});
  ASSERT_TRUE(rules) << rules.error().to_string();
  EXPECT_EQ(rules->filters.hash_key, (rows::RowFilter{Match::kPrefix, "a:\0\\"s}));
  EXPECT_EQ(rules->filters.sort_key, (rows::RowFilter{Match::kExact, ""}));
  EXPECT_EQ(rules->filters.value, (rows::RowFilter{Match::kAnywhere, "\xff"}));
}

TEST(CopyOptions, FlagsMeanWhatTheySay) {
  EXPECT_FALSE(parse({"--no-value"})->with_values);
  EXPECT_FALSE(parse({"--no-ttl"})->with_expiry);
  EXPECT_EQ(parse({"--no-overwrite"})->mode, WriteMode::kNoOverwrite);
  EXPECT_EQ(parse({"--multi-set"})->mode, WriteMode::kMultiSet);
  EXPECT_EQ(parse({"--geo"})->mode, WriteMode::kGeo);
}

TEST(CopyOptions, WhatIsWrongIsSaidWithTheOption) {
  EXPECT_EQ(error_of({"--hash-key-filter", "exact:a"}),
            "--hash-key-filter 'exact:a': give anywhere:PATTERN, prefix:PATTERN or "
            "postfix:PATTERN");
  EXPECT_EQ(error_of({"--sort-key-filter", "prefix"}),
            "--sort-key-filter 'prefix': give anywhere:PATTERN, prefix:PATTERN, postfix:PATTERN "
            "or exact:PATTERN");
  EXPECT_TRUE(error_of({"--value-filter", "prefix:"}).contains("--value-filter 'prefix:'"));
  EXPECT_TRUE(error_of({"--value-filter", "prefix:\\q"}).contains("--value-filter"));
  EXPECT_EQ(error_of({"--no-overwrite", "--multi-set"}),
            "--no-overwrite and --multi-set exclude each other");
  EXPECT_EQ(error_of({"--geo", "--multi-set"}), "--multi-set and --geo exclude each other");
  EXPECT_TRUE(error_of({"--no-value", "--value-filter", "exact:"}).contains("--no-value"));
  EXPECT_TRUE(error_of({"--no-value", "--geo"}).contains("--geo"));
  EXPECT_TRUE(error_of({"--no-overwrite"}, true).contains("--through plain"));
  EXPECT_EQ(error_of({"--no-ttl"}, true), "no error");
}

}  // namespace
}  // namespace pegmove::apps
