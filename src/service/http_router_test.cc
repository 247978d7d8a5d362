#include "service/http_router.h"

#include <gtest/gtest.h>

namespace pegmove::service {
namespace {

using Arguments = std::map<std::string, std::string>;

TEST(HttpTarget, TakesPathAndArgumentsApart) {
  auto query = parse_target("//meta/app/?name=a%20b&detail&x=1=2&#end");
  ASSERT_TRUE(query);
  EXPECT_EQ(query->path, "meta/app");
  EXPECT_EQ(query->arguments, (Arguments{{"name", "a b"}, {"detail", ""}, {"x", "1=2"}}));
  EXPECT_EQ(query->argument("name"), "a b");
  EXPECT_EQ(query->argument("none"), "");
  EXPECT_EQ(parse_target("/%41")->path, "A");
  EXPECT_EQ(parse_target("/")->path, "");
  EXPECT_EQ(parse_target("")->path, "");
  EXPECT_EQ(parse_target("http://a:1/b?c")->path, "b");
  EXPECT_EQ(parse_target("http://a:1")->path, "");
}

TEST(HttpTarget, RefusesBrokenEscapesAndDoubles) {
  EXPECT_EQ(parse_target("/?a=%4").error().message(),
            "Encountered partial escape sequence at end of string");
  EXPECT_TRUE(parse_target("/?a=%zz").error().message().starts_with("The characters zz do not"));
  EXPECT_FALSE(parse_target("/%4"));
  EXPECT_FALSE(parse_target("/%"));
  EXPECT_EQ(parse_target("/?a=1&a=2").error().message(), "duplicate parameter: a");
}

}  // namespace
}  // namespace pegmove::service
