#include "store/compaction_rules.h"

#include <gtest/gtest.h>

namespace pegmove::store {
namespace {

using std::string_literals::operator""s;

constexpr uint32_t kNow = 1000;

std::string hash_rule(const std::string& pattern, const std::string& match) {
  return R"({"type":"FRT_HASHKEY_PATTERN","params":"{\"pattern\":\")" + pattern +
         R"(\",\"match_type\":\")" + match + R"(\"}"})";
}
std::string ttl_rule(int start, int stop) {
  return R"({"type":"FRT_TTL_RANGE","params":"{\"start_ttl\":)" + std::to_string(start) +
         R"(,\"stop_ttl\":)" + std::to_string(stop) + R"(}"})";
}
std::string deletion(const std::string& rules) {
  return R"({"type":"COT_DELETE","params":"","rules":[)" + rules + "]}";
}
std::string ttl_change(const std::string& type, uint32_t value, const std::string& rules) {
  return R"({"type":"COT_UPDATE_TTL","params":"{\"type\":\")" + type + R"(\",\"value\":)" +
         std::to_string(value) + R"(}","rules":[)" + rules + "]}";
}
CompactionRules parse(const std::string& operations) {
  return CompactionRules::parse(R"({"ops":[)" + operations + "]}");
}
bool drops(const std::string& operations, RowFacts row) {
  return parse(operations).apply(row, kNow).drop;
}
uint32_t expiry(const std::string& operations, uint32_t expire_ts) {
  return parse(operations).apply({"h", "s", expire_ts}, kNow).expire_ts;
}

TEST(CompactionRules, DropRowsByTheirKeys) {
  EXPECT_TRUE(drops(deletion(hash_rule("ab", "SMT_MATCH_PREFIX")), {"abc", "s"}));
  EXPECT_FALSE(drops(deletion(hash_rule("ab", "SMT_MATCH_PREFIX")), {"cab", "s"}));
  EXPECT_TRUE(drops(deletion(hash_rule("ab", "SMT_MATCH_POSTFIX")), {"cab", "s"}));
  EXPECT_TRUE(drops(deletion(hash_rule("a", "SMT_MATCH_ANYWHERE")), {"cab", "s"}));
  auto sort_rule = hash_rule("s", "SMT_MATCH_PREFIX");
  sort_rule.replace(sort_rule.find("HASHKEY"), 7, "SORTKEY");
  EXPECT_TRUE(drops(deletion(sort_rule), {"h", "s1"}));
  EXPECT_FALSE(drops(deletion(sort_rule), {"s1", "h"}));
  EXPECT_FALSE(drops(deletion(hash_rule("", "SMT_MATCH_ANYWHERE")), {"h", "s"}));
}

TEST(CompactionRules, DropRowsByTheTimeTheyHaveLeft) {
  auto operation = deletion(ttl_rule(10, 20));
  EXPECT_FALSE(drops(operation, {"h", "s", kNow + 9}));
  EXPECT_TRUE(drops(operation, {"h", "s", kNow + 10}));
  EXPECT_TRUE(drops(operation, {"h", "s", kNow + 20}));
  EXPECT_FALSE(drops(operation, {"h", "s", kNow + 21}));
  EXPECT_FALSE(drops(operation, {"h", "s", 0}));
  EXPECT_TRUE(drops(deletion(ttl_rule(0, 0)), {"h", "s", 0}));
}

TEST(CompactionRules, AllRulesOfAnOperationMustMatch) {
  auto both = deletion(hash_rule("h", "SMT_MATCH_PREFIX") + "," + ttl_rule(10, 20));
  EXPECT_TRUE(drops(both, {"h", "s", kNow + 15}));
  EXPECT_FALSE(drops(both, {"h", "s", kNow + 50}));
  EXPECT_FALSE(drops(both, {"x", "s", kNow + 15}));
}

TEST(CompactionRules, ChangeExpiries) {
  auto all = hash_rule("h", "SMT_MATCH_PREFIX");
  EXPECT_EQ(expiry(ttl_change("UTOT_FROM_NOW", 50, all), 0), kNow + 50);
  EXPECT_EQ(expiry(ttl_change("UTOT_FROM_CURRENT", 50, all), 2000), 2050u);
  EXPECT_EQ(expiry(ttl_change("UTOT_FROM_CURRENT", 50, all), 0), 0u);
  EXPECT_EQ(expiry(ttl_change("UTOT_TIMESTAMP", 1451606400 + 77, all), 5), 77u);
}

TEST(CompactionRules, OperationsSeeWhatThoseBeforeThemDid) {
  auto all = hash_rule("h", "SMT_MATCH_PREFIX");
  auto operations = ttl_change("UTOT_FROM_NOW", 15, all) + "," + deletion(ttl_rule(10, 20));
  EXPECT_TRUE(drops(operations, {"h", "s", 0}));
}

TEST(CompactionRules, BadTextIsNoOperations) {
  for (const auto& text : {""s, "nonsense"s, "[]"s, R"({"ops":7})"s, R"({"ops":[7,{}]})"s,
                           R"({"ops":[{"type":"COT_DELETE","params":"","rules":"x"}]})"s,
                           R"({"ops":[)" + deletion("") + "]}",
                           R"({"ops":[)" + deletion(hash_rule("a", "SMT_MATCH_SOMEHOW")) + "]}",
                           R"({"ops":[)" + ttl_change("UTOT_SOMEHOW", 1, ttl_rule(0, 0)) + "]}"})
    EXPECT_TRUE(CompactionRules::parse(text).empty()) << text;
}

}  // namespace
}  // namespace pegmove::store
