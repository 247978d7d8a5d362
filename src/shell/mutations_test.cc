#include "shell/mutations.h"

#include <gmock/gmock.h>

namespace pegmove::shell {
namespace {

using ::testing::StartsWith;

TEST(ParseMutation, ReadsRowsThatAreSet) {
  auto line = parse_mutation("set \"a b\" \"\\x00\"");
  ASSERT_TRUE(line);
  const auto& set = std::get<TypedSet>(*line);
  EXPECT_EQ(set.sort_key, "a b");
  EXPECT_EQ(set.value, std::string(1, '\0'));
  EXPECT_EQ(set.ttl_seconds, 0);
  auto expiring = parse_mutation(" set a v 60 ");
  ASSERT_TRUE(expiring);
  EXPECT_EQ(std::get<TypedSet>(*expiring).ttl_seconds, 60);
}

TEST(ParseMutation, ReadsRowsThatAreDeleted) {
  auto line = parse_mutation("del ''");
  ASSERT_TRUE(line);
  EXPECT_EQ(std::get<TypedDel>(*line).sort_key, "");
}

TEST(ParseMutation, ReadsTheEnd) {
  EXPECT_EQ(std::get<LoadEnd>(*parse_mutation("ok")), LoadEnd::kOk);
  EXPECT_EQ(std::get<LoadEnd>(*parse_mutation("abort")), LoadEnd::kAbort);
}

TEST(ParseMutation, RefusesWhatItDoesNotKnow) {
  for (const char* line :
       {"", "   ", "set a", "set a v 1 2", "del", "del a b", "get a", "OK", "set \"a v"}) {
    auto parsed = parse_mutation(line);
    ASSERT_FALSE(parsed) << line;
    EXPECT_EQ(parsed.error().message(), "invalid mutation, print \"ok\" to finish loading");
  }
}

TEST(ParseMutation, RefusesTimesToLiveThatAreNone) {
  for (const char* ttl : {"x", "1s", "99999999999"})
    EXPECT_THAT(parse_mutation("set a v " + std::string(ttl)).error().message(),
                StartsWith("parse \"" + std::string(ttl) + "\" as ttl failed"));
  for (const char* ttl : {"0", "-1"})
    EXPECT_THAT(parse_mutation("set a v " + std::string(ttl)).error().message(),
                StartsWith("invalid ttl " + std::string(ttl) + ","));
}

}  // namespace
}  // namespace pegmove::shell
