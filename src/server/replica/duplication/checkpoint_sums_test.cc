// MD5 sums of files that may be large.
#include "server/replica/duplication/checkpoint_sums.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "async/run.h"
#include "blockstore/digest.h"
#include "testing/test_folder.h"

namespace pegmove::server::replica {
namespace {

TEST(CheckpointSums, AStopIsAskedForBeforeEachMebibyte) {
  const testing::TestFolder folder;
  std::string bytes;
  for (uint32_t i = 0; bytes.size() < 5 << 20; ++i) bytes += std::to_string(i);
  testing::write_file(folder / "file", bytes);
  asio::io_context context;
  async::Pool pool{1};
  int asked = 0;
  int most = 100;
  const auto sum = [&] {
    asked = 0;
    return async::run_to_end(context,
                             md5_of_file(pool, folder / "file", [&] { return ++asked > most; }));
  };
  const auto whole = sum();
  ASSERT_TRUE(whole) << whole.error().to_string();
  EXPECT_EQ(*whole, blockstore::md5_hex(bytes));
  EXPECT_EQ(asked, 7) << "six blocks and the end";
  most = 2;
  const auto stopped = sum();
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code(), Code::kInterrupted);
  EXPECT_EQ(asked, 3);
}

}  // namespace
}  // namespace pegmove::server::replica
