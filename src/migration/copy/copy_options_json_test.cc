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
      {R"([])", "'(all)' is not an object"},
      {R"({"mod":"geo"})", "'mod' is unknown"},
      {R"({"mode":"Geo"})", "'mode' is unknown"},
      {R"({"mode":1})", "'mode' is not a string"},
      {R"({"values":0})", "'values' is neither true nor false"},
      {R"({"partitions":1})", "'partitions' is not a list"},
      {R"({"partitions":[-1]})", "'partitions' is not a number from 0"},
      {R"({"partitions":[1.0]})", "'partitions' is not a number from 0"},
      {R"({"partitions":[18446744073709551615]})", "'partitions' is not a number from 0"},
      {R"({"partitions":[1,1]})", "partition 1 is given twice"},
      {R"({"hash_key_filter":"a"})", "'hash_key_filter' is not an object"},
      {R"({"hash_key_filter":{"pattern":"a"}})", "'hash_key_filter' needs the string match"},
      {R"({"hash_key_filter":{"match":"prefix"}})", "needs one of pattern and pattern_b64"},
      {R"({"value_filter":{"match":"prefix","pattern":"a","pattern_b64":"YQ=="}})", "needs one of"},
      {R"({"value_filter":{"match":"no_filter","pattern":"a"}})", "has an unknown match"},
      {R"({"value_filter":{"match":"prefix","pattern_b64":"?"}})", "not base64"},
      {R"({"value_filter":{"match":"prefix","pattern":1}})", "pattern that is not a string"},
      {R"({"hash_key_filter":{"match":"exact","pattern":"a"}})", "hash keys can be filtered by"},
      {R"({"geo":{"min_level":12}})", "'geo' is allowed only with the mode geo"},
      {R"({"mode":"geo","geo":{"level":12}})", "'level' is unknown"},
      {R"({"mode":"geo","geo":{"min_level":30}})", "must be within 0 and 29"},
      {R"({"mode":"geo","values":false})", "geo rows are made from values"},
  };
  for (auto [text, says] : kWrong)
    EXPECT_TRUE(error_of(text).contains(says)) << text << ": " << error_of(text);
}

}  // namespace
}  // namespace pegmove::migration
