#include "metaproxy/meta_proxy.h"

#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>
#include <nlohmann/json.hpp>

#include "async/run.h"
#include "base/json_text.h"
#include "meta_types.h"
#include "net/http_get.h"
#include "net/tcp.h"
#include "testing/fake_nodes.h"
#include "wire/thrift_codec.h"

namespace pegmove::metaproxy {
namespace {

using async::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;
using wire::ErrorCode;
using wire::Framing;

constexpr uint32_t kHere = 0x7f000001;

// A meta server whose answers the test makes.
class FakeMeta : public net::CallHandler {
 public:
  FakeMeta(asio::any_io_executor executor, Clock& clock)
      : server_(executor, *net::listen_tcp(executor, {kHere, 0}), *this, clock, Logger("test")) {
    server_.start();
  }
  std::function<void(net::IncomingCall)> on_call;
  int calls = 0;
  std::string last_body;

  net::Address address() const { return server_.local(); }
  void handle(net::IncomingCall call) override {
    ++calls;
    last_body = call.body();
    on_call(std::move(call));
  }
  Routine<bool> stop() {
    server_.stop();
    co_await server_.join();  // no result
    co_return true;
  }

 private:
  net::RpcServer server_;
};

std::string answer_of(const std::string& name) {
  wire::query_cfg_response response;
  response.app_id = 7;
  response.partition_count = 1;
  response.partitions.emplace_back().__set_hp_primary(wire::host_port::of(name, 34801));
  auto body = wire::encode_body(response);
  // An unknown field of a newer server: a string with id 99, before the ends of struct and body.
  body.insert(body.size() - 2, std::string("\x0b\x00\x63\x00\x00\x00\x02hi", 9));
  return body;
}

class MetaProxyTest : public ::testing::Test {
 protected:
  MetaProxyTest() {
    for (auto* meta : {&one, &two})
      meta->on_call = [](net::IncomingCall call) { call.reply(ErrorCode::kOk, answer_of("one")); };
  }
  void start(MetaProxyOptions options = {}) {
    options.listen = {kHere, 0};
    options.routes.root = "/clusters";
    proxy = *MetaProxy::listen(context.get_executor(), clock, nodes, options, Logger("test"));
    nodes.listen(&proxy->routes());
    proxy->start();
  }
  ~MetaProxyTest() override {
    proxy->stop();
    run(joined());
    run(one.stop());
    run(two.stop());
  }
  Routine<bool> joined() {
    co_await proxy->join();  // no result
    for (auto& client : clients) {
      client->stop();
      co_await client->join();  // no result
    }
    co_return true;
  }
  template <typename T>
  T run(asio::awaitable<T> routine) {
    return async::run_to_end(context, std::move(routine));
  }
  void route(const std::string& table, const std::string& metas) {
    nodes.set("/clusters/" + table, R"({"cluster_name": "c", "meta_addrs": ")" + metas + "\"}");
  }
  Result<net::IncomingReply> call(const std::string& body, Framing framing, wire::RpcCode code,
                                  milliseconds limit = milliseconds(10'000)) {
    auto& client = clients.emplace_back(std::make_unique<net::RpcClient>(
        context.get_executor(), connector, clock, net::RpcChannelOptions{.framing = framing}));
    return run(client->channel(proxy->address())
                   .call({.code = code, .body = body, .deadline = Deadline::in(clock, limit)}));
  }
  Result<net::IncomingReply> ask(const std::string& table, Framing framing = Framing::kThriftV0,
                                 milliseconds limit = milliseconds(10'000)) {
    wire::query_cfg_request request;
    request.app_name = table;
    return call(wire::encode_body(request, wire::request_field_id(framing)), framing,
                wire::RpcCode::kQueryConfig, limit);
  }
  ErrorCode error_for(const std::string& table, Framing framing = Framing::kThriftV0) {
    auto reply = ask(table, framing);
    if (!reply || reply->error != ErrorCode::kOk) return ErrorCode::kNetworkFailure;
    return wire::decode_body<wire::query_cfg_response>(reply->body.view)->err.code;
  }
  std::string get(const std::string& target) {
    return run(net::http_get(connector, clock, proxy->address(), target,
                             Deadline::in(clock, milliseconds(5'000))))
        ->body;
  }

  asio::io_context context;
  async::SystemClock clock;
  net::TcpConnector connector{clock};
  pegmove::testing::FakeNodes nodes;
  FakeMeta one{context.get_executor(), clock}, two{context.get_executor(), clock};
  std::vector<std::unique_ptr<net::RpcClient>> clients;
  std::unique_ptr<MetaProxy> proxy;
};

TEST_F(MetaProxyTest, PassesAnAnswerOnByteForByteInEveryFraming) {
  start();
  route("t", one.address().to_string());
  for (const auto framing : {Framing::kThriftV0, Framing::kThriftV1, Framing::kRdsn}) {
    std::optional<Framing> asked_in;
    one.on_call = [&](net::IncomingCall call) {
      asked_in = call.head().framing;
      call.reply(ErrorCode::kOk, answer_of("one"));
    };
    auto reply = ask("t", framing);
    ASSERT_TRUE(reply) << reply.error().to_string();
    EXPECT_EQ(reply->error, ErrorCode::kOk);
    EXPECT_EQ(reply->body.view, answer_of("one"));
    EXPECT_EQ(asked_in, framing) << "servers answer each framing differently";
  }
}

TEST_F(MetaProxyTest, PassesTheRequestOnAsItCame) {
  start();
  route("t", one.address().to_string());
  wire::query_cfg_request request;
  request.app_name = "t";
  request.partition_indices = {3, 1};
  const auto body = wire::encode_body(request);
  ASSERT_TRUE(call(body, Framing::kRdsn, wire::RpcCode::kQueryConfig));
  EXPECT_EQ(one.last_body, body);
}

TEST_F(MetaProxyTest, AnswersTheErrorsOfTheOriginal) {
  start({.answer_time = milliseconds(300)});
  nodes.set("/clusters/bad", R"({"cluster_name": "onebox", meta_addrs)");
  route("dead", "127.0.0.1:1,127.0.0.1:2");
  EXPECT_EQ(error_for("none"), ErrorCode::kObjectNotFound);
  EXPECT_EQ(error_for("../t"), ErrorCode::kObjectNotFound);
  EXPECT_EQ(error_for("bad"), ErrorCode::kInvalidData);
  EXPECT_EQ(error_for("dead"), ErrorCode::kUnknown);
  nodes.connect(false);
  EXPECT_EQ(error_for("none", Framing::kRdsn), ErrorCode::kZookeeperOperation);
}

TEST_F(MetaProxyTest, EveryRequestIsAnswered) {
  start();
  auto other = call("", Framing::kThriftV0, wire::RpcCode::kListApps);
  ASSERT_TRUE(other) << other.error().to_string();
  EXPECT_EQ(other->error, ErrorCode::kHandlerNotFound);
  auto wrong = call("?", Framing::kRdsn, wire::RpcCode::kQueryConfig);
  ASSERT_TRUE(wrong);
  EXPECT_EQ(wrong->error, ErrorCode::kInvalidParameters);
}

TEST_F(MetaProxyTest, ALeaderIsFoundByForwardsOfBothKinds) {
  start();
  route("t", one.address().to_string());
  for (const bool in_response : {false, true}) {
    // The first kind has an address only in RDSN.
    const auto framing = in_response ? Framing::kThriftV0 : Framing::kRdsn;
    one.on_call = [&](net::IncomingCall call) {
      const auto leader = wire::rpc_address::of(kHere, two.address().port);
      if (!in_response) return call.reply(ErrorCode::kForwardToOthers, wire::encode_body(leader));
      wire::query_cfg_response response;
      response.err.code = ErrorCode::kForwardToOthers;
      response.partitions.emplace_back().primary = leader;
      call.reply(ErrorCode::kOk, wire::encode_body(response));
    };
    two.on_call = [](net::IncomingCall call) { call.reply(ErrorCode::kOk, answer_of("two")); };
    EXPECT_EQ(ask("t", framing)->body.view, answer_of("two"));
    one.calls = 0;
    EXPECT_EQ(ask("t", framing)->body.view, answer_of("two"));
    EXPECT_EQ(one.calls, 0) << "the leader is remembered";
    two.on_call = [](net::IncomingCall call) { call.reply(ErrorCode::kServiceNotActive); };
    one.on_call = [](net::IncomingCall call) { call.reply(ErrorCode::kOk, answer_of("one")); };
    EXPECT_EQ(ask("t", framing)->body.view, answer_of("one")) << "another server leads now";
    two.calls = 0;
  }
}

TEST_F(MetaProxyTest, ServersThatAreDownOrHangArePassedOver) {
  start({.metas = {.one_try = milliseconds(50)}});
  std::vector<net::IncomingCall> kept;
  two.on_call = [&](net::IncomingCall call) { kept.push_back(std::move(call)); };
  route("t", "127.0.0.1:1," + two.address().to_string() + "," + one.address().to_string());
  EXPECT_EQ(ask("t")->body.view, answer_of("one"));
  EXPECT_EQ(kept.size(), 1U);
  EXPECT_EQ(ask("t")->body.view, answer_of("one"));
  EXPECT_EQ(kept.size(), 1U) << "the server that answered is asked first";
}

TEST_F(MetaProxyTest, AClientGetsAnAnswerWithinItsOwnTimeLimit) {
  start();
  std::vector<net::IncomingCall> kept;
  one.on_call = [&](net::IncomingCall call) { kept.push_back(std::move(call)); };
  route("t", one.address().to_string());
  auto reply = ask("t", Framing::kRdsn, milliseconds(1'000));
  ASSERT_TRUE(reply) << reply.error().to_string();
  EXPECT_EQ(wire::decode_body<wire::query_cfg_response>(reply->body.view)->err.code,
            ErrorCode::kUnknown);
}

TEST_F(MetaProxyTest, OnlyTablesOfTheListAreServed) {
  start({.tables = {"t"}});
  route("t", one.address().to_string());
  route("u", one.address().to_string());
  EXPECT_EQ(error_for("t"), ErrorCode::kOk);
  EXPECT_EQ(error_for("u"), ErrorCode::kObjectNotFound);
  EXPECT_EQ(nodes.reads, 1);
}

TEST_F(MetaProxyTest, RoutesAndMetricsShowAgeAndVersion) {
  start({.labels = {{"region", "here"}}});
  route("t", one.address().to_string());
  route("t", one.address().to_string());
  EXPECT_EQ(error_for("t"), ErrorCode::kOk);
  EXPECT_EQ(error_for("none\xff"), ErrorCode::kObjectNotFound);
  nodes.set("/clusters/t", "not json");
  EXPECT_EQ(error_for("t"), ErrorCode::kOk);
  const auto json = base::parse_json<nlohmann::json>(get("/routes"));
  ASSERT_TRUE(json.is_object());
  EXPECT_EQ(json["connected"], true);
  ASSERT_EQ(json["routes"].size(), 1U);
  const auto& shown = json["routes"][0];
  EXPECT_EQ(shown["table"], "t");
  EXPECT_EQ(shown["cluster_name"], "c");
  EXPECT_EQ(shown["meta_addrs"], one.address().to_string());
  EXPECT_EQ(shown["version"], 1);
  EXPECT_TRUE(shown["age_ms"].is_number_integer());
  EXPECT_THAT(shown["problem"].get<std::string>(), HasSubstr("version 2 of the node is wrong"));
  const auto text = get("/metrics");
  for (const auto* line :
       {"client_connection_count{region=\"here\"} ",
        "client_query_config_count{region=\"here\",table=\"t\"} 2",
        "zk_request_count{region=\"here\",table=\"t\"} ",
        "metaproxy_route_version{region=\"here\",table=\"t\",target_cluster=\"c\"} 1",
        "metaproxy_route_age_seconds{region=\"here\",table=\"t\",target_cluster=\"c\"} ",
        "metaproxy_route_has_problem{region=\"here\",table=\"t\"} 1",
        "metaproxy_error_count{error=\"ERR_OBJECT_NOT_FOUND\",region=\"here\"} 1",
        "metaproxy_zookeeper_connected{region=\"here\"} 1"})
    EXPECT_THAT(text, HasSubstr(line));
  EXPECT_THAT(text, Not(HasSubstr("\xff")));
}

TEST_F(MetaProxyTest, NamesThatHaveNoRouteAreCountedTogether) {
  start({.tables = {"t", "none", "bad"}});
  route("t", one.address().to_string());
  nodes.set("/clusters/bad", "not json");
  EXPECT_EQ(error_for("t"), ErrorCode::kOk);
  for (const auto* name : {"none", "bad", "not-of-the-list"}) {
    EXPECT_NE(error_for(name), ErrorCode::kOk);
    EXPECT_THAT(get("/metrics"), Not(HasSubstr(name)));
  }
  const auto text = get("/metrics");
  for (const auto* line :
       {"client_query_config_count{table=\"t\"} 1",
        "client_query_config_count{table=\"other tables\"} 3", "zk_request_count{table=\"t\"} 1",
        "zk_request_count{table=\"other tables\"} 2"})
    EXPECT_THAT(text, HasSubstr(line));
}

}  // namespace
}  // namespace pegmove::metaproxy
