#include "inspect/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/two_clusters.h"

namespace pegmove::inspect {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class AccessTest : public ::testing::Test {
 protected:
  // "": it is not refused.
  std::string refusal(const char* denied, Needs needs) {
    clusters_.must(clusters_.source->set_envs("t", {{"replica.deny_client_request", denied}},
                                              clusters_.deadline()));
    auto checked = clusters_.run(check_access(*table_, needs, clusters_.deadline()));
    if (checked) return "";
    EXPECT_EQ(checked.error().code(), Code::kRefused);
    return checked.error().to_string();
  }

  testing::TwoClusters clusters_{{.name = "A"}};
  std::shared_ptr<client::Table> table_ = clusters_.create_table(clusters_.source, "t", 2);
};

TEST_F(AccessTest, ATableWithoutTheEnvIsServed) {
  EXPECT_TRUE(
      clusters_.run(check_access(*table_, {.reads = true, .writes = true}, clusters_.deadline())));
}

TEST_F(AccessTest, WhatIsDeniedAndNeededIsNamedWithTheNextStep) {
  EXPECT_THAT(refusal("reconfig*all", {.reads = true}),
              AllOf(HasSubstr("replica.deny_client_request=reconfig*all denies reads"),
                    HasSubstr("table 't' on cluster A"), HasSubstr("del_app_envs")));
  EXPECT_THAT(refusal("timeout*all", {.reads = true, .writes = true}),
              HasSubstr("timeout*all denies reads and writes"));
  EXPECT_THAT(refusal("reconfig*write", {.reads = true, .writes = true}),
              HasSubstr("denies writes"));
}

TEST_F(AccessTest, WhatIsDeniedAndNotNeededDoesNotMatter) {
  EXPECT_EQ(refusal("reconfig*write", {.reads = true}), "");
  EXPECT_EQ(refusal("timeout*read", {.writes = true}), "");
}

}  // namespace
}  // namespace pegmove::inspect
