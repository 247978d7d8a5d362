#include "wire/rpc_code.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>

namespace pegmove::wire {
namespace {

constexpr RpcCode kCodes[] = {
#define PEGMOVE_LISTED(identifier, name) RpcCode::identifier,
    PEGMOVE_RPC_CODES(PEGMOVE_LISTED)
#undef PEGMOVE_LISTED
};

TEST(RpcCode, FindsEveryCodeByItsName) {
  std::set<std::string_view> names;
  for (auto code : kCodes) {
    auto name = rpc_name(code);
    EXPECT_EQ(rpc_code_from_name(name), code) << name;
    EXPECT_TRUE(names.insert(name).second) << name;
  }
  EXPECT_EQ(rpc_name(RpcCode::kPut), "RPC_RRDB_RRDB_PUT");
  EXPECT_EQ(rpc_name(RpcCode::kQueryConfig), "RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX");
  EXPECT_EQ(rpc_name(RpcCode::kUnknown), "");
}

TEST(RpcCode, DoesNotKnowNamesThatOnlyResembleOne) {
  for (auto code : kCodes) {
    std::string name(rpc_name(code));
    for (const auto& other : {name + "_ACK", name + "X", name.substr(1),
                              name.substr(0, name.size() - 1), name + std::string(1, '\0')})
      EXPECT_EQ(rpc_code_from_name(other), RpcCode::kUnknown) << other;
  }
  for (std::string_view name : {"", "\xff", "A", "create_app", "rpc_rrdb_rrdb_put", "ZZZZ"})
    EXPECT_EQ(rpc_code_from_name(name), RpcCode::kUnknown) << name;
}

TEST(RpcCode, EveryReplyNameFitsTheFieldOfAFrame) {
  for (auto code : kCodes) EXPECT_LE(rpc_name(code).size() + 4, 47U) << rpc_name(code);
}

TEST(RpcCode, DataCodesAreThoseOfThePartitions) {
  EXPECT_FALSE(is_data_code(RpcCode::kUnknown));
  for (auto code : kCodes)
    EXPECT_EQ(is_data_code(code), rpc_name(code).starts_with("RPC_RRDB_RRDB_")) << rpc_name(code);
}

}  // namespace
}  // namespace pegmove::wire
