#include "client/bulk_write.h"

#include <gmock/gmock.h>

#include <deque>

#include "record/expiry.h"
#include "record/key.h"
#include "testing/sim_clock.h"
#include "testing/test_cluster.h"

namespace pegmove::client {
namespace {

using ::testing::HasSubstr;
using testing::TestClient;
using testing::TestCluster;

class BulkWriteTest : public ::testing::Test {
 protected:
  Deadline soon() { return client.deadline(); }
  void add(const std::string& hash, const std::string& sort, std::string value, int64_t ttl = 0) {
    auto& key = keys.emplace_back(record::encode_key(hash, sort));
    auto& kept = values.emplace_back(std::move(value));
    rows.push_back(
        {key, kept, ttl == 0 ? 0 : record::pegasus_seconds(server_clock.unix_seconds() + ttl)});
  }
  Result<void> write(size_t max_request_bytes = 64 << 10) {
    return client.run(write_rows(*table, 0, rows, max_request_bytes, soon()));
  }
  // All rows of the table, in the form passed to write_rows().
  void expect_written() {
    std::map<std::string, std::pair<std::string, uint32_t>> expected, found;
    for (auto& row : rows) expected[std::string(row.key)] = {std::string(row.value), row.expire_ts};
    auto scanner = table->scan_partition(0, {.batch_size = 1000, .return_expire_ts = true});
    while (auto batch = client.must(scanner->next(soon())))
      for (auto& row : batch->rows)
        found[std::string(row.key)] = {std::string(row.value), row.expire_ts};
    EXPECT_EQ(found, expected);
  }

  testing::SimClock server_clock;
  TestCluster cluster{server_clock};
  TestClient client{cluster.meta_address()};
  std::shared_ptr<Table> table = client.create_table("t", 1);
  std::deque<std::string> keys, values;
  std::vector<RawRow> rows;
};

TEST_F(BulkWriteTest, NothingIsWrittenForNoRows) {
  EXPECT_TRUE(write());
  expect_written();
}

TEST_F(BulkWriteTest, RowsOfAllKindsArriveWithTheirExpiry) {
  for (int i = 0; i < 700; ++i) add("one hash key", std::to_string(i), std::string(size_t(i), 'v'));
  for (int i = 0; i < 50; ++i)
    add("two expiries", std::to_string(i), "v", i % 3 == 0 ? 100 + i : 0);
  for (int i = 0; i < 300; ++i) add("hash" + std::to_string(i), "", "v", i);
  for (int i = 0; i < 20; ++i) add("", "no hash key" + std::to_string(i), "");
  add("same", "row", "first");
  add("same", "row", "second");  // the later one counts
  for (size_t max_bytes : {size_t{1}, size_t{1000}, size_t{512} << 10}) {
    auto written = write(max_bytes);
    ASSERT_TRUE(written) << written.error().to_string();
    expect_written();
  }
}

TEST_F(BulkWriteTest, GroupsAreSentAsTheBatchDecides) {
  for (int i = 0; i < 4; ++i) add("few", std::to_string(i), "v");
  for (int i = 0; i < 20; ++i) add("many", std::to_string(i), "v");
  for (int i = 0; i < 8; ++i) add("two expiries", std::to_string(i), "v", i < 4 ? 100 : 200);
  for (int i = 0; i < 20; ++i) add("", std::to_string(i), "v");
  add("few", "1", "the last one counts");
  JoinThreshold threshold(client.clock());
  {
    JoinThreshold::Batch batch(threshold);
    client.must(write_rows(*table, 0, rows, 64 << 10, soon(), &batch));
    batch.written();
  }
  expect_written();
  const auto used = threshold.used();
  EXPECT_EQ(used.rows_alone, 4 + 8 + 20 + 1);
  EXPECT_EQ(used.rows_joined, 20);
  EXPECT_EQ(used.joined_requests, 1);
}

// The later of two writes to a key counts, in one request or in several, also when they are sent
// again.
TEST_F(BulkWriteTest, WritesToOneKeyStayInOrderHoweverTheyAreSent) {
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 4 + 8 * (round % 2); ++i)
      add("h", std::to_string(i), "round " + std::to_string(round));
    add("between", std::to_string(round), "v");
  }
  JoinThreshold threshold(client.clock());
  for (int restarts = 0; restarts < 2; ++restarts) {
    JoinThreshold::Batch batch(threshold);
    client.must(write_rows(*table, 0, rows, 64 << 10, soon(), &batch));
    expect_written();
    cluster.restart();
  }
  EXPECT_EQ(threshold.used().joined_from, 8u);
}

TEST_F(BulkWriteTest, GoesOnWhenTheClusterHasRestarted) {
  for (int i = 0; i < 500; ++i) add("hash" + std::to_string(i / 10), std::to_string(i), "v");
  client.must(write_rows(*table, 0, rows, 1000, soon()));
  cluster.restart();
  for (auto& value : values) value = "w";
  auto written = write(1000);
  ASSERT_TRUE(written) << written.error().to_string();
  expect_written();
}

TEST_F(BulkWriteTest, ARowThatIsTooLargeIsNamed) {
  add("h", "small", "v");
  add("h2", "huge", std::string(1 << 20, 'v'));
  auto refused = write();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kInvalidArgument);
  EXPECT_THAT(refused.error().to_string(), HasSubstr("\"h2\" : \"huge\" is too large"));
}

TEST_F(BulkWriteTest, ADroppedTableIsNotFound) {
  for (int i = 0; i < 10; ++i) add("h" + std::to_string(i), "s", "v");
  client.must(client.cluster().drop_table("t", 0, soon()));
  cluster.restart();
  auto refused = write();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kNotFound);
}

}  // namespace
}  // namespace pegmove::client
