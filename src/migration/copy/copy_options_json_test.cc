#include "migration/copy/copy_options_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace pegmove::migration {
namespace {

using nlohmann::json;
using rows::Match;
using rows::WriteMode;
using namespace std::string_literals;

std::string error_of(const char* text) {
  auto rules = copy_rules_from_json(json::parse(text));
  if (rules) return "no error";
  EXPECT_EQ(rules.error().code(), Code::kCorrupt);
  return rules.error().message();
}

TEST(CopyRulesJson, DefaultsAreLeftOut) {
  EXPECT_EQ(to_json(CopyRules{}), json::object());
  EXPECT_EQ(copy_rules_from_json(json::object()), CopyRules{});
}

TEST(CopyRulesJson, EveryRuleComesBack) {
  CopyRules rules{.partitions = {3, 0},
                  .filters = {.hash_key = {Match::kPostfix, "\xff\0"s},
                              .sort_key = {Match::kExact, ""},
                              .value = {Match::kAnywhere, "\"\x01Ä"}},
                  .with_expiry = false,
                  .mode = WriteMode::kGeo,
                  .geo_layout = {.min_level = 10, .latitude_index = 0, .longitude_index = 7}};
  auto text = to_json(rules).dump();
  EXPECT_EQ(copy_rules_from_json(json::parse(text)), rules) << text;
  EXPECT_TRUE(text.contains(R"("pattern_b64":"/wA=")")) << text;
  for (auto mode : {WriteMode::kPlain, WriteMode::kNoOverwrite, WriteMode::kMultiSet}) {
    CopyRules other{.with_values = false, .mode = mode};
    EXPECT_EQ(copy_rules_from_json(to_json(other)), other) << mode_name(mode);
  }
}

TEST(CopyRulesJson, WhatIsWrongIsNamed) {
  constexpr std::pair<const char*, const char*> kWrong[] = {
      {R"([])", "it is not a JSON object"},
      {R"({"mod":"geo"})", "'mod' is not known"},
      {R"({"mode":"Geo"})", "'mode' must be one of plain, no_overwrite, multi_set, geo"},
      {R"({"mode":1})", "'mode' must be one of"},
      {R"({"values":0})", "'values' must be true or false"},
      {R"({"partitions":1})", "'partitions' must be a list of integers from 0 to 65535"},
      {R"({"partitions":[-1]})", "'partitions' must be a list of integers from 0"},
      {R"({"partitions":[1.0]})", "'partitions' must be a list of integers from 0"},
      {R"({"partitions":[18446744073709551615]})",
       "'partitions' must be a list of integers from 0"},
      {R"({"partitions":[1,1]})", "partition 1 is given twice"},
      {R"({"hash_key_filter":"a"})", "'hash_key_filter' must be an object"},
      {R"({"hash_key_filter":{"pattern":"a"}})",
       "'hash_key_filter.match' is missing; it must be a string"},
      {R"({"hash_key_filter":{"match":"prefix"}})", "one of 'hash_key_filter.pattern' and"},
      {R"({"value_filter":{"match":"prefix","pattern":"a","pattern_b64":"YQ=="}})",
       "one of 'value_filter.pattern' and"},
      {R"({"value_filter":{"match":"no_filter","pattern":"a"}})",
       "'value_filter.match' must be a known kind of match"},
      {R"({"value_filter":{"match":"prefix","pattern_b64":"?"}})",
       "'value_filter.pattern_b64' must be a base64 string"},
      {R"({"value_filter":{"match":"prefix","pattern":1}})",
       "'value_filter.pattern' must be a string"},
      {R"({"hash_key_filter":{"match":"exact","pattern":"a"}})", "hash keys can be filtered by"},
      {R"({"geo":{"min_level":12}})", "'geo' is only for the mode geo"},
      {R"({"mode":"geo","geo":{"level":12}})", "'geo.level' is not known"},
      {R"({"mode":"geo","geo":{"min_level":30}})", "must be within 0 and 29"},
      {R"({"mode":"geo","values":false})", "geo rows are made from values"},
  };
  for (auto [text, says] : kWrong)
    EXPECT_TRUE(error_of(text).contains(says)) << text << ": " << error_of(text);
}

}  // namespace
}  // namespace pegmove::migration
