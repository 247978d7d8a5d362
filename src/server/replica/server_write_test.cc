// The write path seen by clients: order, decrees, atomicity, default_ttl, sizes.
#include <gmock/gmock.h>

#include "data_types.h"
#include "record/key.h"
#include "testing/sim_clock.h"
#include "testing/wire_client.h"

namespace pegmove::server::replica {
namespace {

using testing::TestClient;
using testing::TestCluster;
using testing::WireClient;
using wire::ErrorCode;
using wire::RpcCode;

class ServerWriteTest : public ::testing::Test {
 protected:
  net::Address node() { return cluster.replica_addresses()[0]; }
  static wire::update_request put(const std::string& sort, const std::string& value) {
    wire::update_request request;
    request.key.data = record::encode_key("h", sort);
    request.value.data = value;
    return request;
  }
  static wire::multi_put_request multi_put(int rows, const std::string& value) {
    wire::multi_put_request request;
    request.hash_key.data = "h";
    request.kvs.resize(size_t(rows));
    for (int i = 0; i < rows; ++i) {
      request.kvs[size_t(i)].key.data = std::to_string(i);
      request.kvs[size_t(i)].value.data = value;
    }
    return request;
  }
  std::optional<std::string> get(const std::string& sort) {
    return client.must(table->get("h", sort, client.deadline())).value;
  }
  std::optional<int32_t> ttl(const std::string& sort) {
    return client.must(table->ttl("h", sort, client.deadline())).seconds;
  }
  int64_t next_decree() { return client.must(table->del("h", "none", client.deadline())).decree; }

  testing::SimClock clock;
  TestCluster cluster{clock};
  TestClient client{cluster.meta_address()};
  std::shared_ptr<client::Table> table = client.create_table("t", 1);
  Gpid gpid{table->app_id(), 0};
};

TEST_F(ServerWriteTest, EveryWriteTakesTheNextDecree) {
  auto before = next_decree();
  auto soon = client.deadline();
  EXPECT_EQ(client.must(table->set("h", "s", "v", 0, soon)).decree, before + 1);
  EXPECT_EQ(client.must(table->del("h", "s", soon)).decree, before + 2);
  EXPECT_EQ(client.must(table->multi_set("h", {{"a", "1"}, {"b", "2"}}, 0, soon)).decree,
            before + 3);
  EXPECT_EQ(client.must(table->multi_del("h", {"a", "b"}, soon)).info.decree, before + 4);
  WireClient wire(client, node());
  wire::update_request malformed;  // refused, and counted
  EXPECT_EQ(wire.call<wire::update_response>(RpcCode::kPut, gpid, malformed).decree, before + 5);
  EXPECT_EQ(wire.call<wire::update_response>(RpcCode::kMultiPut, gpid, multi_put(0, "")).decree,
            before + 6);
  EXPECT_EQ(next_decree(), before + 7);
}

TEST_F(ServerWriteTest, PutsInFlightAreCarriedOutAndAnsweredInOrder) {
  WireClient wire(client, node());
  std::vector<std::string> bodies;
  for (int i = 0; i < 3000; ++i) bodies.push_back(wire.encode(put("s", std::to_string(i))));
  std::vector<int> order;
  std::vector<int64_t> decrees;
  for (int i = 0; i < 3000; ++i)
    wire.start(RpcCode::kPut, gpid, bodies[size_t(i)], [&, i](Result<net::IncomingReply> reply) {
      order.push_back(i);
      decrees.push_back(WireClient::decode<wire::update_response>(*reply).decree);
    });
  EXPECT_EQ(wire.call<wire::update_response>(RpcCode::kPut, gpid, put("other", "v")).error, 0);
  ASSERT_EQ(order.size(), 3000u);
  EXPECT_TRUE(std::ranges::is_sorted(order));
  for (size_t i = 1; i < decrees.size(); ++i) {
    // Puts that arrive together share a mutation; decrees have no gaps.
    ASSERT_GE(decrees[i], decrees[i - 1]);
    ASSERT_LE(decrees[i], decrees[i - 1] + 1);
  }
  EXPECT_LT(decrees.back() - decrees.front(), 2999);  // some shared a mutation
  EXPECT_EQ(get("s"), "2999");
}

TEST_F(ServerWriteTest, OtherWritesInFlightTakeADecreeEach) {
  WireClient wire(client, node());
  auto before = next_decree();
  std::vector<std::string> bodies;
  for (int i = 0; i < 500; ++i) bodies.push_back(wire.encode(multi_put(3, std::to_string(i))));
  auto replies = wire.call_all<wire::update_response>(RpcCode::kMultiPut, gpid, bodies);
  ASSERT_EQ(replies.size(), 500u);
  for (auto& reply : replies) ASSERT_EQ(reply.decree, ++before);
  EXPECT_EQ(get("1"), "499");
}

TEST_F(ServerWriteTest, WritesOfSeveralKindsInFlightKeepTheirOrderAndTheirDecrees) {
  WireClient wire(client, node());
  auto decree = next_decree();
  std::vector<int64_t> decrees;
  auto note = [&](Result<net::IncomingReply> reply) {
    decrees.push_back(WireClient::decode<wire::update_response>(*reply).decree);
  };
  for (int i = 0; i < 300; ++i) {
    wire.start(RpcCode::kMultiPut, gpid, wire.encode(multi_put(2, "m" + std::to_string(i))), note);
    wire.start(RpcCode::kPut, gpid, wire.encode(put("0", "p" + std::to_string(i))), note);
  }
  auto last = wire.call<wire::update_response>(RpcCode::kMultiPut, gpid, multi_put(0, ""));
  ASSERT_EQ(decrees.size(), 600u);
  for (auto each : decrees) ASSERT_EQ(each, ++decree);
  EXPECT_EQ(last.decree, decree + 1);
  EXPECT_EQ(get("0"), "p299");
  EXPECT_EQ(get("1"), "m299");
  cluster.restart();
  EXPECT_EQ(next_decree(), decree + 2);  // the last of those that were written together counts
}

TEST_F(ServerWriteTest, PutsAndRemovesOfAKeyKeepTheirOrder) {
  WireClient wire(client, node());
  auto put_body = wire.encode(put("s", "v"));
  auto remove_body = wire.encode(wire::blob{record::encode_key("h", "s")});
  int answered = 0;
  auto count = [&](Result<net::IncomingReply> reply) { answered += reply.has_value(); };
  for (int i = 0; i < 501; ++i) {
    wire.start(RpcCode::kPut, gpid, put_body, count);
    wire.start(RpcCode::kRemove, gpid, remove_body, count);
  }
  EXPECT_EQ(wire.call<wire::update_response>(RpcCode::kPut, gpid, put("other", "v")).error, 0);
  EXPECT_EQ(answered, 1002);
  EXPECT_EQ(get("s"), std::nullopt);
}

TEST_F(ServerWriteTest, WritersOnSeveralConnectionsShareTheDecrees) {
  auto before = next_decree();
  std::vector<std::unique_ptr<WireClient>> writers;
  std::vector<std::vector<int64_t>> decrees(8);
  int answered = 0;
  for (int writer = 0; writer < 8; ++writer)
    writers.push_back(std::make_unique<WireClient>(client, node()));
  for (int i = 0; i < 200; ++i)
    for (size_t writer = 0; writer < 8; ++writer) {
      auto body = writers[writer]->encode(put(std::to_string(writer), std::to_string(i)));
      writers[writer]->start(
          RpcCode::kPut, gpid, body, [&, writer](Result<net::IncomingReply> reply) {
            decrees[writer].push_back(WireClient::decode<wire::update_response>(*reply).decree);
            ++answered;
          });
    }
  for (auto end = client.deadline(); answered < 1600 && !end.passed(client.clock());)
    client.must(table->get("h", "s", client.deadline()));  // lets the context run
  ASSERT_EQ(answered, 1600);
  std::set<int64_t> all;
  for (size_t writer = 0; writer < 8; ++writer) {
    EXPECT_TRUE(std::ranges::is_sorted(decrees[writer]));
    all.insert(decrees[writer].begin(), decrees[writer].end());
    EXPECT_EQ(get(std::to_string(writer)), "199");
  }
  EXPECT_EQ(*all.begin(), before + 1);
  EXPECT_EQ(*all.rbegin(), before + int64_t(all.size()));  // none is missing
  EXPECT_EQ(next_decree(), *all.rbegin() + 1);
}

TEST_F(ServerWriteTest, AMultiPutIsSeenWholeOrNotAtAll) {
  WireClient writer(client, node()), reader(client, node());
  wire::multi_get_request get_all;
  get_all.hash_key.data = "h";
  auto read_body = reader.encode(get_all);
  int written = 0, reads = 0, mixed = 0, versions = 0;
  std::string last;
  for (int i = 0; i < 400; ++i) {
    auto body = writer.encode(multi_put(20, std::to_string(i)));
    writer.start(RpcCode::kMultiPut, gpid, body, [&](auto reply) { written += reply.has_value(); });
    reader.start(RpcCode::kMultiGet, gpid, read_body, [&](Result<net::IncomingReply> reply) {
      auto rows = WireClient::decode<wire::multi_get_response>(*reply).kvs;
      ++reads;
      for (auto& row : rows) mixed += row.value.data != rows[0].value.data;
      mixed += !rows.empty() && rows.size() != 20;
      if (rows.empty() || rows[0].value.data == last) return;
      last = rows[0].value.data;
      ++versions;
    });
  }
  for (auto end = client.deadline(); (written < 400 || reads < 400) && !end.passed(client.clock());)
    client.must(table->get("h", "s", client.deadline()));
  EXPECT_EQ(written, 400);
  EXPECT_EQ(reads, 400);
  EXPECT_EQ(mixed, 0);
  EXPECT_GT(versions, 1);  // reads and writes did meet
}

TEST_F(ServerWriteTest, DefaultTtlIsForRowsWithoutExpiry) {
  auto soon = client.deadline();
  client.must(client.cluster().set_envs("t", {{"default_ttl", "100"}}, soon));
  client.must(table->set("h", "set", "v", 0, soon));
  client.must(table->set("h", "own expiry", "v", uint32_t(-1), soon));
  client.must(table->multi_set("h", {{"multi", "v"}}, 0, soon));
  EXPECT_EQ(ttl("set"), 100);
  EXPECT_EQ(ttl("multi"), 100);
  EXPECT_NE(ttl("own expiry"), 100);
  cluster.restart();  // the env is kept
  client.must(table->set("h", "after restart", "v", 0, client.deadline()));
  EXPECT_EQ(ttl("after restart"), 100);
  client.must(client.cluster().clear_envs("t", "", client.deadline()));
  client.must(table->set("h", "cleared", "v", 0, client.deadline()));
  EXPECT_EQ(ttl("cleared"), -1);
  clock.advance(std::chrono::seconds(100));
  EXPECT_EQ(get("set"), std::nullopt);
  EXPECT_EQ(get("multi"), std::nullopt);
  EXPECT_EQ(get("cleared"), "v");
}

TEST_F(ServerWriteTest, RequestsBeyondTheLimitAreRefusedAndTakeNoDecree) {
  auto before = next_decree();
  WireClient wire(client, node());
  auto overhead = wire.encode(put("s", "")).size();
  auto fits = wire.encode(put("s", std::string((1 << 20) - overhead, 'v')));
  ASSERT_EQ(fits.size(), 1u << 20);
  auto reply = wire.call_raw(RpcCode::kPut, gpid, fits);
  EXPECT_EQ(WireClient::decode<wire::update_response>(*reply).decree, before + 1);
  auto too_large = wire.encode(put("s", std::string((1 << 20) - overhead + 1, 'v')));
  EXPECT_EQ(wire.call_raw(RpcCode::kPut, gpid, too_large)->error, ErrorCode::kInvalidData);
  EXPECT_EQ(next_decree(), before + 2);
}

TEST_F(ServerWriteTest, TheLimitIsAsConfigured) {
  TestCluster small(clock, {.max_request_size = 1000});
  TestClient other(small.meta_address());
  auto opened = other.create_table("t", 1);
  EXPECT_TRUE(other.run(opened->set("h", "s", std::string(800, 'v'), 0, other.deadline())));
  EXPECT_FALSE(other.run(opened->set("h", "s", std::string(1000, 'v'), 0, other.deadline())));
}

}  // namespace
}  // namespace pegmove::server::replica
