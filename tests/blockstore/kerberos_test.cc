// What an HDFS that asks for Kerberos gets to see, and what is said when it refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "async/clock.h"
#include "blockstore/digest.h"
#include "blockstore/provider.h"
#include "testing/fault_proxy.h"
#include "tests/blockstore/stores.h"

namespace pegmove::conformance {
namespace {

using pegmove::testing::FaultProxy;
using ::testing::HasSubstr;
using ::testing::Not;

std::string on_loopback(uint16_t port) { return "127.0.0.1:" + std::to_string(port); }

class KerberosTest : public ::testing::TestWithParam<StoreKind> {
 protected:
  std::shared_ptr<blockstore::BlockStore> open(uint16_t port, const std::string& more) {
    auto opened = blockstore::open_store(
        {.name = "hdfs",
         .type = "hdfs_service",
         .args = "hdfs://unused/ webhdfs=http://localhost:" + std::to_string(port) + more},
        clock_);
    if (!opened) throw std::runtime_error(opened.error().to_string());
    return *std::move(opened);
  }
  async::SystemClock clock_;
};

TEST_P(KerberosTest, NameNodesSeeATicketAndDataNodesATokenForOneFile) {
  const auto data_port = uint16_t(std::stoi(std::getenv("PEGMOVE_TEST_HDFS_KERBEROS_DATA")));
  FaultProxy data(data_port);
  FaultProxy name(server_port(GetParam()), {{on_loopback(data_port), on_loopback(data.port())}});
  const auto store = open(name.port(), " auth=kerberos");
  auto upload = store->create("user/seen");
  ASSERT_TRUE(upload) << upload.error().to_string();
  ASSERT_TRUE((*upload)->append("bytes"));
  ASSERT_TRUE((*upload)->finish(blockstore::md5_hex("bytes")));
  EXPECT_EQ(*store->read("user/seen", 0, 10), "bytes");
  EXPECT_THAT(name.requests(), HasSubstr("Authorization: Negotiate "));
  EXPECT_THAT(data.requests(), HasSubstr("PUT /webhdfs/v1/user/"));
  EXPECT_THAT(data.requests(), HasSubstr("delegation="));
  EXPECT_THAT(data.requests(), Not(HasSubstr("Authorization")));
}

TEST_P(KerberosTest, WhoeverShowsNothingIsToldWhatIsAskedFor) {
  const auto listed = open(server_port(GetParam()), " user=pegasus")->list("user");
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().code(), Code::kUnauthenticated);
  EXPECT_THAT(listed.error().to_string(), HasSubstr("Authentication required"));
  EXPECT_THAT(listed.error().to_string(), HasSubstr("needs auth=kerberos or a token"));
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(KerberosTest);  // as a unit test there is no HDFS
INSTANTIATE_TEST_SUITE_P(Stores, KerberosTest, ::testing::ValuesIn(store_kinds_of({"hdfskrb"})),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace pegmove::conformance
