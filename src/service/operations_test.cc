#include "service/operations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "async/run.h"
#include "meta_types.h"
#include "net/rpc_server.h"
#include "net/tcp.h"
#include "testing/sim_clock.h"
#include "testing/test_folder.h"
#include "wire/frame.h"
#include "wire/thrift_codec.h"

namespace pegmove::service {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr metrics::MetricInfo kReadFailures{"read_failed_requests", metrics::Kind::kCounter,
                                            "Requests", ""};
constexpr metrics::MetricInfo kMaxUpload{"backup_file_upload_max_bytes", metrics::Kind::kGauge,
                                         "Bytes", ""};
constexpr metrics::MetricInfo kRejected{"dup_rejected_non_idempotent_write_requests",
                                        metrics::Kind::kCounter, "Requests", ""};

// Every call is a remote command.
class CommandCalls : public net::CallHandler {
 public:
  void handle(net::IncomingCall call) override { commands->handle(std::move(call)); }
  RemoteCommands* commands = nullptr;
};

class OperationsTest : public ::testing::Test {
 protected:
  OperationsTest() {
    operations.set_port(34801);
    calls.commands = &operations.commands;
    operations.settings.define({.section = "nfs",
                                .name = "rate",
                                .type = SettingType::kInt64,
                                .value = "5",
                                .is_mutable = true});
    operations.settings.define(
        {.section = "nfs", .name = "on", .type = SettingType::kBool, .value = "false"});
    operations.commands.on_integer("x.rate", "the rate", operations.settings, "rate");
    operations.commands.on_boolean("x.on", "the switch", operations.settings, "on");
    operations.table_name = [](const std::string& id) { return "table" + id; };
  }
  void TearDown() override {
    async::run_to_end(context, ended());
    std::filesystem::remove_all(folder);
  }
  Routine<bool> ended() {
    tasks.stop();
    co_await tasks.join();  // no result
    co_return true;
  }
  Routine<bool> ended(net::RpcServer& server) {
    server.stop();
    co_await server.join();  // no result
    co_return true;
  }
  std::string run(const std::string& name, std::vector<std::string> arguments = {}) {
    return operations.commands.run(name, arguments);
  }
  // The whole reply of an HTTP request through a server.
  std::string http(const std::string& method, const std::string& target) {
    auto acceptor = net::listen_tcp(context.get_executor(), {0x7f000001, 0});
    net::RpcServer server(context.get_executor(), std::move(*acceptor), calls, clock,
                          Logger("test"), {}, &operations.http);
    server.start();
    auto request = method + " " + target + " HTTP/1.1\r\nConnection: close\r\n\r\n";
    return async::run_to_end(context, exchange(server, request));
  }
  Routine<std::string> exchange(net::RpcServer& server, std::string request) {
    auto stream =
        co_await connector.connect(server.local(), Deadline::in(clock, async::milliseconds(5000)));
    auto sent = co_await (*stream)->write_all(request);
    std::string reply, buffer(1 << 16, '\0');
    while (sent) {
      auto size = co_await (*stream)->read_some(buffer);
      if (!size || *size == 0) break;
      reply.append(buffer, 0, *size);
    }
    server.stop();
    co_await server.join();  // no result
    co_return reply;
  }
  std::string body(const std::string& target) {
    auto reply = http("GET", target);
    return reply.substr(reply.find("\r\n\r\n") + 4);
  }

  std::string folder =
      std::filesystem::temp_directory_path() / ("pegmove_operations_" + std::to_string(getpid()));
  asio::io_context context;
  testing::SimClock clock;
  net::TcpConnector connector{clock};
  CommandCalls calls;
  async::TaskGroup tasks{context.get_executor()};
  Operations operations{{.cluster = "c", .role = "replica", .dump_dir = folder},
                        [](auto work) { work(); },
                        tasks,
                        clock};
};

TEST_F(OperationsTest, HelpListsEachCommandOnce) {
  auto text = run("help");
  EXPECT_THAT(text, StartsWith("help|h|H|Help - Display help information\nrepeat|r|R|Repeat - "));
  EXPECT_THAT(text, HasSubstr("\nx.on - the switch\nx.rate - the rate\n"));
  EXPECT_EQ(run("h", {"x.rate"}), "x.rate - the rate\nx.rate [num | DEFAULT]\n");
  EXPECT_EQ(run("Help", {"y"}), "cannot find command 'y'");
  EXPECT_EQ(run("y"), "unknown command 'y'");
}

TEST_F(OperationsTest, IntegersAreShownAndChanged) {
  EXPECT_EQ(run("x.rate"), "{\n  \"error\": \"ok\",\n  \"x.rate\": \"5\"\n}");
  EXPECT_EQ(run("x.rate", {"100"}), "{\n  \"error\": \"ok\"\n}");
  EXPECT_EQ(operations.settings.integer("rate"), 100);
  EXPECT_EQ(json::parse(run("x.rate", {"default"})), (json{{"error", "ok"}, {"x.rate", 5}}));
  for (const char* bad : {"-1", "x", "1x", ""})
    EXPECT_EQ(json::parse(run("x.rate", {bad}))["error"],
              std::string("ERR: invalid argument '") + bad + "', the value is not acceptable");
  EXPECT_EQ(json::parse(run("x.rate", {"1", "2"}))["error"],
            "ERR: invalid arguments '1 2', only one argument is acceptable");
  EXPECT_EQ(operations.settings.integer("rate"), 5);
}

TEST_F(OperationsTest, BooleansAreShownAndChanged) {
  EXPECT_EQ(json::parse(run("x.on")), (json{{"error", "ok"}, {"x.on", "false"}}));
  EXPECT_EQ(json::parse(run("x.on", {"TRUE"})), (json{{"error", "ok"}}));
  EXPECT_TRUE(operations.settings.boolean("on"));
  EXPECT_EQ(json::parse(run("x.on", {"1"}))["error"],
            "ERR: invalid arguments, '1' is not a boolean");
  EXPECT_EQ(json::parse(run("x.on", {"true", "true"}))["error"],
            "ERR: invalid arguments, only one boolean argument is acceptable");
}

TEST_F(OperationsTest, ServerInfoIsCompactJson) {
  auto info = json::parse(run("server-info"));
  EXPECT_EQ(info["version"], kServerVersion);
  EXPECT_EQ(info.size(), 4u);
  EXPECT_EQ(run("server-info").find('\n'), std::string::npos);
}

std::string command_frame(std::vector<std::string> words) {
  wire::command command;
  command.cmd = words.front();
  command.arguments.assign(words.begin() + 1, words.end());
  std::string frame;
  wire::append_request(frame, {.id = 1, .name = "RPC_CLI_CLI_CALL", .gpid = {}},
                       wire::encode_body(command));
  return frame;
}

TEST_F(OperationsTest, RepeatRunsACommandEveryFewSeconds) {
  int ticks = 0;
  operations.commands.on({"tick"}, "", "", [&](auto) {
    ++ticks;
    return "";
  });
  net::RpcServer server(context.get_executor(),
                        std::move(*net::listen_tcp(context.get_executor(), {0x7f000001, 0})), calls,
                        clock, Logger("test"));
  server.start();
  auto deadline = Deadline::in(clock, async::milliseconds(5000));
  auto stream = async::run_to_end(context, connector.connect(server.local(), deadline));
  auto run_until_idle = [this] {
    context.restart();
    while (context.run_one_for(async::milliseconds(50)) > 0) {
    }
  };
  auto frame = command_frame({"repeat", "2", "3", "tick"});
  ASSERT_TRUE(async::run_to_end(context, (*stream)->write_all(frame)));
  for (int expected = 1; expected <= 3; ++expected) {
    run_until_idle();
    EXPECT_EQ(ticks, expected);
    clock.advance(async::milliseconds(2000));
  }
  std::string reply(4096, '\0');
  auto size = async::run_to_end(context, (*stream)->read_some(reply));
  EXPECT_THAT(reply.substr(0, *size), HasSubstr("repeat command completed"));
  EXPECT_EQ(ticks, 3);
  async::run_to_end(context, ended(server));
}

TEST_F(OperationsTest, DumpsGoToTheirFolderOnly) {
  EXPECT_THAT(run("config-dump"), HasSubstr("[nfs]\n; \non = false\n\n; \nrate = 5\n"));
  operations.settings.add_section("duplication-group", {{"A", "1"}, {"B", "2"}});
  EXPECT_THAT(run("config-dump"), HasSubstr("[duplication-group]\n; \nA = 1\n\n; \nB = 2\n"));
  EXPECT_EQ(run("config-dump", {"a.ini"}), "config dump to file a.ini\n");
  EXPECT_TRUE(std::filesystem::exists(folder + "/a.ini"));
  for (const char* bad : {"/tmp/x", "../x", ".x", "a/b", ""})
    EXPECT_THAT(run("config-dump", {bad}), StartsWith("ERROR: '")) << bad;
}

TEST_F(OperationsTest, ADumpReplacesTheFileAsAWholeAndFollowsNoLink) {
  std::filesystem::create_directories(folder);
  std::filesystem::create_symlink("/dev/null", folder + "/a.ini");
  EXPECT_EQ(run("config-dump", {"a.ini"}), "config dump to file a.ini\n");
  EXPECT_FALSE(std::filesystem::is_symlink(folder + "/a.ini"));
  EXPECT_EQ(testing::read_file(folder + "/a.ini"), run("config-dump"));
  std::filesystem::create_directory(folder + "/b.ini");
  EXPECT_THAT(run("config-dump", {"b.ini"}), StartsWith("ERROR: "));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 2);
}

TEST_F(OperationsTest, TheLogLevelCanBeChangedAndHadBack) {
  EXPECT_EQ(run("reset-log-start-level", {"ERROR"}), "OK, current level is LOG_LEVEL_ERROR");
  EXPECT_EQ(base::log_level(), base::LogLevel::kError);
  EXPECT_EQ(run("reset-log-start-level", {"LOUD"}), "ERROR: invalid level 'LOUD'");
  EXPECT_EQ(run("reset-log-start-level"), "OK, current level is LOG_LEVEL_INFO");
  EXPECT_EQ(run("flush-log"), "Flush done.");
}

TEST_F(OperationsTest, OldCountersAreListedUnderTheirWholeNames) {
  operations.server().counter(kReadFailures).add(4);
  std::vector<std::shared_ptr<metrics::Entity>> replicas;
  for (int i : {0, 1}) {
    auto id = std::to_string(i);
    replicas.push_back(operations.metrics.add("replica", "replica@3." + id,
                                              {{"table_id", "3"}, {"partition_id", id}}));
    replicas.back()->gauge(kMaxUpload).set(10 + i);
    replicas.back()->counter(kRejected).add(2 + i);
  }
  auto counters = [this](const std::string& filter) {
    return json::parse(run("perf-counters-by-substr", {filter}))["counters"].dump();
  };
  EXPECT_EQ(counters("recent.read.fail.count"),
            R"([{"name":"replica*eon.replica_stub*recent.read.fail.count",)"
            R"("type":"VOLATILE_NUMBER","value":4.0}])");
  EXPECT_EQ(counters("cold.backup.max.upload.file.size"),
            R"([{"name":"replica*eon.replica_stub*cold.backup.max.upload.file.size",)"
            R"("type":"NUMBER","value":11.0}])");
  EXPECT_EQ(counters("dup.disabled_non_idempotent_write_count"),
            R"([{"name":"replica*eon.replica*dup.disabled_non_idempotent_write_count@table3",)"
            R"("type":"VOLATILE_NUMBER","value":5.0}])");
  EXPECT_EQ(json::parse(run("perf-counters-by-prefix", {"eon"}))["counters"].size(), 0u);
  EXPECT_EQ(json::parse(run("perf-counters-by-postfix", {"fail.count"}))["counters"].size(), 1u);
  EXPECT_EQ(json::parse(run("perf-counters", {".*recent.*"}))["counters"].size(), 1u);
  EXPECT_EQ(json::parse(run("perf-counters", {"recent"}))["counters"].size(), 0u) << "whole names";
  for (const char* bad : {"\\(", "a\\{1,9\\}", "\\(a*\\)\\1"})
    EXPECT_EQ(json::parse(run("perf-counters", {bad}))["result"],
              std::string("ERROR: invalid filter: ") + bad);
}

TEST_F(OperationsTest, ServerStatTellsWhatItHas) {
  EXPECT_THAT(run("server-stat"), StartsWith("memused_res(MB)="));
  EXPECT_THAT(run("server-stat"), HasSubstr("zion*profiler*RPC_RRDB_RRDB_PUT.qps=not_found"));
}

TEST_F(OperationsTest, HttpAnswersAndRefuses) {
  EXPECT_THAT(http("GET", "/nowhere/to?go=1"),
              StartsWith("HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\n"));
  EXPECT_EQ(body("/nowhere/to?go=1"), "service not found for \"nowhere/to\"");
  EXPECT_EQ(body("/x?a=%4"),
            "failed to parse request: ERR_INVALID_PARAMETERS: Encountered partial "
            "escape sequence at end of string");
  EXPECT_EQ(json::parse(body("/version"))["Version"], kServerVersion);
  EXPECT_EQ(json::parse(body("/recentStartTime")).size(), 1u);
  EXPECT_EQ(json::parse(body("/"))["/version"], "Get the server version.");
  EXPECT_THAT(http("GET", "/config"), StartsWith("HTTP/1.1 400"));
  EXPECT_EQ(body("/config"), "name shouldn't be empty");
  EXPECT_THAT(http("GET", "/config?x=1"), StartsWith("HTTP/1.1 400"));
  EXPECT_EQ(body("/config?name=y"), "ERR_OBJECT_NOT_FOUND: 'y' is not found");
  EXPECT_EQ(json::parse(body("/config?name=rate"))["value"], "5");
  EXPECT_EQ(json::parse(body("/configs"))["rate"]["section"], "nfs");
  EXPECT_THAT(http("GET", "/configs?a"), StartsWith("HTTP/1.1 400"));
  EXPECT_EQ(body("/updateConfig?rate=9"), R"({"update_status":"ERR_OK"})");
  EXPECT_EQ(operations.settings.integer("rate"), 9);
  EXPECT_EQ(body("/updateConfig"),
            R"({"update_status":"ERR_INVALID_PARAMETERS: there should be exactly one config to be )"
            R"(updated once"})");
}

TEST_F(OperationsTest, MetricsAreFilteredAndRefusedInTheWordsOfPegasus) {
  auto reply = json::parse(body("/metrics?metrics=resident_mem_usage_mb"));
  EXPECT_EQ(reply["cluster"], "c");
  EXPECT_EQ(reply["role"], "replica");
  EXPECT_EQ(reply["port"], 34801);
  EXPECT_EQ(reply["timestamp_ns"], clock.unix_us() * 1000);
  EXPECT_GT(reply["entities"][0]["metrics"][0]["value"], 0);
  auto error = [this](const std::string& query) {
    EXPECT_THAT(http("GET", "/metrics?" + query), StartsWith("HTTP/1.1 400"));
    return json::parse(body("/metrics?" + query))["error_message"];
  };
  EXPECT_EQ(error("attributes=a"),
            "the number of arguments for attributes should be even, since "
            "each attribute name always pairs with a value");
  EXPECT_EQ(error("detail=1"), "the value of detail should be a boolean value, i.e. true or false");
  EXPECT_EQ(error("k=v"), "unknown field k=v");
  EXPECT_THAT(http("POST", "/metrics"), HasSubstr("please use 'GET' method"));
  EXPECT_THAT(body("/metrics/prometheus"), HasSubstr("pegasus_server_resident_mem_usage_mb{"));
}

}  // namespace
}  // namespace pegmove::service
