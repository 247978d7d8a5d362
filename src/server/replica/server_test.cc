// The servers on the wire: framings, refusals, persistence.
#include <gmock/gmock.h>

#include "data_types.h"
#include "meta_types.h"
#include "record/expiry.h"
#include "record/key.h"
#include "store/partition_db.h"
#include "testing/sim_clock.h"
#include "testing/wire_client.h"

namespace pegmove::server::replica {
namespace {

using testing::TestClient;
using testing::TestCluster;
using testing::WireClient;
using wire::ErrorCode;
using wire::Framing;
using wire::RpcCode;

constexpr int32_t kInvalid = int32_t(wire::StorageStatus::kInvalidArgument);

class ServerTest : public ::testing::Test {
 protected:
  net::Address node() { return cluster.replica_addresses()[0]; }
  WireClient speak(Framing framing) { return {client, node(), framing}; }
  static wire::update_request put(const std::string& hash, const std::string& sort,
                                  const std::string& value, uint32_t expire_ts = 0) {
    wire::update_request request;
    request.key.data = record::encode_key(hash, sort);
    request.value.data = value;
    request.expire_ts_seconds = int32_t(expire_ts);
    return request;
  }
  static wire::blob key(const std::string& hash, const std::string& sort) {
    return {record::encode_key(hash, sort)};
  }

  testing::SimClock clock;
  TestCluster cluster{clock};
  TestClient client{cluster.meta_address()};
  std::shared_ptr<client::Table> table = client.create_table("t", 1);
  Gpid gpid{table->app_id(), 0};
};

TEST_F(ServerTest, AnswersEveryFraming) {
  for (auto framing : {Framing::kRdsn, Framing::kThriftV0, Framing::kThriftV1}) {
    WireClient wire(client, node(), framing);
    auto value = "value" + std::to_string(int(framing));
    auto written = wire.call<wire::update_response>(RpcCode::kPut, gpid, put("h", "s", value));
    EXPECT_EQ(written.error, 0);
    EXPECT_EQ(written.app_id, gpid.app_id);
    EXPECT_EQ(written.server, node().to_string());
    auto read = wire.call<wire::read_response>(RpcCode::kGet, gpid, key("h", "s"));
    EXPECT_EQ(read.error, 0);
    EXPECT_EQ(read.value.data, value);
    wire::multi_get_request request;
    request.hash_key.data = "h";
    EXPECT_EQ(wire.call<wire::multi_get_response>(RpcCode::kMultiGet, gpid, request).kvs.size(),
              1u);
  }
}

TEST_F(ServerTest, NamesOfHostsAreToldInRdsnOnly) {
  for (auto framing : {Framing::kRdsn, Framing::kThriftV0, Framing::kThriftV1}) {
    WireClient meta(client, cluster.meta_address(), framing);
    bool named = framing == Framing::kRdsn;
    wire::query_cfg_request query;
    query.app_name = "t";
    auto config = meta.call<wire::query_cfg_response>(RpcCode::kQueryConfig, {}, query);
    ASSERT_EQ(config.partitions.size(), 1u);
    const auto& partition = config.partitions[0];
    EXPECT_EQ(partition.primary, wire::rpc_address::of(node().ipv4, node().port));
    EXPECT_EQ(partition.__isset.hp_primary, named);
    EXPECT_EQ(partition.__isset.hp_secondaries, named);
    EXPECT_EQ(partition.__isset.hp_last_drops, named);
    auto nodes = meta.call<wire::configuration_list_nodes_response>(
        RpcCode::kListNodes, {}, wire::configuration_list_nodes_request());
    ASSERT_EQ(nodes.infos.size(), 1u);
    EXPECT_EQ(nodes.infos[0].__isset.hp_node, named);
  }
}

TEST_F(ServerTest, RequestsAtTheWrongPlaceAreRefused) {
  WireClient replica(client, node()), meta(client, cluster.meta_address());
  auto body = replica.encode(key("h", "s"));
  auto error = [](const Result<net::IncomingReply>& reply) { return reply->error; };
  EXPECT_EQ(error(replica.call_raw(RpcCode::kGet, {gpid.app_id, 1}, body)),
            ErrorCode::kObjectNotFound);
  EXPECT_EQ(error(replica.call_raw(RpcCode::kPut, {gpid.app_id + 1, 0}, body)),
            ErrorCode::kObjectNotFound);
  EXPECT_EQ(error(replica.call_raw(RpcCode::kGet, {gpid.app_id, -1}, body)),
            ErrorCode::kObjectNotFound);
  EXPECT_EQ(error(replica.call_raw(RpcCode::kGet, {}, body)), ErrorCode::kHandlerNotFound);
  EXPECT_EQ(error(meta.call_raw(RpcCode::kGet, gpid, body)), ErrorCode::kHandlerNotFound);
  EXPECT_EQ(error(replica.call_raw(RpcCode::kListApps, {}, body)), ErrorCode::kHandlerNotFound);
  EXPECT_EQ(error(meta.call_raw(RpcCode::kListApps, gpid, body)), ErrorCode::kHandlerNotFound);
}

TEST_F(ServerTest, BodiesThatDoNotDecodeAreRefused) {
  for (auto framing : {Framing::kRdsn, Framing::kThriftV0, Framing::kThriftV1}) {
    WireClient wire(client, node(), framing);
    for (auto code : {RpcCode::kGet, RpcCode::kTtl, RpcCode::kBatchGet, RpcCode::kMultiGet,
                      RpcCode::kSortkeyCount, RpcCode::kGetScanner, RpcCode::kScan})
      EXPECT_EQ(wire.call_raw(code, gpid, "\x0c nonsense")->error, ErrorCode::kInvalidParameters);
    for (auto code : {RpcCode::kPut, RpcCode::kRemove, RpcCode::kMultiPut}) {
      auto reply = wire.call_raw(code, gpid, "\x0c nonsense");
      EXPECT_EQ(WireClient::decode<wire::update_response>(*reply).error, kInvalid);
    }
  }
}

TEST_F(ServerTest, MalformedKeysAreInvalid) {
  WireClient wire(client, node());
  for (std::string bad : {std::string(), std::string(1, '\0'), std::string("\0\5hash", 6),
                          std::string("\xff\xff") + std::string(65535, 'h')}) {
    wire::blob bad_key{bad};
    wire::update_request bad_put;
    bad_put.key.data = bad;
    EXPECT_EQ(wire.call<wire::read_response>(RpcCode::kGet, gpid, bad_key).error, kInvalid);
    EXPECT_EQ(wire.call<wire::ttl_response>(RpcCode::kTtl, gpid, bad_key).error, kInvalid);
    EXPECT_EQ(wire.call<wire::update_response>(RpcCode::kPut, gpid, bad_put).error, kInvalid);
    EXPECT_EQ(wire.call<wire::update_response>(RpcCode::kRemove, gpid, bad_key).error, kInvalid);
  }
}

TEST_F(ServerTest, HashKeysThatAreTooLongAreInvalid) {
  WireClient wire(client, node());
  wire::blob hash_key{std::string(65535, 'h')};
  wire::multi_put_request multi_put;
  multi_put.hash_key = hash_key;
  multi_put.kvs.resize(1);
  wire::multi_remove_request multi_remove;
  multi_remove.hash_key = hash_key;
  multi_remove.sort_keys.resize(1);
  wire::multi_get_request multi_get;
  multi_get.hash_key = hash_key;
  wire::batch_get_request batch_get;
  batch_get.keys.resize(1);
  batch_get.keys[0].hash_key = hash_key;
  EXPECT_EQ(wire.call<wire::update_response>(RpcCode::kMultiPut, gpid, multi_put).error, kInvalid);
  EXPECT_EQ(wire.call<wire::multi_remove_response>(RpcCode::kMultiRemove, gpid, multi_remove).error,
            kInvalid);
  EXPECT_EQ(wire.call<wire::multi_get_response>(RpcCode::kMultiGet, gpid, multi_get).error,
            kInvalid);
  EXPECT_EQ(wire.call<wire::batch_get_response>(RpcCode::kBatchGet, gpid, batch_get).error,
            kInvalid);
  EXPECT_EQ(wire.call<wire::count_response>(RpcCode::kSortkeyCount, gpid, hash_key).error,
            kInvalid);
}

TEST_F(ServerTest, EmptyListsAndUnknownFiltersAreInvalid) {
  WireClient wire(client, node());
  wire::multi_put_request multi_put;
  multi_put.hash_key.data = "h";
  wire::multi_remove_request multi_remove;
  multi_remove.hash_key.data = "h";
  wire::multi_get_request multi_get;
  multi_get.hash_key.data = "h";
  multi_get.sort_key_filter_type = wire::filter_type(4);
  EXPECT_EQ(wire.call<wire::update_response>(RpcCode::kMultiPut, gpid, multi_put).error, kInvalid);
  EXPECT_EQ(wire.call<wire::multi_remove_response>(RpcCode::kMultiRemove, gpid, multi_remove).error,
            kInvalid);
  EXPECT_EQ(wire.call<wire::multi_get_response>(RpcCode::kMultiGet, gpid, multi_get).error,
            kInvalid);
  multi_get.sort_keys.resize(1);  // by name, too
  EXPECT_EQ(wire.call<wire::multi_get_response>(RpcCode::kMultiGet, gpid, multi_get).error,
            kInvalid);
  EXPECT_EQ(wire.call<wire::batch_get_response>(RpcCode::kBatchGet, gpid, wire::batch_get_request())
                .error,
            kInvalid);
}

TEST_F(ServerTest, BatchGetAnswersInTheOrderOfTheRequestWithDoubles) {
  WireClient wire(client, node());
  for (const auto* sort : {"a", "b"})
    wire.call<wire::update_response>(RpcCode::kPut, gpid, put("h", sort, sort));
  wire::batch_get_request request;
  for (const auto* sort : {"b", "missing", "a", "b"}) {
    auto& full = request.keys.emplace_back();
    full.hash_key.data = "h";
    full.sort_key.data = sort;
  }
  std::string found;
  for (auto& row : wire.call<wire::batch_get_response>(RpcCode::kBatchGet, gpid, request).data)
    found += row.hash_key.data + row.sort_key.data + row.value.data + " ";
  EXPECT_EQ(found, "hbb haa hbb ");
}

TEST_F(ServerTest, AnExpiryBeyond31BitsIsAMomentToo) {
  WireClient wire(client, node());
  auto now = record::pegasus_seconds(clock.unix_seconds());
  wire.call<wire::update_response>(RpcCode::kPut, gpid, put("h", "s", "v", uint32_t(-5)));
  EXPECT_EQ(wire.call<wire::read_response>(RpcCode::kGet, gpid, key("h", "s")).value.data, "v");
  EXPECT_EQ(wire.call<wire::ttl_response>(RpcCode::kTtl, gpid, key("h", "s")).ttl_seconds,
            int32_t(uint32_t(-5) - now));
}

TEST_F(ServerTest, NobodyHasToAuthenticate) {
  for (auto address : {node(), cluster.meta_address()}) {
    WireClient wire(client, address);
    auto answer = wire.call<wire::negotiation_response>(RpcCode::kNegotiation, {},
                                                        wire::negotiation_request());
    EXPECT_EQ(int(answer.status), int(wire::SASL_AUTH_DISABLE));
  }
}

TEST_F(ServerTest, DataAndDecreesSurviveARestart) {
  int64_t decree = 0;
  for (int i = 0; i < 50; ++i)
    decree = client.must(table->set("h", std::to_string(i), "v", 0, client.deadline())).decree;
  cluster.restart();
  EXPECT_EQ(client.must(table->sort_key_count("h", client.deadline())).count, 50);
  EXPECT_EQ(client.must(table->set("h", "next", "v", 0, client.deadline())).decree, decree + 1);
}

TEST_F(ServerTest, APartitionIsADatabaseOfPegasusWithTwoColumnFamilies) {
  auto expire_ts = record::pegasus_seconds(clock.unix_seconds() + 100);
  client.must(table->set("h", "s", "v", expire_ts, client.deadline()));
  auto last = client.must(table->del("h", "none", client.deadline())).decree;
  cluster.stop();
  auto path = cluster.data_dir() + "/replica0/" + gpid.to_string() + ".pegasus/data/rdb";
  std::vector<std::string> families;
  ASSERT_TRUE(rocksdb::DB::ListColumnFamilies({}, path, &families).ok());
  EXPECT_THAT(families, ::testing::ElementsAre("default", "pegasus_meta_cf"));
  auto db = store::PartitionDb::open({.path = path});
  ASSERT_TRUE(db) << db.error().to_string();
  EXPECT_EQ((*db)->last_decree(), last);
  EXPECT_EQ((*db)->data_version(), 1);
  auto row = (*db)->get(record::encode_key("h", "s"));
  ASSERT_TRUE(row && *row);
  EXPECT_EQ((*row)->user_data(), "v");
  EXPECT_EQ((*row)->expire_ts(), expire_ts);
}

}  // namespace
}  // namespace pegmove::server::replica
