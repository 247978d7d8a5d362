#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "async/run.h"
#include "net/http_reader.h"
#include "net/rpc_client.h"
#include "net/rpc_server.h"
#include "net/tcp.h"
#include "testing/sim_clock.h"
#include "wire/thrift_codec.h"

namespace pegmove::net {
namespace {

using async::milliseconds;
using ::testing::EndsWith;
using ::testing::StartsWith;

// Echoes the request; drops /drop; keeps /keep.
class EchoHttp : public HttpHandler {
 public:
  void handle(IncomingHttp http) override {
    const auto& request = http.request();
    targets.push_back(request.target);
    if (request.target == "/drop") return;
    if (request.target == "/keep") return kept.push_back(std::move(http));
    bool post = request.method == HttpMethod::kPost;
    http.reply({.body = (post ? "POST " : "GET ") + request.target + " " + request.body});
  }
  std::vector<std::string> targets;
  std::vector<IncomingHttp> kept;
};

class EchoCalls : public CallHandler {
 public:
  void handle(IncomingCall call) override { call.reply(wire::ErrorCode::kOk, call.body()); }
};

Routine<std::string> read_until(Stream& stream, std::string end) {
  std::string got, buffer(1 << 16, '\0');
  while (!got.ends_with(end)) {
    auto size = co_await stream.read_some(buffer);
    if (!size || *size == 0) co_return got + "<closed>";
    got.append(buffer, 0, *size);
  }
  co_return got;
}

class Http : public ::testing::Test {
 protected:
  void start(HttpHandler* with, RpcServerLimits limits = {}) {
    auto acceptor = listen_tcp(context.get_executor(), {0x7f000001, 0});
    ASSERT_TRUE(acceptor) << acceptor.error().to_string();
    server = std::make_unique<RpcServer>(context.get_executor(), std::move(*acceptor), calls, clock,
                                         Logger("test"), limits, with);
    server->start();
  }
  void TearDown() override { run(stop()); }
  Routine<bool> stop() {
    for (auto& stream : streams) stream->close();
    http.kept.clear();
    server->stop();
    co_await server->join();  // no result
    server.reset();
    co_return true;
  }
  template <typename T>
  T run(asio::awaitable<T> routine) {
    return async::run_to_end(context, std::move(routine));
  }
  Stream& open() {
    auto stream = run(connector.connect(server->local(), Deadline::in(clock, milliseconds(5000))));
    streams.push_back(std::move(*stream));
    return *streams.back();
  }
  // Runs handlers until none is ready.
  void run_until_idle() {
    context.restart();
    while (context.run_one_for(milliseconds(50)) > 0) {
    }
  }
  std::string send(Stream& stream, std::string bytes, std::string end) {
    EXPECT_TRUE(run(stream.write_all(bytes)));
    return run(read_until(stream, std::move(end)));
  }
  // The server closes without a reply.
  void expect_closed(std::string bytes) {
    auto& stream = open();
    (void)run(stream.write_all(bytes));
    EXPECT_EQ(run(read_until(stream, "<never>")), "<closed>") << bytes.substr(0, 100);
  }

  asio::io_context context;
  testing::SimClock clock;
  TcpConnector connector{clock};
  EchoCalls calls;
  EchoHttp http;
  std::unique_ptr<RpcServer> server;
  std::vector<std::unique_ptr<Stream>> streams;
};

TEST_F(Http, IsAnsweredOnThePortOfRpc) {
  start(&http);
  EXPECT_EQ(send(open(), "GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n", " "),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n\r\n"
            "GET /a?b=c ");
  std::string frame;
  wire::append_request(frame, {.id = 1, .name = "RPC_RRDB_RRDB_GET", .gpid = {1, 0}}, "body!");
  EXPECT_THAT(send(open(), frame, "body!"), StartsWith("RDSN"));
}

TEST_F(Http, RequestsOfAConnectionAreAnsweredInTurn) {
  start(&http);
  auto& stream = open();
  std::string many;
  for (int i = 0; i < 200; ++i)
    many += "POST /" + std::to_string(i) + " HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc";
  auto replies = send(stream, many, "POST /199 abc");
  EXPECT_LT(replies.find("POST /7 abc"), replies.find("POST /8 abc"));
  EXPECT_EQ(http.targets.size(), 200u);
  EXPECT_THAT(send(stream, "GET /again HTTP/1.1\r\n\r\n", "/again "), EndsWith("GET /again "));
}

TEST_F(Http, ARequestMayComeInPieces) {
  start(&http);
  auto& stream = open();
  for (char c : std::string("POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                            "2;x=y\r\nab\r\n1\r\nc\r\n0\r\n\r"))
    ASSERT_TRUE(run(stream.write_all(std::string(1, c))));
  EXPECT_THAT(send(stream, "\n", "abc"), EndsWith("\r\n\r\nPOST /p abc"));
}

TEST_F(Http, ConnectionCloseIsObeyedAfterTheReply) {
  start(&http);
  auto got = send(open(), "GET /x HTTP/1.1\r\nConnection: close\r\n\r\n", "<never>");
  EXPECT_THAT(got, EndsWith("GET /x <closed>"));
}

TEST_F(Http, ADroppedRequestIsAnInternalError) {
  start(&http);
  EXPECT_THAT(send(open(), "GET /drop HTTP/1.1\r\n\r\n", "answered"),
              StartsWith("HTTP/1.1 500 Internal Server Error\r\n"));
}

TEST(HttpReply, ARedirectNamesItsLocationInOneLine) {
  EXPECT_EQ(to_bytes({.status = 307, .location = "http://a/b\r\nX: y"}),
            "HTTP/1.1 307 Temporary Redirect\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n"
            "Location: http://a/bX:y\r\n\r\n");
}

TEST_F(Http, WhatIsMalformedIsClosed) {
  start(&http);
  for (std::string bytes : {"GET\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n",
                            "GET / HTTP/9.9\r\n\r\n", "POSTER / HTTP/1.1\r\n\r\n",
                            "POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
                            "GET / HTTP/1.1\r\n\r\nDELETE / HTTP/1.1\r\n\r\n",
                            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    auto& stream = open();
    (void)run(stream.write_all(bytes));
    EXPECT_THAT(run(read_until(stream, "<never>")), EndsWith("<closed>")) << bytes;
  }
  expect_closed("PUT / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(server->connections(), 0u);
}

TEST_F(Http, WhatIsTooLargeIsClosed) {
  start(&http, {.max_http_header_size = 1000, .max_http_body_size = 1000});
  std::string long_line(5000, 'x');
  expect_closed("GET /" + long_line);
  expect_closed("GET / HTTP/1.1\r\nA: " + long_line);
  expect_closed("POST / HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\n");
  expect_closed("POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n");
  expect_closed("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n" + long_line);
  expect_closed("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;" + long_line);
  std::string whole = "POST / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n" + long_line.substr(0, 1000);
  EXPECT_THAT(send(open(), whole, "xxx"), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(Http, WithoutAHandlerTheConnectionIsClosed) {
  start(nullptr);
  expect_closed("GET / HTTP/1.1\r\n\r\n");
}

TEST_F(Http, ARequestThatNeverEndsIsClosedAfterItsTime) {
  start(&http);
  auto& slow = open();
  auto& busy = open();
  auto& rpc = open();
  ASSERT_TRUE(run(slow.write_all("GET / HT")));
  ASSERT_TRUE(run(rpc.write_all("RDSN")));
  send(busy, "GET /keep HTTP/1.1\r\n\r\nGET /after HTTP/1.1\r\n\r\n", "");
  run_until_idle();
  clock.advance(milliseconds(9000));
  run_until_idle();
  EXPECT_EQ(server->connections(), 3u);
  ASSERT_TRUE(run(slow.write_all("TP/1.1\r\n")));  // some more bytes do not extend the deadline
  run_until_idle();
  clock.advance(milliseconds(1500));
  run_until_idle();
  EXPECT_EQ(run(read_until(slow, "<never>")), "<closed>");
  // A slow handler is not cut off, and other connections are not affected.
  EXPECT_EQ(server->connections(), 2u);
  ASSERT_EQ(http.kept.size(), 1u);
  http.kept[0].reply({.body = "late"});
  EXPECT_THAT(run(read_until(busy, "/after ")), EndsWith("GET /after "));
}

TEST_F(Http, AnIdleConnectionIsClosedAfterItsTime) {
  start(&http);
  auto& stream = open();
  send(stream, "GET /1 HTTP/1.1\r\n\r\n", "GET /1 ");
  run_until_idle();
  clock.advance(milliseconds(50'000));
  run_until_idle();
  send(stream, "GET /2 HTTP/1.1\r\n\r\n", "GET /2 ");
  run_until_idle();
  clock.advance(milliseconds(50'000));
  run_until_idle();
  EXPECT_EQ(server->connections(), 1u);
  clock.advance(milliseconds(11'000));
  run_until_idle();
  EXPECT_EQ(server->connections(), 0u);
}

TEST_F(Http, AClientThatDoesNotTakeItsReplyIsClosed) {
  start(&http);
  auto& stream = open();
  ASSERT_TRUE(run(stream.write_all("GET /keep HTTP/1.1\r\n\r\n")));
  run_until_idle();
  ASSERT_EQ(http.kept.size(), 1u);
  http.kept[0].reply({.body = std::string(64 << 20, 'x')});
  run_until_idle();
  EXPECT_EQ(server->connections(), 1u);
  clock.advance(milliseconds(11'000));
  run_until_idle();
  EXPECT_EQ(server->connections(), 0u);
}

class Counting : public CallObserver {
 public:
  void answered(const Answered& answer) override {
    ++calls;
    bytes += answer.request_bytes + answer.reply_bytes;
    error = answer.error;
  }
  int calls = 0;
  size_t bytes = 0;
  wire::ErrorCode error = wire::ErrorCode::kOk;
};

class ObservedCalls : public CallHandler {
 public:
  void handle(IncomingCall call) override {
    call.observe(observer, wire::RpcCode::kGet, {});
    call.reply(wire::ErrorCode::kBusy, "12");
  }
  std::shared_ptr<Counting> observer = std::make_shared<Counting>();
};

TEST_F(Http, AnObserverIsToldOfTheAnswer) {
  ObservedCalls observed;
  auto acceptor = listen_tcp(context.get_executor(), {0x7f000001, 0});
  server = std::make_unique<RpcServer>(context.get_executor(), std::move(*acceptor), observed,
                                       clock, Logger("test"));
  server->start();
  std::string frame;
  wire::append_request(frame, {.id = 1, .name = "RPC_RRDB_RRDB_GET", .gpid = {1, 0}}, "body!");
  ASSERT_TRUE(run(open().write_all(frame)));
  run_until_idle();
  EXPECT_EQ(observed.observer->calls, 1);
  EXPECT_EQ(observed.observer->bytes, 7u);
  EXPECT_EQ(observed.observer->error, wire::ErrorCode::kBusy);
}

}  // namespace
}  // namespace pegmove::net
