// The effects of app envs, seen by clients.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "data_types.h"
#include "record/expiry.h"
#include "record/hash.h"
#include "record/key.h"
#include "testing/sim_clock.h"
#include "testing/wire_client.h"

namespace pegmove::server::replica {
namespace {

using namespace std::chrono_literals;
using testing::TestClient;
using testing::TestCluster;
using testing::WireClient;
using wire::ErrorCode;
using wire::RpcCode;

class ServerEnvTest : public ::testing::Test {
 protected:
  void set_env(const std::string& name, const std::string& value) {
    client.must(client.cluster().set_envs("t", {{name, value}}, client.deadline()));
  }
  void delete_env(const std::string& name) {
    client.must(client.cluster().delete_envs("t", {name}, client.deadline()));
  }
  wire::update_request put(const std::string& sort_key, size_t value_size = 1) {
    wire::update_request request;
    request.key.data = record::encode_key("h", sort_key);
    request.value.data.assign(value_size, 'v');
    return request;
  }
  ErrorCode put_error(const std::string& sort_key, size_t value_size = 1) {
    return wire.call_raw(RpcCode::kPut, gpid, wire.encode(put(sort_key, value_size)))->error;
  }
  ErrorCode get_error(const std::string& sort_key) {
    wire::blob key{record::encode_key("h", sort_key)};
    return wire.call_raw(RpcCode::kGet, gpid, wire.encode(key))->error;
  }
  bool has(const std::string& sort_key) {
    return client.must(table->get("h", sort_key, client.deadline())).value.has_value();
  }
  // Sends requests, at least one, until `reached` returns true.
  template <typename Reached>
  bool wait_until(Reached reached) {
    for (auto end = client.deadline(); !end.passed(client.clock());) {
      (void)get_error("any");
      if (reached()) return true;
    }
    return false;
  }
  // The newest OPTIONS file of the partition.
  std::string options_of(int32_t app_id) {
    auto folder =
        cluster.data_dir() + "/replica0/" + std::to_string(app_id) + ".0.pegasus/data/rdb";
    std::string newest;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      auto name = entry.path().filename().string();
      if (name.starts_with("OPTIONS-") && !name.ends_with("tmp")) newest = std::max(newest, name);
    }
    std::ostringstream text;
    text << std::ifstream(folder + "/" + newest).rdbuf();
    return text.str();
  }

  testing::SimClock clock;
  TestCluster cluster{clock};
  TestClient client{cluster.meta_address()};
  std::shared_ptr<client::Table> table = client.create_table("t", 1);
  Gpid gpid{table->app_id(), 0};
  bool answered = false;  // outlives the calls of `wire`, which end with it
  WireClient wire{client, cluster.replica_addresses()[0]};
};

TEST_F(ServerEnvTest, DeniedWithTimeoutIsNeverAnswered) {
  set_env("replica.deny_client_request", "timeout*write");
  auto body = wire.encode(put("s"));
  wire.start(RpcCode::kPut, gpid, body,
             [&](Result<net::IncomingReply> reply) { answered = reply.has_value(); });
  EXPECT_EQ(get_error("s"), ErrorCode::kOk);  // sent after it, answered before
  EXPECT_FALSE(answered);
  delete_env("replica.deny_client_request");
  EXPECT_EQ(put_error("s"), ErrorCode::kOk);
}

TEST_F(ServerEnvTest, DeniedWithReconfigIsToldToLookTheTableUp) {
  set_env("replica.deny_client_request", "reconfig*all");
  EXPECT_EQ(put_error("s"), ErrorCode::kInvalidState);
  EXPECT_EQ(get_error("s"), ErrorCode::kInvalidState);
  set_env("replica.deny_client_request", "reconfig*read");
  EXPECT_EQ(put_error("s"), ErrorCode::kOk);
  EXPECT_EQ(get_error("s"), ErrorCode::kInvalidState);
}

TEST_F(ServerEnvTest, AClientTriesADeniedWriteAgainUntilItIsAllowed) {
  set_env("replica.deny_client_request", "reconfig*write");
  // Both at once: the write is refused until the env is gone.
  // outlives: client.run() runs it to its end.
  auto write = [&]() -> Routine<Result<void>> {
    async::TaskGroup writer(client.executor());
    Result<client::OperationInfo> written = fail(Code::kInternal, "not yet");
    // outlives: this coroutine joins it.
    auto write_row = [&]() -> Routine<> {
      written = co_await table->set("h", "s", "v", 0, client.deadline());
    };
    writer.spawn(write_row());
    CO_TRY(co_await client.cluster().delete_envs("t", {"replica.deny_client_request"},
                                                 client.deadline()));
    co_await writer.join();  // no result
    CO_TRY(std::move(written));
    co_return Result<void>();
  };
  EXPECT_TRUE(client.run(write()));
  EXPECT_TRUE(has("s"));
}

TEST_F(ServerEnvTest, ADelayedWriteWaitsForItsPause) {
  set_env("replica.write_throttling", "1*delay*100");  // a share of 2 per second
  EXPECT_EQ(put_error("1"), ErrorCode::kOk);
  EXPECT_EQ(put_error("2"), ErrorCode::kOk);
  auto sleepers = clock.sleepers();
  auto body = wire.encode(put("3"));
  wire.start(RpcCode::kPut, gpid, body, [this](Result<net::IncomingReply> reply) {
    answered = reply && reply->error == ErrorCode::kOk;
  });
  ASSERT_TRUE(wait_until([&] { return clock.sleepers() > sleepers; }));
  EXPECT_FALSE(answered);
  EXPECT_FALSE(has("3"));
  clock.advance(100ms);
  EXPECT_TRUE(wait_until([&] { return answered; }));
  EXPECT_TRUE(has("3"));
}

TEST_F(ServerEnvTest, RejectedRequestsAreBusyAndDoNothing) {
  set_env("replica.write_throttling", "1*reject*0");
  EXPECT_EQ(put_error("1"), ErrorCode::kOk);
  EXPECT_EQ(put_error("2"), ErrorCode::kOk);
  EXPECT_EQ(put_error("3"), ErrorCode::kBusy);
  EXPECT_FALSE(has("3"));
  clock.advance(1s);
  EXPECT_EQ(put_error("3"), ErrorCode::kOk);
  delete_env("replica.write_throttling");
  set_env("replica.write_throttling_by_size", "10K*reject*0");
  EXPECT_EQ(put_error("4", 11'000), ErrorCode::kBusy);
  EXPECT_EQ(put_error("4", 9'000), ErrorCode::kOk);
}

TEST_F(ServerEnvTest, ReadsAreThrottledByCountAndBySize) {
  set_env("replica.read_throttling", "1*reject*0");
  EXPECT_EQ(get_error("s"), ErrorCode::kOk);
  EXPECT_EQ(get_error("s"), ErrorCode::kOk);
  EXPECT_EQ(get_error("s"), ErrorCode::kBusy);
  delete_env("replica.read_throttling");
  EXPECT_EQ(put_error("large", 20'000), ErrorCode::kOk);
  set_env("replica.read_throttling_by_size", "10K");
  EXPECT_EQ(get_error("large"), ErrorCode::kOk);
  EXPECT_EQ(get_error("large"), ErrorCode::kBusy);
  clock.advance(2s);
  EXPECT_EQ(get_error("large"), ErrorCode::kOk);
}

TEST_F(ServerEnvTest, RowsOfOtherPartitionsAreHiddenAfterASplit) {
  auto two = client.create_table("two", 2);
  WireClient node(client, cluster.replica_addresses()[0]);
  auto index = record::partition_index(record::key_hash("h", "s"), 2);
  Gpid wrong{two->app_id(), 1 - index};
  EXPECT_EQ(node.call<wire::update_response>(RpcCode::kPut, wrong, put("s")).error, 0);
  wire::get_scanner_request scan;
  scan.start_key.data = std::string(2, '\0');
  scan.stop_key.data = "\xff\xff";
  auto rows = [&] {
    auto body = node.encode(scan);
    auto reply = client.run(
        node.call_with_hash(RpcCode::kGetScanner, wrong, body, uint64_t(wrong.partition_index)));
    return WireClient::decode<wire::scan_response>(*reply).kvs.size();
  };
  EXPECT_EQ(rows(), 1u);
  client.must(client.cluster().set_envs("two", {{"replica.split.validate_partition_hash", "true"}},
                                        client.deadline()));
  EXPECT_EQ(rows(), 0u);
  scan.__set_validate_partition_hash(false);
  EXPECT_EQ(rows(), 1u);
}

TEST_F(ServerEnvTest, UsageScenarioChangesTheDatabaseNowAndAfterARestart) {
  set_env("rocksdb.usage_scenario", "bulk_load");
  EXPECT_TRUE(options_of(gpid.app_id).contains("disable_auto_compactions=true"));
  cluster.restart();
  EXPECT_TRUE(options_of(gpid.app_id).contains("disable_auto_compactions=true"));
  set_env("rocksdb.usage_scenario", "normal");
  EXPECT_FALSE(options_of(gpid.app_id).contains("disable_auto_compactions=true"));
}

TEST_F(ServerEnvTest, IngestBehindIsAllowedAtCreation) {
  auto behind = client.create_table("behind", 1, {{"rocksdb.allow_ingest_behind", "true"}});
  EXPECT_TRUE(options_of(behind->app_id()).contains("allow_ingest_behind=true"));
  EXPECT_FALSE(options_of(gpid.app_id).contains("allow_ingest_behind=true"));
}

TEST_F(ServerEnvTest, ACompactionOnDemandDoesWhatTheRulesSay) {
  EXPECT_EQ(put_error("drop"), ErrorCode::kOk);
  EXPECT_EQ(put_error("keep"), ErrorCode::kOk);
  set_env("user_specified_compaction",
          R"({"ops":[{"type":"COT_DELETE","params":"","rules":[{"type":"FRT_SORTKEY_PATTERN",)"
          R"("params":"{\"pattern\":\"drop\",\"match_type\":\"SMT_MATCH_PREFIX\"}"}]}]})");
  EXPECT_TRUE(has("drop"));
  set_env("manual_compact.once.bottommost_level_compaction", "force");
  set_env("manual_compact.once.trigger_time", std::to_string(clock.unix_seconds()));
  EXPECT_TRUE(wait_until([&] { return !has("drop"); }));
  EXPECT_TRUE(has("keep"));
}

TEST_F(ServerEnvTest, ACompactionWhoseTimeLiesAheadIsWaitedFor) {
  EXPECT_EQ(put_error("s"), ErrorCode::kOk);
  set_env("default_ttl", "100");
  set_env("manual_compact.once.trigger_time", std::to_string(clock.unix_seconds() + 10));
  EXPECT_EQ(client.must(table->ttl("h", "s", client.deadline())).seconds, -1);
  clock.advance(30s);  // nodes check their replicas that often
  EXPECT_TRUE(wait_until(
      [&] { return client.must(table->ttl("h", "s", client.deadline())).seconds == 100; }));
}

TEST_F(ServerEnvTest, OversizedWritesDoNotCountAgainstAThrottle) {
  set_env("replica.write_throttling_by_size", "3000000*reject*0");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(put_error("s", 1'400'000), ErrorCode::kInvalidData);
  EXPECT_EQ(put_error("s", 500'000), ErrorCode::kOk);
}

TEST_F(ServerEnvTest, ARecalledTableServesAlthoughAWriteWasWaiting) {
  set_env("replica.write_throttling", "1*delay*10000");
  for (int i = 0; i < 2; ++i) EXPECT_EQ(put_error("s"), ErrorCode::kOk);
  auto sleepers = clock.sleepers();
  auto body = wire.encode(put("late"));
  wire.start(RpcCode::kPut, gpid, body, [this](Result<net::IncomingReply> reply) {
    answered = reply && reply->error == ErrorCode::kOk;
  });
  // Others may be sleeping, too: what matters is that the server has read the write, which came on
  // the same connection as the requests of this wait.
  ASSERT_TRUE(wait_until([&] { return clock.sleepers() > sleepers; }));
  client.must(client.cluster().drop_table("t", 3600, client.deadline()));
  // A table that is recalled before its node has closed it is never closed, and the write is valid.
  ASSERT_TRUE(wait_until([&] { return get_error("any") == ErrorCode::kObjectNotFound; }));
  client.must(client.cluster().recall_table(gpid.app_id, "", client.deadline()));
  client.must(client.cluster().wait_until_ready("t", {}, client.deadline()));
  clock.advance(10s);
  EXPECT_EQ(put_error("s"), ErrorCode::kOk);
  EXPECT_FALSE(answered);
}

TEST_F(ServerEnvTest, EnvsThatAreSetWhileATableIsMadeReachAllItsPartitions) {
  client.must(client.cluster().create_table("young", {.partition_count = 16}, client.deadline()));
  client.must(client.cluster().set_envs(
      "young", {{"replica.deny_client_request", "reconfig*write"}}, client.deadline()));
  client.must(client.cluster().wait_until_ready("young", {}, client.deadline()));
  auto young = client.open_table("young");
  for (int32_t index = 0; index < 16; ++index) {
    auto reply = wire.call_raw(RpcCode::kPut, {young->app_id(), index}, wire.encode(put("s")));
    EXPECT_EQ(reply->error, ErrorCode::kInvalidState) << index;
  }
}

}  // namespace
}  // namespace pegmove::server::replica
