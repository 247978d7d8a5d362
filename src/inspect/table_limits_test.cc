#include "inspect/table_limits.h"

#include <gtest/gtest.h>

namespace pegmove::inspect {
namespace {

std::string said_of(const std::string& env, const std::string& value,
                    Access access = Access::kReads) {
  const auto throttles = throttles_of({{env, value}}, access);
  return throttles.empty() ? "" : throttles[0].leaves;
}

TEST(TableLimits, AThrottleIsSaidAsServersReadIt) {
  EXPECT_EQ(said_of("replica.read_throttling", " 2K * delay * 100 , 3K*reject*200"),
            "from 2,048 requests/s on each request waits 100 ms, from 3,072 requests/s on requests "
            "are refused");
  EXPECT_EQ(said_of("replica.write_throttling_by_size", "0x100000*reject*1", Access::kWrites),
            "from 1.0 MiB/s on requests are refused");
  EXPECT_EQ(said_of("replica.read_throttling", "0*delay*100"), "");
  EXPECT_EQ(said_of("replica.read_throttling", "1*delay*100", Access::kWrites), "");
}

TEST(TableLimits, ReadsAreNotDelayedByTheirSize) {
  EXPECT_EQ(said_of("replica.read_throttling_by_size", "20M"),
            "from 20.0 MiB/s on requests are refused");
  EXPECT_EQ(said_of("replica.read_throttling_by_size", "10M*delay*100,20M*reject*100"),
            "from 20.0 MiB/s on requests are refused");
  EXPECT_EQ(said_of("replica.read_throttling_by_size", "10M*delay*100"), "");
}

TEST(TableLimits, AValueThatServersDoNotReadIsNamed) {
  EXPECT_EQ(said_of("replica.write_throttling", "20M", Access::kWrites),
            "its value cannot be parsed");
  EXPECT_EQ(said_of("replica.read_throttling", "1*deny*5"), "its value cannot be parsed");
}

TEST(TableLimits, DeniedRequestsAreThoseThatServersDeny) {
  const auto denied = [](const std::string& value, Access access) {
    return denied_by({{"replica.deny_client_request", value}}, access);
  };
  EXPECT_EQ(denied("reconfig*all", Access::kReads), "reconfig*all");
  EXPECT_EQ(denied(" timeout * write ", Access::kWrites), " timeout * write ");
  EXPECT_EQ(denied("timeout*write", Access::kReads), std::nullopt);
  EXPECT_EQ(denied("later*all", Access::kReads), std::nullopt);
  EXPECT_EQ(denied_by({}, Access::kWrites), std::nullopt);
}

}  // namespace
}  // namespace pegmove::inspect
