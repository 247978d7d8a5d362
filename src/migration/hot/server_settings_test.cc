#include "migration/hot/server_settings.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "async/run.h"

namespace pegmove::migration::hot {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Servers in memory. All ports are those of 10.0.0.1.
class ServersInMemory {
 public:
  struct Server {
    std::string value = "4096";
    bool is_alive = true;
    bool answers = true;
    bool takes = true;
  };
  std::map<uint16_t, Server> servers;

  ServerPort port() {
    return {.alive = [this](Deadline) { return alive(); },
            .get = [this](net::HostPort node, std::string target,
                          Deadline) { return get(node, std::move(target)); }};
  }
  template <typename T>
  Result<T> run(Task<T> task) {
    asio::io_context context;
    return async::run_to_end(context, std::move(task));
  }
  Deadline deadline() const { return {}; }

 private:
  Task<std::vector<net::HostPort>> alive() {
    std::vector<net::HostPort> nodes;
    for (const auto& [number, server] : servers)
      if (server.is_alive) nodes.push_back({"10.0.0.1", number});
    co_return nodes;
  }
  Task<std::string> get(net::HostPort node, std::string target) {
    auto& server = servers.at(node.port);
    if (!server.answers) co_return fail(Code::kTimeout, "no answer of " + node.to_string());
    const std::string update = "/updateConfig?duplicate_log_batch_bytes=";
    if (target == "/config?name=duplicate_log_batch_bytes")
      co_return fmt::format(R"({{"name":"duplicate_log_batch_bytes","value":"{}"}})", server.value);
    if (!target.starts_with(update)) co_return fail(Code::kProtocol, target);
    if (server.takes) server.value = target.substr(update.size());
    co_return std::string(R"({"update_status":"ERR_OK"})");
  }
};

class ServerSettings : public testing::Test {
 protected:
  Result<KeptSetting> keep() {
    return memory.run(keep_setting(memory.port(), kBatchSetting, kOneByOne, memory.deadline()));
  }
  Result<void> put_back(std::vector<ServerValue> before) {
    return memory.run(put_back_setting(memory.port(), kBatchSetting, kOneByOne, std::move(before),
                                       memory.deadline()));
  }
  ServersInMemory memory;
};

TEST_F(ServerSettings, AreSetOnEveryServerAndPutBack) {
  memory.servers = {{1, {.value = "4096"}}, {2, {.value = "8192"}}};
  const auto before =
      memory.run(find_settings(memory.port(), kBatchSetting, memory.deadline())).value();
  EXPECT_THAT(before,
              ElementsAre(ServerValue{"10.0.0.1:1", "4096"}, ServerValue{"10.0.0.1:2", "8192"}));
  const auto kept = keep().value();
  EXPECT_EQ(kept.changed, before);
  EXPECT_EQ(memory.servers[1].value, "1");
  EXPECT_EQ(memory.servers[2].value, "1");
  ASSERT_TRUE(put_back(before));
  EXPECT_EQ(memory.servers[1].value, "4096");
  EXPECT_EQ(memory.servers[2].value, "8192");
}

TEST_F(ServerSettings, AServerThatRestartedIsSetAgainAndReported) {
  memory.servers = {{1, {.value = "1"}}, {2, {.value = "1"}}};
  EXPECT_TRUE(keep().value().changed.empty());
  memory.servers[2].value = "4096";
  EXPECT_THAT(keep().value().changed, ElementsAre(ServerValue{"10.0.0.1:2", "4096"}));
  EXPECT_EQ(memory.servers[2].value, "1");
}

TEST_F(ServerSettings, AServerThatIsAwayIsReportedAndOthersAreSet) {
  memory.servers = {{1, {.answers = false}}, {2, {}}};
  const auto kept = keep().value();
  ASSERT_EQ(kept.silent.size(), 1u);
  EXPECT_THAT(kept.silent[0], HasSubstr("10.0.0.1:1"));
  EXPECT_EQ(memory.servers[2].value, "1");
}

TEST_F(ServerSettings, AServerThatKeepsItsValueIsAnError) {
  memory.servers = {{1, {.takes = false}}};
  const auto kept = keep();
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().code(), Code::kRefused);
  EXPECT_THAT(kept.error().message(), HasSubstr("it is 4096 after it was set to 1"));
}

TEST_F(ServerSettings, AValueThatAnOperatorSetMeanwhileStays) {
  memory.servers = {{1, {.value = "64"}}};
  ASSERT_TRUE(put_back({{"10.0.0.1:1", "4096"}}));
  EXPECT_EQ(memory.servers[1].value, "64");
}

TEST_F(ServerSettings, AServerThatCameLaterGetsTheValueOfTheOthers) {
  memory.servers = {{1, {.value = "1"}}, {2, {.value = "1"}}};
  ASSERT_TRUE(put_back({{"10.0.0.1:1", "8192"}}));
  EXPECT_EQ(memory.servers[2].value, "8192");
}

TEST_F(ServerSettings, AreNotPutBackWhileAServerDoesNotAnswer) {
  memory.servers = {{1, {.value = "1", .answers = false}}};
  EXPECT_FALSE(put_back({{"10.0.0.1:1", "4096"}}));
  memory.servers[1].is_alive = false;
  EXPECT_TRUE(put_back({{"10.0.0.1:1", "4096"}}));
}

TEST(ServerSettingAnswers, HostileOnesAreErrors) {
  EXPECT_EQ(parse_setting(R"({"value":4096})", "x").value(), "4096");
  for (const char* body : {"", "[]", "{}", R"({"value":""})", R"({"value":"1&a=2"})",
                           R"({"value":-1})", R"({"value":"1 HTTP/1.1"})"})
    EXPECT_FALSE(parse_setting(body, "x")) << body;
  EXPECT_FALSE(parse_setting(R"({"value":")" + std::string(65, '1') + R"("})", "x"));
  const auto missing = parse_setting("ERR_OBJECT_NOT_FOUND: 'x' is not found", "x");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), Code::kUnsupported);
  EXPECT_FALSE(parse_update("{}"));
  const auto refused = parse_update(R"({"update_status":"ERR_INVALID_PARAMETERS: no"})");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("ERR_INVALID_PARAMETERS: no"));
}

TEST(ServerSettingAnswers, ValuesAreKeptInTheJournal) {
  const std::vector<ServerValue> values{{"a:1", "4096"}, {"b:2", "1"}};
  EXPECT_EQ(server_values_from_json(to_json(values)).value(), values);
  EXPECT_FALSE(server_values_from_json("{}"));
  EXPECT_FALSE(server_values_from_json(R"([{"node":1}])"));
}

}  // namespace
}  // namespace pegmove::migration::hot
