#include "routes/route.h"

#include <gmock/gmock.h>

namespace pegmove::routes {
namespace {

using ::testing::HasSubstr;

TEST(RouteTest, IsReadAsTheMigratorWritesIt) {
  const std::string text =
      R"({"cluster_name": "onebox2", "meta_addrs": "127.0.0.1:35601,127.0.0.1:35602"})";
  const auto route = parse_route(text);
  ASSERT_TRUE(route) << route.error().to_string();
  EXPECT_EQ(route->cluster, "onebox2");
  EXPECT_EQ(route->metas_text(), "127.0.0.1:35601,127.0.0.1:35602");
  EXPECT_EQ(route_text(*route), text);
}

TEST(RouteTest, OneAddressANameAndUnknownFieldsAreGood) {
  const auto route =
      parse_route(R"({"meta_addrs":"metas.example:34601","cluster_name":"c","more":[1]})");
  ASSERT_TRUE(route) << route.error().to_string();
  EXPECT_EQ(route->metas, (std::vector<net::HostPort>{{"metas.example", 34601}}));
}

TEST(RouteTest, QuotesInANameAreEscaped) {
  const Route route{R"(a"b)", {{"h", 1}}};
  EXPECT_EQ(route_text(route), R"({"cluster_name": "a\"b", "meta_addrs": "h:1"})");
  EXPECT_EQ(parse_route(route_text(route)), route);
}

TEST(RouteTest, EveryWrongTextIsAnErrorThatShowsTheRightForm) {
  for (const std::string& text :
       {std::string("not json"), std::string("{\"cluster_name\": \"onebox\", meta_addrs"),
        std::string(""), std::string("[]"), std::string("{}"), std::string(R"({"meta_addrs": 1})"),
        std::string(R"({"meta_addrs": ""})"), std::string(R"({"meta_addrs": "a:1,"})"),
        std::string(R"({"meta_addrs": "a:99999"})"),
        std::string(R"({"meta_addrs": "a:1","cluster_name":2})"),
        std::string(R"({"meta_addrs": "a:1","cluster_name":"a\nb"})"),
        R"({"meta_addrs": "a:1","cluster_name":")" + std::string(300, 'x') + R"("})",
        R"({"meta_addrs": ")" + std::string(70'000, 'x') + R"("})"}) {
    const auto route = parse_route(text);
    ASSERT_FALSE(route) << text;
    EXPECT_EQ(route.error().code(), Code::kCorrupt);
    EXPECT_THAT(route.error().to_string(), HasSubstr(R"({"cluster_name": "c1", "meta_addrs")"));
  }
}

TEST(RouteTest, ANodeCannotBeOutsideTheRoot) {
  EXPECT_EQ(node_path("/pegasus-cluster", "t.1"), "/pegasus-cluster/t.1");
  for (const std::string_view table : {"", ".", "..", "a/b", "../x", "/", "a\n", "a\x7f", "a\xff"})
    EXPECT_FALSE(node_path("/pegasus-cluster", table)) << table;
  EXPECT_FALSE(node_path("/pegasus-cluster", std::string_view("a\0", 2)));
}

TEST(RouteTest, RootsAreCheckedAndTheTopIsOne) {
  EXPECT_EQ(check_root("/pegasus-cluster"), "/pegasus-cluster");
  EXPECT_EQ(check_root("/a/b"), "/a/b");
  EXPECT_EQ(check_root("/"), "");
  for (const std::string_view root : {"", "a", "/a/", "//", "/a//b", "/a/../b", "a/b"})
    EXPECT_FALSE(check_root(root)) << root;
}

}  // namespace
}  // namespace pegmove::routes
