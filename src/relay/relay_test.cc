// A relay and its source on one executor, over TCP.
#include "relay/relay.h"

#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

#include "async/run.h"
#include "base/bytes.h"
#include "net/http_get.h"
#include "net/rpc_client.h"
#include "net/tcp.h"
#include "relay/advanced_clock_test.h"
#include "relay/fake_target_test.h"
#include "testing/fake_nodes.h"

namespace pegmove::relay {
namespace {

using async::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using wire::ErrorCode;
using wire::RpcCode;

constexpr int32_t kAppId = 77;

class RelayTest : public ::testing::Test {
 protected:
  void SetUp() override {
    begin();
    own_all();
  }
  ~RelayTest() override {
    target.release();
    end();
    run(close());
  }
  static RelayOptions options() {
    return {.listen = {0x7f000001, 0},
            .address = {"127.0.0.1", 0},
            .source = "A",
            .table = "r_main",
            .app_id = kAppId,
            .partitions = 4,
            .target = "B",
            .target_table = "u",
            .root = "/pegmove/relay"};
  }
  void begin(const std::string& target_table = "u") {
    auto options = RelayTest::options();
    options.target_table = target_table;
    options.count_source_partitions = [this] { return count_source(); };
    auto listened = Relay::listen(context.get_executor(), clock, nodes, target, std::move(options),
                                  Logger("test"));
    ASSERT_TRUE(listened) << listened.error().to_string();
    relay = *std::move(listened);
    nodes.listen(&relay->ownership());
    relay->start();
    address = relay->address();
  }
  void own_all() {
    until([this] { return relay->ownership().owned() == 4; });
    clock.advanced += kSuccessorsWait;
    until([this] { return may_forward_all(); });
  }
  bool may_forward_all() {
    for (int32_t i = 0; i < 4; ++i)
      if (!relay->ownership().may_forward(i)) return false;
    return true;
  }
  void end() {
    if (!relay) return;
    clock.advanced += kSourceRepeats;
    run(end_relay());
    nodes.listen(nullptr);
    nodes.expire();
    relay.reset();
  }
  template <typename T>
  T run(asio::awaitable<T> routine) {
    return async::run_to_end(context, std::move(routine));
  }
  void until(const std::function<bool()>& is_so) {
    context.restart();
    while (!is_so()) context.run_one();
  }
  Task<int32_t> count_source() { co_return source_count; }
  Routine<bool> end_relay() {
    co_await relay->end();  // no result
    co_return true;
  }
  Routine<> end_soon() { return end_other(*relay); }
  static Routine<> end_other(Relay& ended) { co_await ended.end(); }  // no result
  Routine<bool> close() {
    rpc.stop();
    co_await rpc.join();  // no result
    co_return true;
  }
  Deadline soon() { return Deadline::in(clock, milliseconds(60'000)); }
  net::IncomingReply call(RpcCode code, Gpid gpid, std::string_view body) {
    auto reply = run(
        rpc.channel(address).call({.code = code, .gpid = gpid, .body = body, .deadline = soon()}));
    if (!reply) throw std::runtime_error(reply.error().to_string());
    return *std::move(reply);
  }
  ErrorCode ship(const std::vector<Write>& writes, int32_t partition = 1) {
    return call(RpcCode::kDuplicate, {kAppId, partition}, shipped(writes)).error;
  }
  // Sent, and not waited for.
  void start_shipping(const std::vector<Write>& writes, int32_t partition) {
    const auto body = shipped(writes);
    rpc.channel(address).start(
        {.code = RpcCode::kDuplicate,
         .gpid = {kAppId, partition},
         .body = body,
         .deadline = soon()},
        [this](Result<net::IncomingReply> reply) {
          started.push_back(reply ? std::optional(reply->error) : std::nullopt);
        });
  }
  wire::query_cfg_response config(const std::string& table, std::vector<int32_t> indices = {}) {
    wire::query_cfg_request request;
    request.app_name = table;
    request.partition_indices = std::move(indices);
    const auto reply = call(RpcCode::kQueryConfig, {}, wire::encode_body(request));
    return *wire::decode_body<wire::query_cfg_response>(reply.body.view);
  }
  std::string get(const std::string& path) {
    auto answer = run(net::http_get(connector, clock, address, path, soon()));
    if (!answer) throw std::runtime_error(answer.error().to_string());
    return answer->body;
  }
  nlohmann::json status() { return nlohmann::json::parse(get("/relay")); }

  asio::io_context context;
  AdvancedClock clock;
  pegmove::testing::FakeNodes nodes;
  FakeTarget target;
  Result<int32_t> source_count = 4;
  net::TcpConnector connector{clock};
  net::RpcClient rpc{context.get_executor(), connector, clock};
  std::unique_ptr<Relay> relay;
  net::Address address;
  std::vector<std::optional<ErrorCode>> started;  // nullopt: the connection broke
};

TEST_F(RelayTest, AnswersAsAClusterWhoseTableHasTheSourcesPartitionCount) {
  for (const auto* name : {"r_main", "u"}) {
    const auto answer = config(name);
    EXPECT_EQ(answer.err.code, ErrorCode::kOk);
    EXPECT_EQ(answer.app_id, kAppId);
    EXPECT_EQ(answer.partition_count, 4);
    EXPECT_TRUE(answer.is_stateful);
    ASSERT_EQ(answer.partitions.size(), 4U);
    for (const auto& partition : answer.partitions) {
      EXPECT_EQ(partition.hp_primary.host, "127.0.0.1");
      EXPECT_EQ(partition.hp_primary.port, address.port);
      EXPECT_EQ(partition.primary.port(), address.port);
      EXPECT_GT(partition.ballot, 0);
    }
  }
  EXPECT_EQ(config("r_main", {2}).partitions.size(), 1U);
}

TEST_F(RelayTest, ABallotRisesWithEachOwner) {
  const auto before = config("r_main").partitions[0].ballot;
  nodes.expire();
  until([this] { return relay->ownership().owned() == 4; });
  EXPECT_GT(config("r_main").partitions[0].ballot, before);
}

TEST_F(RelayTest, AnotherTableAndOtherRequestsAreNotAnswered) {
  EXPECT_EQ(config("t").err.code, ErrorCode::kObjectNotFound);
  EXPECT_EQ(call(RpcCode::kListApps, {}, wire::encode_body(wire::query_cfg_request())).error,
            ErrorCode::kHandlerNotFound);
}

TEST_F(RelayTest, TheTableIsCreatedWithTheSourcesPartitionCountOnly) {
  wire::configuration_create_app_request request;
  request.app_name = "u";
  for (const int32_t count : {4, 8}) {
    request.options.partition_count = count;
    const auto reply = call(RpcCode::kCreateApp, {}, wire::encode_body(request));
    const auto answer = wire::decode_body<wire::configuration_create_app_response>(reply.body.view);
    EXPECT_EQ(answer->err.code == ErrorCode::kOk, count == 4);
    EXPECT_EQ(answer->appid, kAppId);
  }
}

TEST_F(RelayTest, RequestsForNoPartitionOfItsTableMakeTheSourceAskAgain) {
  const auto body = shipped({put("a", "1")});
  EXPECT_EQ(call(RpcCode::kDuplicate, {kAppId + 1, 0}, body).error, ErrorCode::kObjectNotFound);
  EXPECT_EQ(call(RpcCode::kDuplicate, {kAppId, 4}, body).error, ErrorCode::kObjectNotFound);
}

// Real sources abort on the storage's error 4, which real servers answer in such cases.
TEST_F(RelayTest, WhateverComesIsAnsweredWithAnRpcErrorAndItsReasonIsShown) {
  for (const auto& body : {std::string("x"), shipped({{RpcCode::kIncr, put("a", "1").body, 1}})}) {
    const auto reply = call(RpcCode::kDuplicate, {kAppId, 1}, body);
    EXPECT_EQ(reply.error, ErrorCode::kBusy);
    EXPECT_TRUE(reply.body.view.empty());
  }
  EXPECT_THAT(status().at("malformed").get<std::string>(), HasSubstr("INCR"));
  EXPECT_THAT(get("/metrics/prometheus"), HasSubstr("pegasus_relay_requests_malformed"));
}

TEST_F(RelayTest, NobodyOwnsAPartitionWhileZooKeeperIsNotKnown) {
  end();
  nodes.connect(false);
  begin();
  EXPECT_EQ(config("r_main").partitions.at(0).ballot, 0);
  EXPECT_EQ(ship({put("a", "1")}), ErrorCode::kInvalidState);
}

// Times of writes decide only with one of the methods.
TEST_F(RelayTest, RelaysThatWriteInAnotherWayOwnNothing) {
  auto options = RelayTest::options();
  options.method = WriteMethod::kPlain;
  auto other = Relay::listen(context.get_executor(), clock, nodes, target, std::move(options),
                             Logger("test"));
  ASSERT_TRUE(other) << other.error().to_string();
  (*other)->start();
  until([&] { return (*other)->ownership().problem().find("is for other") != std::string::npos; });
  EXPECT_EQ((*other)->ownership().owned(), 0);
  async::TaskGroup ending(context.get_executor());
  ending.spawn(end_other(**other));
  until([&] { return ending.running() == 0; });
}

TEST_F(RelayTest, ASealPutsOffEverythingAndShows) {
  EXPECT_EQ(ship({put("a", "1")}), ErrorCode::kOk);
  nodes.set(seal_path("/pegmove/relay/A/r_main/B"), "");
  until([this] { return relay->ownership().is_sealed(); });
  EXPECT_EQ(ship({put("a", "2", 2)}), ErrorCode::kBusy);
  EXPECT_EQ(target.written.size(), 1U);
  const auto now = status();
  EXPECT_TRUE(now.at("sealed"));
  EXPECT_EQ(now.at("in_flight"), 0);
  EXPECT_EQ(now.at("partitions").size(), 4U);
  EXPECT_TRUE(now.at("partitions").at(0).at("may_forward"));
}

TEST_F(RelayTest, BeforeItEndsItAnswersAllThatIsOpen) {
  target.holds = true;
  start_shipping({put("a", "1")}, 0);
  start_shipping({put("b", "1")}, 3);
  until([this] { return target.sends.size() == 2; });
  EXPECT_EQ(status().at("in_flight"), 2);
  async::TaskGroup ending(context.get_executor());
  ending.spawn(end_soon());
  until([this] { return started.size() == 2; });
  EXPECT_THAT(started, ElementsAre(ErrorCode::kBusy, ErrorCode::kBusy));
  EXPECT_EQ(ending.running(), 1U);  // what is under way is waited for
  target.release();
  clock.advanced += kSourceRepeats;
  until([&] { return ending.running() == 0; });
  nodes.listen(nullptr);
  relay.reset();
}

TEST_F(RelayTest, AnotherPartitionCountOfTheSourceIsShown) {
  EXPECT_EQ(status().at("problem"), "");
  source_count = 8;
  std::string problem;
  while (problem.empty()) problem = status().at("problem").get<std::string>();
  EXPECT_THAT(problem, HasSubstr("'r_main' of cluster A has 8 partitions now"));
  EXPECT_THAT(problem, HasSubstr("remove node /pegmove/relay/A/r_main/B"));
  EXPECT_THAT(get("/metrics/prometheus"),
              ::testing::ContainsRegex("pegasus_relay_problem[{][^\n]*[}] 1"));
  source_count = fail(Code::kUnreachable, "nobody answers");
  EXPECT_NE(status().at("problem"), "");
  source_count = 4;
  while (!problem.empty()) problem = status().at("problem").get<std::string>();
}

// A source whose connection is closed under a request waits for 100 s.
TEST_F(RelayTest, BeforeItClosesTheSourcesHaveHeardThatItOwnsNothing) {
  target.outcome = [](const Group&) { return refused(); };
  start_shipping({put("a", "1")}, 0);
  until([this] { return !target.sends.empty(); });
  async::TaskGroup ending(context.get_executor());
  ending.spawn(end_soon());
  until([this] { return started.size() == 1; });
  const milliseconds held(600'000);
  clock.advanced -= held;  // a relay ends no sooner than sources repeat
  EXPECT_EQ(ship({put("a", "1")}, 0), ErrorCode::kInvalidState);
  EXPECT_EQ(ship({put("b", "1")}, 3), ErrorCode::kInvalidState);
  for (const auto& partition : config("r_main").partitions) {
    EXPECT_EQ(partition.ballot, 0);
    EXPECT_EQ(partition.hp_primary.port, 0);
  }
  EXPECT_EQ(ending.running(), 1U);
  clock.advanced += held + kSourceRepeats;
  until([&] { return ending.running() == 0; });
  nodes.listen(nullptr);
  relay.reset();
}

TEST_F(RelayTest, ShowsItsClockAsServersDo) {
  const auto answer = nlohmann::json::parse(get("/metrics?types=server&metrics=none"));
  EXPECT_GT(answer.at("timestamp_ns").get<int64_t>(), 0);
}

// What a real source sent to a program in the relay's place, and what it took as an answer.
TEST_F(RelayTest, UnderstandsARealSource) {
  end();
  // The duty of these relays is another one.
  nodes.remove("/pegmove/relay/A/r_main/B");
  begin("r_sst");
  own_all();
  std::ifstream lines("tests/golden/duplication/to-relay.jsonl");
  std::map<int64_t, std::string> answers;
  std::vector<std::string> expected;
  int requests = 0;
  for (std::string text; std::getline(lines, text);) {
    const auto line = nlohmann::json::parse(text);
    const auto code = wire::rpc_code_from_name(line.at("rpc").get<std::string>());
    const auto body = *base::from_hex(line.at("body").get<std::string>());
    const auto id = line.at("seq").get<int64_t>();
    if (line.at("kind") == "response") {
      EXPECT_EQ(base::to_hex(answers.at(id)), line.at("body").get<std::string>());
      continue;
    }
    const Gpid gpid{line.at("gpid").at(0), line.at("gpid").at(1)};
    const auto reply = call(code, gpid, body);
    EXPECT_EQ(reply.error, ErrorCode::kOk) << text;
    answers[id] = std::string(reply.body.view);
    ++requests;
    if (code != RpcCode::kDuplicate) continue;
    const auto request = *ShippedRequest::parse(body, WriteMethod::kDuplicate);
    for (const auto& entry : request->entries()) {
      EXPECT_EQ(record::partition_index(entry.hash, 4), gpid.partition_index);
      expected.push_back(std::to_string(record::partition_index(entry.hash, target.count)) + ": " +
                         text_of(entry));
    }
  }
  EXPECT_THAT(target.written, ::testing::UnorderedElementsAreArray(expected));
  EXPECT_GT(requests, 30);
  EXPECT_GT(target.written.size(), 30U);
}

}  // namespace
}  // namespace pegmove::relay
