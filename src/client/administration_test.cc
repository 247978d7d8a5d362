// Administration of tables and nodes against an embedded cluster over loopback.
#include <gmock/gmock.h>

#include "client/backups.h"
#include "client/blocking.h"
#include "client/node.h"
#include "meta_types.h"
#include "net/rpc_server.h"
#include "testing/sim_clock.h"
#include "testing/test_cluster.h"

namespace pegmove::client {
namespace {

using ::testing::HasSubstr;
using testing::TestClient;
using testing::TestCluster;

// Answers remote commands with what it was asked.
class EchoCommands : public net::CallHandler {
 public:
  void handle(net::IncomingCall call) override {
    auto request = wire::decode_body<wire::command>(call.body());
    if (!request) return call.reply(wire::ErrorCode::kInvalidParameters);
    auto text = request->cmd;
    for (const auto& argument : request->arguments) text += "|" + argument;
    std::string body;
    wire::append_string_body(body, text, 0);
    call.reply(wire::ErrorCode::kOk, body);
  }
};

class AdministrationTest : public ::testing::Test {
 protected:
  Deadline soon() { return client.deadline(); }
  template <typename T>
  Error error_of(Task<T> task) {
    auto result = client.run(std::move(task));
    if (result) throw std::runtime_error("it succeeded");
    return std::move(result).error();
  }
  net::HostPort node() { return *net::parse_host_port(cluster.replica_addresses()[0].to_string()); }

  testing::SimClock server_clock;
  TestCluster cluster{server_clock, {.replica_servers = 2}};
  TestClient client{cluster.meta_address()};
  Cluster& admin = client.cluster();
};

TEST_F(AdministrationTest, RecallsATableWithItsRows) {
  auto table = client.create_table("t", 4);
  client.must(table->set("h", "s", "value", 0, soon()));
  client.must(admin.drop_table("t", 1000, soon()));
  auto info = client.must(admin.recall_table(1, "u", soon()));
  EXPECT_EQ(info.name, "u");
  EXPECT_EQ(info.partition_count, 4);
  EXPECT_EQ(client.must(client.open_table("u")->get("h", "s", soon())).value, "value");
  EXPECT_EQ(error_of(admin.recall_table(1, "", soon())).code(), Code::kAlreadyExists);
  auto error = error_of(admin.recall_table(9, "", soon()));
  EXPECT_EQ(error.code(), Code::kNotFound);
  EXPECT_THAT(error.to_string(), HasSubstr("id 9"));
}

TEST_F(AdministrationTest, RenamesATableAndItIsServedOn) {
  auto table = client.create_table("t", 2);
  client.must(table->set("h", "s", "value", 0, soon()));
  client.must(admin.rename_table("t", "u", soon()));
  EXPECT_EQ(client.must(client.open_table("u")->get("h", "s", soon())).value, "value");
  auto error = error_of(admin.rename_table("t", "v", soon()));
  EXPECT_EQ(error.code(), Code::kNotFound);
  EXPECT_THAT(error.message(), HasSubstr(R"([hint:"ERROR: app(t) not exist!"])"));
}

TEST_F(AdministrationTest, TellsAndSetsTheSettingsOfATable) {
  client.create_table("t", 2);
  EXPECT_EQ(client.must(admin.replica_count("t", soon())), 1);
  EXPECT_EQ(client.must(admin.set_replica_count("t", 1, soon())).old_value, 1);
  auto error = error_of(admin.set_replica_count("t", 3, soon()));
  EXPECT_EQ(error.code(), Code::kInvalidArgument);
  EXPECT_THAT(error.message(), HasSubstr("not enough alive replica servers(2)"));
  auto counts = client.must(admin.set_replica_count("t", 2, soon()));
  EXPECT_EQ(counts.old_value, 1);
  EXPECT_EQ(counts.hint, "");
  for (const auto& partition : client.must(admin.table_config("t", {}, soon())).partitions) {
    EXPECT_EQ(partition.max_replica_count, 2);
    ASSERT_EQ(partition.secondaries.size(), 1u);
    EXPECT_NE(partition.secondaries[0].to_string(), partition.primary.to_string());
  }
  EXPECT_FALSE(client.must(admin.atomic_idempotent("t", soon())));
  auto change = client.must(admin.set_atomic_idempotent("t", true, soon()));
  EXPECT_FALSE(change.old_value);
  EXPECT_EQ(change.hint, "");
  EXPECT_TRUE(client.must(admin.atomic_idempotent("t", soon())));
  EXPECT_NE(client.must(admin.set_atomic_idempotent("t", true, soon())).hint, "");
  EXPECT_EQ(error_of(admin.replica_count("u", soon())).code(), Code::kNotFound);
}

TEST_F(AdministrationTest, CreatesTablesWithAsManyReplicasAsThereAreServersFor) {
  client.must(admin.create_table("t", {}, soon()));
  EXPECT_EQ(client.must(admin.replica_count("t", soon())), 2);
  auto error = error_of(admin.create_table("u", {.replica_count = 3}, soon()));
  EXPECT_EQ(error.code(), Code::kInvalidArgument);
  EXPECT_THAT(error.message(), HasSubstr("there are not enough alive replica servers(2) for the "
                                         "requested replica count(3)"));
  EXPECT_THAT(error.message(), HasSubstr("`create NAME -r 2`"));
  EXPECT_THAT(error.message(), HasSubstr("--replica-servers 3"));
}

TEST_F(AdministrationTest, GivesTablesOnlyNamesThatPegasussToolsGive) {
  client.create_table("t", 2);
  for (const std::string& name : {std::string("a/b"), std::string("a b"), std::string(".."),
                                  std::string("\xC3\xBC"), std::string(300, 'x')}) {
    for (const auto& error : {error_of(admin.create_table(name, {}, soon())),
                              error_of(admin.rename_table("t", name, soon())),
                              error_of(admin.recall_table(1, name, soon())),
                              error_of(client::start_restore(admin,
                                                             {.cluster = "x",
                                                              .backup_id = 1,
                                                              .table = "t",
                                                              .app_id = 1,
                                                              .new_table = name,
                                                              .provider = "none"},
                                                             soon()))}) {
      EXPECT_EQ(error.code(), Code::kInvalidArgument);
      EXPECT_THAT(error.to_string(), HasSubstr("cannot be the name of a new table: Invalid name"));
    }
  }
}

TEST_F(AdministrationTest, FreezesTheCluster) {
  EXPECT_EQ(client.must(admin.meta_level(soon())), MetaLevel::kLively);
  EXPECT_EQ(client.must(admin.set_meta_level(MetaLevel::kFreezed, soon())), MetaLevel::kLively);
  EXPECT_EQ(client.must(admin.meta_level(soon())), MetaLevel::kFreezed);
  auto error = error_of(admin.create_table("t", {}, soon()));
  EXPECT_THAT(error.to_string(), HasSubstr("ERR_STATE_FREEZED"));
  EXPECT_THAT(error.to_string(), HasSubstr("set_meta_level steady"));
}

TEST(MetaLevels, HaveTheNamesOfPegasus) {
  EXPECT_EQ(meta_level_name(MetaLevel::kLively), "fl_lively");
  EXPECT_EQ(meta_level_name(MetaLevel(7)), "fl_invalid");
  EXPECT_EQ(meta_level_from_word("steady"), MetaLevel::kSteady);
  EXPECT_EQ(meta_level_from_word("invalid"), std::nullopt);
  EXPECT_EQ(meta_level_from_word(""), std::nullopt);
}

TEST_F(AdministrationTest, AsksForACompaction) {
  client.create_table("t", 2);
  client.must(admin.start_compaction("t", {.bottommost = true}, soon()));
  auto envs = client.must(admin.table_info("t", soon())).envs;
  EXPECT_EQ(envs["manual_compact.once.bottommost_level_compaction"], "force");
  EXPECT_EQ(envs["manual_compact.once.trigger_time"], std::to_string(server_clock.unix_seconds()));
  EXPECT_EQ(error_of(admin.start_compaction("u", {}, soon())).code(), Code::kNotFound);
  EXPECT_EQ(error_of(admin.start_compaction("t", {.target_level = -2}, soon())).code(),
            Code::kInvalidArgument);
  EXPECT_EQ(error_of(admin.compaction_progress("u", soon())).code(), Code::kNotFound);
}

TEST_F(AdministrationTest, TellsWhenACompactionHasEnded) {
  client.create_table("t", 2);
  EXPECT_EQ(client.must(admin.compaction_progress("t", soon())), std::nullopt);
  client.must(admin.start_compaction("t", {}, soon()));
  auto deadline = soon();
  auto is_done = [&] { return client.must(admin.compaction_progress("t", soon())) == 100; };
  while (!is_done() && !deadline.passed(client.clock())) {
  }
  EXPECT_TRUE(is_done());
}

TEST_F(AdministrationTest, TellsTheDisksOfANode) {
  client.create_table("t", 4);
  auto disks = client.must(query_disk_info(client.client(), node(), "", soon()));
  ASSERT_EQ(disks.disks.size(), 1u);
  EXPECT_EQ(disks.disks[0].primaries.size(), 2u);
  EXPECT_TRUE(disks.disks[0].secondaries.empty());
  EXPECT_GT(disks.total_capacity_mb, 0);
  EXPECT_EQ(error_of(query_disk_info(client.client(), node(), "u", soon())).code(),
            Code::kNotFound);
}

TEST_F(AdministrationTest, CarriesARemoteCommandAndItsAnswer) {
  EchoCommands commands;
  auto acceptor = net::listen_tcp(client.executor(), {.ipv4 = 0x7f000001, .port = 0});
  ASSERT_TRUE(acceptor);
  net::RpcServer server(client.executor(), std::move(*acceptor), commands, client.clock(),
                        Logger("test"));
  server.start();
  auto at = *net::parse_host_port(server.local().to_string());
  EXPECT_EQ(client.must(remote_command(client.client(), at, "help", {}, soon())), "help");
  EXPECT_EQ(client.must(remote_command(client.client(), at, "a", {"b c", ""}, soon())), "a|b c|");
  client.run([](net::RpcServer& server) -> Routine<bool> {
    server.stop();
    co_await server.join();  // no result
    co_return true;
  }(server));
}

TEST_F(AdministrationTest, IsThereForBlockingCode) {
  client.create_table("t", 2);
  auto blocking = BlockingClient::connect(cluster.meta_address().to_string());
  ASSERT_TRUE(blocking) << blocking.error().to_string();
  auto& b = **blocking;
  EXPECT_TRUE(b.rename_table("t", "u"));
  EXPECT_EQ(*b.replica_count("u"), 1);
  EXPECT_FALSE(b.set_replica_count("u", 3));
  EXPECT_FALSE(b.set_atomic_idempotent("u", true)->old_value);
  EXPECT_TRUE(*b.atomic_idempotent("u"));
  EXPECT_TRUE(b.start_compaction("u"));
  EXPECT_FALSE(b.compaction_progress("nothing"));
  EXPECT_TRUE(b.drop_table("u", 100));
  EXPECT_EQ(*b.recall_table(1), "u");
  EXPECT_EQ(*b.set_meta_level(MetaLevel::kSteady), MetaLevel::kLively);
  EXPECT_EQ(*b.meta_level(), MetaLevel::kSteady);
  EXPECT_TRUE(b.query_disk_info(node().to_string()));
  EXPECT_FALSE(b.query_disk_info("nonsense"));
  EXPECT_FALSE(b.remote_command("nonsense", "help"));
}

}  // namespace
}  // namespace pegmove::client
