#include "relay/reach.h"

#include <gmock/gmock.h>

#include <vector>

namespace pegmove::relay {
namespace {

using ::testing::HasSubstr;

const std::vector<net::HostPort> kHere = {{"127.0.0.1", 34601}, {"localhost", 34801}};
const std::vector<net::HostPort> kElsewhere = {{"127.0.0.1", 34601}, {"10.0.0.5", 34801}};

TEST(RelayReach, AnAddressOfLoopbackIsForSourcesOfThisHostOnly) {
  for (const auto* host : {"127.0.0.1", "127.1.2.3", "localhost"}) {
    EXPECT_FALSE(why_out_of_reach({host, 36601}, kHere));
    const auto why = why_out_of_reach({host, 36601}, kElsewhere);
    ASSERT_TRUE(why);
    EXPECT_THAT(*why, HasSubstr("10.0.0.5:34801"));
    EXPECT_THAT(*why, HasSubstr("--listen"));
  }
}

TEST(RelayReach, AnotherAddressIsTheOperatorsChoice) {
  EXPECT_FALSE(why_out_of_reach({"10.0.0.9", 36601}, kElsewhere));
  EXPECT_FALSE(why_out_of_reach({"relay1", 36601}, kElsewhere));
}

}  // namespace
}  // namespace pegmove::relay
