// Scans on the wire: the contents of each reply, and the lifetime of a context.
#include <gmock/gmock.h>

#include "data_types.h"
#include "record/expiry.h"
#include "record/key.h"
#include "testing/sim_clock.h"
#include "testing/wire_client.h"

namespace pegmove::server::replica {
namespace {

using testing::TestClient;
using testing::TestCluster;
using testing::WireClient;
using wire::RpcCode;

constexpr int32_t kNotFound = int32_t(wire::StorageStatus::kNotFound);
constexpr int64_t kEnd = -1;

class ServerScanTest : public ::testing::Test {
 protected:
  void fill(const std::string& hash, int rows) {
    std::vector<client::SortValue> values;
    for (int i = 0; i < rows; ++i) values.push_back({std::to_string(10'000 + i), "v"});
    client.must(table->multi_set(hash, std::move(values), 0, client.deadline()));
  }
  // All rows of the hash key.
  static wire::get_scanner_request whole(const std::string& hash, int32_t batch_size) {
    wire::get_scanner_request request;
    request.start_key.data = record::encode_key(hash, "");
    request.start_inclusive = true;
    request.stop_key.data = record::next_hash_key(hash);
    request.batch_size = batch_size;
    return request;
  }
  wire::scan_response open(const wire::get_scanner_request& request) {
    return wire.call<wire::scan_response>(RpcCode::kGetScanner, gpid, request);
  }
  wire::scan_response next_batch(int64_t context) {
    wire::scan_request request;
    request.context_id = context;
    return wire.call<wire::scan_response>(RpcCode::kScan, gpid, request);
  }
  void expect_forgotten(int64_t context) {
    auto reply = next_batch(context);
    EXPECT_EQ(reply.error, kNotFound);
    EXPECT_EQ(reply.context_id, 0);
    EXPECT_TRUE(reply.kvs.empty());
  }

  testing::SimClock clock;
  TestCluster cluster{clock};
  TestClient client{cluster.meta_address()};
  std::shared_ptr<client::Table> table = client.create_table("t", 1);
  Gpid gpid{table->app_id(), 0};
  bool answered = false;  // outlives the calls of `wire`, which end with it
  WireClient wire{client, cluster.replica_addresses()[0]};
};

TEST_F(ServerScanTest, RowsHaveRawKeysAndValuesOrNot) {
  fill("h", 2);
  auto reply = open(whole("h", 100));
  EXPECT_EQ(reply.context_id, kEnd);
  EXPECT_EQ(reply.server, cluster.replica_addresses()[0].to_string());
  ASSERT_EQ(reply.kvs.size(), 2u);
  EXPECT_EQ(reply.kvs[0].key.data, record::encode_key("h", "10000"));
  EXPECT_EQ(reply.kvs[0].value.data, "v");
  EXPECT_FALSE(reply.kvs[0].__isset.expire_ts_seconds);
  EXPECT_FALSE(reply.__isset.kv_count);
  auto request = whole("h", 100);
  request.no_value = true;
  request.__set_return_expire_ts(true);
  reply = open(request);
  EXPECT_EQ(reply.kvs[1].value.data, "");
  EXPECT_TRUE(reply.kvs[1].__isset.expire_ts_seconds);
  EXPECT_EQ(reply.kvs[1].expire_ts_seconds, 0);
}

TEST_F(ServerScanTest, EachReplyHasANewContextUntilTheEnd) {
  fill("h", 10);
  auto reply = open(whole("h", 4));
  EXPECT_EQ(reply.kvs.size(), 4u);
  auto first = reply.context_id;
  ASSERT_GT(first, 0);
  reply = next_batch(first);
  EXPECT_EQ(reply.kvs.size(), 4u);
  ASSERT_GT(reply.context_id, 0);
  EXPECT_NE(reply.context_id, first);
  expect_forgotten(first);
  reply = next_batch(reply.context_id);
  EXPECT_EQ(reply.kvs.size(), 2u);
  EXPECT_EQ(reply.context_id, kEnd);
}

TEST_F(ServerScanTest, TheRowAtAnInclusiveStopEndsTheScan) {
  fill("h", 10);
  auto request = whole("h", 4);
  request.stop_key.data = record::encode_key("h", "10003");
  request.stop_inclusive = true;
  auto reply = open(request);
  EXPECT_EQ(reply.kvs.size(), 4u);
  EXPECT_EQ(reply.context_id, kEnd);
  // With an exclusive stop, the row at the stop gives an empty batch.
  request.stop_key.data = record::encode_key("h", "10004");
  request.stop_inclusive = false;
  reply = open(request);
  EXPECT_EQ(reply.kvs.size(), 4u);
  ASSERT_GT(reply.context_id, 0);
  reply = next_batch(reply.context_id);
  EXPECT_TRUE(reply.kvs.empty());
  EXPECT_EQ(reply.context_id, kEnd);
}

TEST_F(ServerScanTest, AScanWithAHashKeyStaysInItUnlessItIsFull) {
  fill("h", 3);
  fill("i", 3);
  auto request = whole("h", 100);
  request.stop_key.data = "\xff\xff";
  EXPECT_EQ(open(request).kvs.size(), 3u);
  request.__set_full_scan(true);
  EXPECT_EQ(open(request).kvs.size(), 6u);
}

TEST_F(ServerScanTest, AHashKeyPrefixDoesNotConfineAScanOfThePartition) {
  for (const char* hash : {"o1", "p0", "p01", "p02"}) fill(hash, 2);
  wire::get_scanner_request request;
  request.start_key.data = record::encode_key("", "");
  request.start_inclusive = true;
  request.stop_key.data = "\xff\xff";
  request.batch_size = 100;
  request.hash_key_filter_type = wire::FT_MATCH_PREFIX;
  request.hash_key_filter_pattern.data = "p0";
  auto reply = open(request);
  EXPECT_EQ(reply.kvs.size(), 6u);
  EXPECT_EQ(reply.context_id, kEnd);
  // With a hash key in the start it stays within the one that it begins at.
  request.start_key.data = record::encode_key("o1", "");
  EXPECT_EQ(open(request).kvs.size(), 2u);
}

TEST_F(ServerScanTest, AnEmptyRangeIsAtItsEnd) {
  fill("h", 3);
  auto request = whole("h", 100);
  std::swap(request.start_key, request.stop_key);
  auto reply = open(request);
  EXPECT_EQ(reply.error, 0);
  EXPECT_TRUE(reply.kvs.empty());
  EXPECT_EQ(reply.context_id, kEnd);
}

TEST_F(ServerScanTest, AnEmptyStopKeyLiesBeforeEveryKey) {
  fill("h", 3);
  auto request = whole("h", 100);
  request.stop_key.data.clear();
  auto reply = open(request);
  EXPECT_EQ(reply.error, 0);
  EXPECT_TRUE(reply.kvs.empty());
  EXPECT_EQ(reply.context_id, kEnd);
}

TEST_F(ServerScanTest, ABatchHasAtMost1000RowsAndLooksAtNoMore) {
  fill("h", 2500);
  for (int32_t batch_size : {0, -1, 5000}) {
    auto reply = open(whole("h", batch_size));
    EXPECT_EQ(reply.kvs.size(), 1000u);
    EXPECT_EQ(next_batch(reply.context_id).kvs.size(), 1000u);
  }
  auto request = whole("h", 10);
  request.sort_key_filter_type = wire::FT_MATCH_POSTFIX;
  request.sort_key_filter_pattern.data = "12499";  // the last one
  auto reply = open(request);
  int batches = 1;
  for (; reply.kvs.empty() && reply.context_id > 0; ++batches) reply = next_batch(reply.context_id);
  EXPECT_EQ(reply.kvs.size(), 1u);
  EXPECT_EQ(batches, 151);  // 1000 rows in the first, 10 in each other
}

TEST_F(ServerScanTest, ACountComesInsteadOfRows) {
  fill("h", 10);
  auto request = whole("h", 7);
  request.__set_only_return_count(true);
  auto reply = open(request);
  EXPECT_TRUE(reply.kvs.empty());
  EXPECT_EQ(reply.kv_count, 7);
  reply = next_batch(reply.context_id);
  EXPECT_TRUE(reply.__isset.kv_count);
  EXPECT_EQ(reply.kv_count, 3);
  EXPECT_EQ(reply.context_id, kEnd);
}

TEST_F(ServerScanTest, AContextThatNobodyGaveOutIsUnknown) {
  for (int64_t context : {int64_t{0}, int64_t{1}, int64_t{-2}, INT64_MAX, INT64_MIN})
    expect_forgotten(context);
}

TEST_F(ServerScanTest, AContextLivesForFiveIdleMinutes) {
  fill("h", 10);
  auto reply = open(whole("h", 2));
  for (int i = 0; i < 3; ++i) {  // each use restarts the idle time
    clock.advance(std::chrono::seconds(299));
    reply = next_batch(reply.context_id);
    EXPECT_EQ(reply.kvs.size(), 2u);
  }
  clock.advance(std::chrono::seconds(301));
  expect_forgotten(reply.context_id);
}

TEST_F(ServerScanTest, ARestartForgetsContexts) {
  fill("h", 10);
  auto context = open(whole("h", 2)).context_id;
  cluster.restart();
  WireClient again(client, cluster.replica_addresses()[0]);
  wire::scan_request request;
  request.context_id = context;
  EXPECT_EQ(again.call<wire::scan_response>(RpcCode::kScan, gpid, request).error, kNotFound);
}

TEST_F(ServerScanTest, AClearedContextIsForgottenWithoutAnAnswer) {
  fill("h", 10);
  auto context = open(whole("h", 2)).context_id;
  std::string body;
  wire::append_i64_body(body, context, 0);
  wire.start(RpcCode::kClearScanner, gpid, body, [this](auto) { answered = true; });
  for (int i = 0; i < 100; ++i) open(whole("h", 100));  // opened later, and still answered
  expect_forgotten(context);
  EXPECT_FALSE(answered);
}

TEST_F(ServerScanTest, AScanSeesNoLaterWritesAndKeepsTheTimeOfEachRequest) {
  fill("h", 4);
  auto expire_ts = record::pegasus_seconds(clock.unix_seconds() + 10);
  client.must(table->set("h", "10004", "expires", expire_ts, client.deadline()));
  auto reply = open(whole("h", 2));
  client.must(table->del("h", "10003", client.deadline()));
  client.must(table->set("h", "10002", "changed", 0, client.deadline()));
  clock.advance(std::chrono::seconds(10));
  reply = next_batch(reply.context_id);
  ASSERT_EQ(reply.kvs.size(), 2u);
  EXPECT_EQ(reply.kvs[0].value.data, "v");
  EXPECT_EQ(reply.kvs[1].key.data, record::encode_key("h", "10003"));
  reply = next_batch(reply.context_id);
  EXPECT_TRUE(reply.kvs.empty());  // rows that expired meanwhile are gone
  EXPECT_EQ(reply.context_id, kEnd);
}

}  // namespace
}  // namespace pegmove::server::replica
