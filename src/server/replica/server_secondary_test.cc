// Secondaries: what the other nodes of a partition answer.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "data_types.h"
#include "meta_types.h"
#include "record/key.h"
#include "replica_admin_types.h"
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

class SecondaryTest : public ::testing::Test {
 protected:
  std::shared_ptr<client::Table> create(int32_t replicas,
                                        std::map<std::string, std::string> envs = {}) {
    client.must(client.cluster().create_table(
        "t", {.partition_count = 1, .replica_count = replicas, .envs = std::move(envs)},
        client.deadline()));
    return client.open_table("t");
  }
  client::PartitionInfo partition() {
    return client.must(client.cluster().table_config("t", {}, client.deadline())).partitions.at(0);
  }
  net::Address node_of(const net::HostPort& node) {
    for (auto address : cluster.replica_addresses())
      if (address.port == node.port) return address;
    throw std::runtime_error("no such node");
  }
  // The primary, the secondaries, then the nodes without a replica.
  std::vector<net::Address> nodes() {
    const auto found = partition();
    std::vector<net::Address> all{node_of(found.primary)};
    for (const auto& node : found.secondaries) all.push_back(node_of(node));
    for (auto address : cluster.replica_addresses())
      if (std::ranges::find(all, address) == all.end()) all.push_back(address);
    return all;
  }
  static wire::blob key() { return {record::encode_key("h", "s")}; }
  static wire::update_request put() {
    wire::update_request request;
    request.key.data = record::encode_key("h", "s");
    request.value.data = "other";
    return request;
  }
  ErrorCode error(const Result<net::IncomingReply>& reply) { return reply->error; }

  testing::SimClock clock;
  TestCluster cluster{clock, {.replica_servers = 3}};
  TestClient client{cluster.meta_address()};
  Gpid gpid{1, 0};
};

TEST_F(SecondaryTest, AnswersBackupRequestsFromTheSameData) {
  auto table = create(3);
  client.must(table->set("h", "s", "value", 0, client.deadline()));
  const auto all = nodes();
  for (size_t i = 1; i < 3; ++i)
    for (auto framing : {Framing::kRdsn, Framing::kThriftV1}) {
      WireClient wire(client, all[i], framing);
      auto reply = wire.call_as_backup(RpcCode::kGet, gpid, wire.encode(key()));
      ASSERT_TRUE(reply);
      const auto row = WireClient::decode<wire::read_response>(*reply);
      EXPECT_EQ(row.error, 0);
      EXPECT_EQ(row.value.data, "value");
      EXPECT_EQ(row.server, all[i].to_string()) << "the server that answered";
    }
}

TEST_F(SecondaryTest, SendsClientsToThePrimary) {
  create(3);
  const auto all = nodes();
  for (size_t i = 1; i < 3; ++i) {
    WireClient wire(client, all[i]);
    EXPECT_EQ(error(wire.call_raw(RpcCode::kGet, gpid, wire.encode(key()))),
              ErrorCode::kInvalidState);
    EXPECT_EQ(error(wire.call_raw(RpcCode::kPut, gpid, wire.encode(put()))),
              ErrorCode::kInvalidState);
    EXPECT_EQ(error(wire.call_as_backup(RpcCode::kPut, gpid, wire.encode(put()))),
              ErrorCode::kInvalidState);
  }
  WireClient primary(client, all[0]);
  EXPECT_EQ(primary.call<wire::update_response>(RpcCode::kPut, gpid, put()).error, 0);
}

TEST_F(SecondaryTest, IsNoNodeBeyondTheReplicaCount) {
  create(2);
  const auto all = nodes();
  EXPECT_EQ(partition().secondaries.size(), 1u);
  WireClient wire(client, all[2]);
  EXPECT_EQ(error(wire.call_as_backup(RpcCode::kGet, gpid, wire.encode(key()))),
            ErrorCode::kObjectNotFound);
}

TEST_F(SecondaryTest, FollowsTheReplicaCount) {
  auto table = create(1);
  client.must(table->set("h", "s", "value", 0, client.deadline()));
  const auto all = nodes();
  const auto answers = [&] {
    std::vector<ErrorCode> errors;
    for (size_t i = 1; i < 3; ++i) {
      WireClient wire(client, all[i]);
      errors.push_back(error(wire.call_as_backup(RpcCode::kGet, gpid, wire.encode(key()))));
    }
    std::ranges::sort(errors);
    return errors;
  };
  using Errors = std::vector<ErrorCode>;
  EXPECT_EQ(answers(), Errors(2, ErrorCode::kObjectNotFound));
  client.must(client.cluster().set_replica_count("t", 3, client.deadline()));
  EXPECT_EQ(answers(), Errors(2, ErrorCode::kOk));
  client.must(client.cluster().set_replica_count("t", 1, client.deadline()));
  EXPECT_EQ(answers(), Errors(2, ErrorCode::kObjectNotFound));
}

TEST_F(SecondaryTest, EndsWithTheTableAndComesBackWithIt) {
  auto table = create(3);
  client.must(table->set("h", "s", "value", 0, client.deadline()));
  const auto all = nodes();
  WireClient wire(client, all[1]);
  const auto read = [&] {
    return error(wire.call_as_backup(RpcCode::kGet, gpid, wire.encode(key())));
  };
  client.must(client.cluster().drop_table("t", 1000, client.deadline()));
  for (const auto end = client.deadline(); read() != ErrorCode::kObjectNotFound;)
    ASSERT_FALSE(end.passed(client.clock()));
  client.must(client.cluster().recall_table(1, "", client.deadline()));
  client.open_table("t");
  for (const auto end = client.deadline(); read() != ErrorCode::kOk;)
    ASSERT_FALSE(end.passed(client.clock()));
}

TEST_F(SecondaryTest, IsThereAfterARestart) {
  auto table = create(3);
  client.must(table->set("h", "s", "value", 0, client.deadline()));
  cluster.restart();
  client.open_table("t");
  const auto all = nodes();
  ASSERT_EQ(partition().secondaries.size(), 2u);
  WireClient wire(client, all[2]);
  EXPECT_EQ(error(wire.call_as_backup(RpcCode::kGet, gpid, wire.encode(key()))), ErrorCode::kOk);
}

TEST_F(SecondaryTest, DelaysBackupRequestsThatAreTooMany) {
  create(2, {{"replica.backup_request_throttling", "1*delay*100"}});  // a share of 2 per second
  WireClient wire(client, nodes()[1]);
  const auto body = wire.encode(key());
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(error(wire.call_as_backup(RpcCode::kGet, gpid, body)), ErrorCode::kOk);
  bool is_answered = false;
  wire.start(
      RpcCode::kGet, gpid, body,
      [&](Result<net::IncomingReply> reply) {
        is_answered = reply && reply->error == ErrorCode::kOk;
      },
      true);
  // Behind it on the same connection: when this is answered, the delay has begun.
  EXPECT_EQ(error(wire.call_raw(RpcCode::kGet, gpid, body)), ErrorCode::kInvalidState);
  EXPECT_FALSE(is_answered);
  for (const auto end = client.deadline(); !is_answered && !end.passed(client.clock());) {
    clock.advance(async::milliseconds(100));
    (void)wire.call_raw(RpcCode::kGet, gpid, body);
  }
  EXPECT_TRUE(is_answered);
}

TEST_F(SecondaryTest, IsListedByItsNode) {
  create(2);
  const auto all = nodes();
  const auto disk_of = [&](size_t node) {
    WireClient wire(client, all[node]);
    wire::query_disk_info_request request;
    request.app_name = "t";
    return wire.call<wire::query_disk_info_response>(RpcCode::kQueryDiskInfo, {}, request);
  };
  const std::set<wire::gpid> held{{gpid}};
  EXPECT_EQ(disk_of(0).disk_infos.at(0).holding_primary_replicas.at(1), held);
  EXPECT_EQ(disk_of(1).disk_infos.at(0).holding_secondary_replicas.at(1), held);
  EXPECT_TRUE(disk_of(1).disk_infos.at(0).holding_primary_replicas.empty());
  EXPECT_EQ(disk_of(2).err.code, ErrorCode::kObjectNotFound);
}

}  // namespace
}  // namespace pegmove::server::replica
