#include "client/duplicate_write.h"

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

class DuplicateWriteTest : public ::testing::Test {
 protected:
  Deadline soon() { return client.deadline(); }
  void add(const std::string& hash, const std::string& sort, std::string value, int64_t ttl = 0) {
    auto& key = keys.emplace_back(record::encode_key(hash, sort));
    auto& kept = values.emplace_back(std::move(value));
    rows.push_back(
        {key, kept, ttl == 0 ? 0 : record::pegasus_seconds(server_clock.unix_seconds() + ttl)});
  }
  Result<void> write() { return client.run(duplicate_rows(*table, 0, rows, how, soon())); }
  void must_write() {
    auto written = write();
    ASSERT_TRUE(written) << written.error().to_string();
  }
  void expect_refused(const std::string& text) {
    auto refused = write();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Code::kInvalidArgument);
    EXPECT_THAT(refused.error().to_string(), HasSubstr(text));
    EXPECT_THAT(refused.error().to_string(), HasSubstr("table 't'"));
  }
  std::optional<std::string> get(const std::string& hash, const std::string& sort) {
    return client.must(table->get(hash, sort, soon())).value;
  }
  // All rows of the table, in the form passed to duplicate_rows().
  void expect_written() {
    std::map<std::string, std::pair<std::string, uint32_t>> expected, found;
    for (auto& row : rows) expected[std::string(row.key)] = {std::string(row.value), row.expire_ts};
    auto scanner = table->scan_partition(0, {.batch_size = 1000, .return_expire_ts = true});
    while (auto batch = client.must(scanner->next(soon())))
      for (auto& row : batch->rows)
        found[std::string(row.key)] = {std::string(row.value), row.expire_ts};
    EXPECT_EQ(found, expected);
  }
  int64_t next_decree() { return client.must(table->del("none", "", soon())).decree; }

  testing::SimClock server_clock;
  TestCluster cluster{server_clock, {.duplication_group = {{"test", 1}, {"source", 2}}}};
  TestClient client{cluster.meta_address()};
  std::shared_ptr<Table> table = client.create_table("t", 1);
  std::deque<std::string> keys, values;
  std::vector<RawRow> rows;
  DuplicateWrite how{.cluster_id = 2, .timestamp_us = server_clock.unix_us() - 600'000'000};
};

TEST_F(DuplicateWriteTest, NothingIsWrittenForNoRows) {
  must_write();
  expect_written();
}

TEST_F(DuplicateWriteTest, RowsOfAllKindsArriveWithTheirExpiry) {
  for (int i = 0; i < 1300; ++i) add("hash" + std::to_string(i / 3), std::to_string(i), "v", i);
  for (int i = 0; i < 20; ++i) add("", "no hash key" + std::to_string(i), "");
  for (int i = 0; i < 7; ++i) add("large", std::to_string(i), std::string(200'000, char('a' + i)));
  add("nearly", "too large", std::string(1'000'000, 'x'));
  add("same", "row", "first");
  add("same", "row", "second");
  must_write();
  expect_written();
}

TEST_F(DuplicateWriteTest, AThousandRowsShareARequest) {
  for (int i = 0; i < 2001; ++i) add("hash" + std::to_string(i), "", "v");
  auto before = next_decree();
  must_write();
  EXPECT_EQ(next_decree(), before + 4);  // three requests, and the one that asks
}

TEST_F(DuplicateWriteTest, LargeRowsTravelInSmallerRequests) {
  for (int i = 0; i < 10; ++i) add("h" + std::to_string(i), "", std::string(200'000, 'v'));
  auto before = next_decree();
  must_write();
  EXPECT_EQ(next_decree(), before + 6);
}

TEST_F(DuplicateWriteTest, VerifiedRowsGiveWayToWhatClientsWroteSince) {
  client.must(table->set("h", "mine", "newer", 0, soon()));
  add("h", "mine", "older");
  add("h", "other", "v");
  how.verify_timetag = true;
  must_write();
  EXPECT_EQ(get("h", "mine"), "newer");
  EXPECT_EQ(get("h", "other"), "v");
  how.verify_timetag = false;
  must_write();
  EXPECT_EQ(get("h", "mine"), "older");
}

TEST_F(DuplicateWriteTest, GoesOnWhenTheClusterHasRestarted) {
  for (int i = 0; i < 1200; ++i) add("hash" + std::to_string(i), "", "v");
  must_write();
  cluster.restart();
  for (auto& value : values) value = "w";
  must_write();
  expect_written();
}

TEST_F(DuplicateWriteTest, ErrorsCarryTheServersHint) {
  add("h", "s", "v");
  how.cluster_id = 3;
  expect_refused("request cluster id is unconfigured (the [duplication-group]");
  how.cluster_id = 1;
  expect_refused("self-duplicating");
  how = {.cluster_id = 2, .timestamp_us = server_clock.unix_us() + 1};
  expect_refused("later than this server's clock");
  EXPECT_EQ(get("h", "s"), std::nullopt);
}

TEST_F(DuplicateWriteTest, ARowThatIsTooLargeIsNamed) {
  add("h", "huge", std::string(4 << 20, 'v'));
  auto refused = write();
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().to_string(), HasSubstr("\"h\" : \"huge\" is too large"));
}

}  // namespace
}  // namespace pegmove::client
