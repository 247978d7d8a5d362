#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "async/run.h"
#include "net/rpc_client.h"
#include "net/rpc_server.h"
#include "net/tcp.h"
#include "wire/dsn_types.h"
#include "wire/thrift_codec.h"

namespace pegmove::net {
namespace {

using async::milliseconds;
using wire::ErrorCode;
using wire::Framing;

// Answers GET with the requested key; keeps TTL calls; refuses everything else.
class EchoHandler : public CallHandler {
 public:
  void handle(IncomingCall call) override {
    switch (wire::rpc_code_from_name(call.head().name)) {
      case wire::RpcCode::kGet: ++gets; return call.reply(ErrorCode::kOk, call.body());
      case wire::RpcCode::kTtl: kept.push_back(std::move(call)); return;
      default: return call.reply(ErrorCode::kHandlerNotFound);
    }
  }
  std::vector<IncomingCall> kept;
  size_t gets = 0;
};

class Net : public ::testing::Test {
 protected:
  void start_server(RpcServerLimits limits = {}) {
    auto acceptor = listen_tcp(context.get_executor(), {0x7f000001, 0});
    ASSERT_TRUE(acceptor) << acceptor.error().to_string();
    server = std::make_unique<RpcServer>(context.get_executor(), std::move(*acceptor), handler,
                                         clock, Logger("test"), limits);
    server->start();
    address = server->local();
  }
  void TearDown() override { run(stop_all()); }
  Routine<bool> stop_client() {
    if (client) {
      client->stop();
      co_await client->join();  // no result
    }
    client.reset();
    co_return true;
  }
  Routine<bool> stop_server() {
    if (server) {
      server->stop();
      co_await server->join();  // no result
    }
    server.reset();
    co_return true;
  }
  Routine<bool> stop_all() {
    handler.kept.clear();
    co_await stop_client();  // no result
    co_return co_await stop_server();
  }
  Routine<bool> restart_server() {
    co_await stop_server();  // no result
    auto acceptor = listen_tcp(context.get_executor(), address);
    server = std::make_unique<RpcServer>(context.get_executor(), std::move(*acceptor), handler,
                                         clock, Logger("test"));
    server->start();
    co_return true;
  }
  RpcClient& client_with(Framing framing) {
    client = std::make_unique<RpcClient>(context.get_executor(), connector, clock,
                                         RpcChannelOptions{.framing = framing});
    return *client;
  }
  template <typename T>
  T run(asio::awaitable<T> routine) {
    return async::run_to_end(context, std::move(routine));
  }
  Result<IncomingReply> call(wire::RpcCode code, std::string body, milliseconds timeout) {
    return run(client->channel(address).call({.code = code,
                                              .gpid = {1, 2},
                                              .partition_hash = 3,
                                              .body = body,
                                              .deadline = Deadline::in(clock, timeout)}));
  }

  asio::io_context context;
  async::SystemClock clock;
  TcpConnector connector{clock};
  EchoHandler handler;
  std::unique_ptr<RpcServer> server;
  std::unique_ptr<RpcClient> client;
  Address address;
};

TEST_F(Net, EveryFramingIsAnsweredInKindOnOnePort) {
  start_server();
  for (auto framing : {Framing::kRdsn, Framing::kThriftV0, Framing::kThriftV1}) {
    client_with(framing);
    auto body = wire::encode_body(wire::blob{"key"}, wire::request_field_id(framing));
    auto reply = call(wire::RpcCode::kGet, body, milliseconds(5000));
    ASSERT_TRUE(reply) << reply.error().to_string();
    EXPECT_EQ(reply->error, ErrorCode::kOk);
    EXPECT_EQ(wire::decode_body<wire::blob>(reply->body.view)->data, "key");
    auto refused = call(wire::RpcCode::kPut, body, milliseconds(5000));
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->error, ErrorCode::kHandlerNotFound);
    run(stop_client());
  }
}

Routine<bool> count_replies(RpcChannel& channel, Clock& clock, int calls, int& answered) {
  async::Event all;
  for (int i = 0; i < calls; ++i) {
    auto key = std::to_string(i);
    channel.start({.code = wire::RpcCode::kGet,
                   .gpid = {1, 0},
                   .body = wire::encode_body(wire::blob{key}),
                   .deadline = Deadline::in(clock, milliseconds(30'000))},
                  [&, key](Result<IncomingReply> reply) {
                    if (reply && wire::decode_body<wire::blob>(reply->body.view)->data == key)
                      ++answered;
                    if (answered == calls) all.notify();
                  });
  }
  co_await all.wait();  // no result
  co_return true;
}

TEST_F(Net, ManyCallsInFlightEachGetTheirOwnReply) {
  // Far more calls than the server allows in flight, and far more bytes than it buffers.
  start_server({.max_calls_in_flight = 8, .max_unsent_reply_bytes = 4096});
  client_with(Framing::kRdsn);
  int answered = 0;
  run(count_replies(client->channel(address), clock, 20'000, answered));
  EXPECT_EQ(answered, 20'000);
}

Routine<> write_often(Stream& stream, std::string frame, size_t times) {
  for (size_t i = 0; i < times; ++i)
    if (auto sent = co_await stream.write_all(frame); !sent) co_return;
}

TEST_F(Net, ALargeFrameArrivesWhole) {
  start_server();
  client_with(Framing::kRdsn);
  std::string large(5 << 20, 'x');
  auto reply =
      call(wire::RpcCode::kGet, wire::encode_body(wire::blob{large}), milliseconds(20'000));
  ASSERT_TRUE(reply) << reply.error().to_string();
  EXPECT_EQ(wire::decode_body<wire::blob>(reply->body.view)->data, large);
}

Routine<bool> read_replies(Stream& stream, size_t replies, size_t reply_size) {
  std::string buffer(1 << 20, '\0');
  for (size_t read = 0; read < replies * reply_size;) {
    auto size = co_await stream.read_some(buffer);
    if (!size || *size == 0) co_return false;
    read += *size;
  }
  co_return true;
}

TEST_F(Net, AClientThatDoesNotReadIsNotReadFromEither) {
  constexpr size_t kCalls = 2000;
  start_server({.max_unsent_reply_bytes = 1 << 20});
  std::string frame;
  auto body = wire::encode_body(wire::blob{std::string(100'000, 'x')});
  wire::append_request(frame, {.id = 1, .name = "RPC_RRDB_RRDB_GET", .gpid = {1, 0}}, body);
  auto stream = run(connector.connect(address, Deadline::in(clock, milliseconds(5000))));
  ASSERT_TRUE(stream);
  async::TaskGroup writer(context.get_executor());
  writer.spawn(write_often(**stream, frame, kCalls));
  context.restart();
  while (context.run_one_for(milliseconds(50)) > 0) {
  }
  // All wait now: the handled calls fit the server's bound and the kernel's buffers.
  EXPECT_EQ(writer.running(), 1u);
  EXPECT_LT(handler.gets, kCalls / 2);
  EXPECT_TRUE(run(read_replies(**stream, kCalls, frame.size())));
  EXPECT_EQ(handler.gets, kCalls);
  (*stream)->close();
}

TEST_F(Net, AClientMayLeaveWhileItsReplyIsBeingWritten) {
  start_server();
  std::string frame;
  auto body = wire::encode_body(wire::blob{std::string(16 << 20, 'x')});
  wire::append_request(frame, {.id = 1, .name = "RPC_RRDB_RRDB_GET", .gpid = {1, 0}}, body);
  for (int i = 0; i < 10; ++i) {
    auto stream = run(connector.connect(address, Deadline::in(clock, milliseconds(5000))));
    ASSERT_TRUE(stream);
    ASSERT_TRUE(run((*stream)->write_all(frame)));
    ASSERT_TRUE(run(read_replies(**stream, 1, 1000))) << "the reply has begun";
    (*stream)->close();
  }
  client_with(Framing::kRdsn);
  auto small = wire::encode_body(wire::blob{"still there"});
  EXPECT_TRUE(call(wire::RpcCode::kGet, small, milliseconds(5000)));
  EXPECT_EQ(handler.gets, 11u);
}

TEST_F(Net, AReplyThatIsTooLargeSaysSo) {
  start_server();
  client = std::make_unique<RpcClient>(context.get_executor(), connector, clock,
                                       RpcChannelOptions{.max_frame_size = 10'000});
  auto large = wire::encode_body(wire::blob{std::string(10'000, 'x')});
  auto reply = call(wire::RpcCode::kGet, large, milliseconds(5000));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), Code::kTooLarge);
  auto small = wire::encode_body(wire::blob{"small"});
  EXPECT_TRUE(call(wire::RpcCode::kGet, small, milliseconds(5000)));
}

TEST_F(Net, ACallWithoutAnswerEndsAtItsDeadline) {
  start_server();
  client_with(Framing::kRdsn);
  auto reply = call(wire::RpcCode::kTtl, wire::encode_body(wire::blob{"k"}), milliseconds(30));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), Code::kTimeout);
  handler.kept.clear();
}

TEST_F(Net, ABrokenConnectionFailsItsCallsAndTheNextCallReconnects) {
  start_server();
  client_with(Framing::kRdsn);
  ASSERT_TRUE(call(wire::RpcCode::kGet, wire::encode_body(wire::blob{"k"}), milliseconds(5000)));
  run(restart_server());
  auto again = call(wire::RpcCode::kGet, wire::encode_body(wire::blob{"k"}), milliseconds(5000));
  // The first call after the break may use the dead connection; the second does not.
  EXPECT_TRUE(again || again.error().code() == Code::kUnreachable);
  if (!again)
    again = call(wire::RpcCode::kGet, wire::encode_body(wire::blob{"k"}), milliseconds(5000));
  EXPECT_TRUE(again);
}

TEST_F(Net, AReplyIsUnsentUntilTheSystemHasIt) {
  start_server();
  client_with(Framing::kRdsn);
  bool is_answered = false;
  const auto body = wire::encode_body(wire::blob{"key"});
  client->channel(address).start({.code = wire::RpcCode::kTtl,
                                  .gpid = {1, 2},
                                  .body = body,
                                  .deadline = Deadline::in(clock, milliseconds(5000))},
                                 [&](const Result<IncomingReply>&) { is_answered = true; });
  context.restart();
  while (handler.kept.empty()) context.run_one();
  EXPECT_FALSE(server->has_unsent_replies());
  handler.kept[0].reply(ErrorCode::kBusy);
  EXPECT_TRUE(server->has_unsent_replies());
  while (!is_answered || server->has_unsent_replies()) context.run_one();
}

TEST_F(Net, NobodyListeningIsUnreachable) {
  start_server();
  client_with(Framing::kRdsn);
  run(stop_server());
  auto reply = call(wire::RpcCode::kGet, wire::encode_body(wire::blob{"k"}), milliseconds(5000));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), Code::kUnreachable);
}

TEST_F(Net, APortInUseIsNamed) {
  start_server();
  auto second = listen_tcp(context.get_executor(), address);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Code::kAlreadyExists);
  EXPECT_NE(second.error().message().find(std::to_string(address.port)), std::string::npos);
}

Routine<size_t> send_and_wait_for_close(Connector& connector, Clock& clock, Address address,
                                        std::string bytes) {
  auto stream = co_await connector.connect(address, Deadline::in(clock, milliseconds(5000)));
  if (!stream) co_return 0;
  if (auto sent = co_await (*stream)->write_all(bytes); !sent) co_return 0;
  std::string buffer(1024, '\0');
  size_t total = 0;
  while (true) {
    auto size = co_await (*stream)->read_some(buffer);
    if (!size || *size == 0) co_return total;
    total += *size;
  }
}

TEST_F(Net, AConnectionThatSendsNoFrameIsClosedWithoutAnAnswer) {
  start_server();
  for (std::string bytes : {std::string("SSH-2.0-x\r\n"), "RDSN" + std::string(16, '\xff'),
                            "THFT" + std::string(60, '\x7f')})
    EXPECT_EQ(run(send_and_wait_for_close(connector, clock, address, bytes)), 0u);
  EXPECT_EQ(server->connections(), 0u);
}

Routine<size_t> open_beyond_the_limit(Connector& connector, Clock& clock, Address address,
                                      size_t limit, size_t beyond) {
  std::vector<std::unique_ptr<Stream>> held;
  size_t closed = 0;
  for (size_t i = 0; i < limit + beyond; ++i) {
    auto stream = co_await connector.connect(address, Deadline::in(clock, milliseconds(5000)));
    if (!stream) co_return 0;
    held.push_back(std::move(*stream));
  }
  std::string buffer(16, '\0');
  for (size_t i = limit; i < held.size(); ++i) {
    auto size = co_await held[i]->read_some(buffer);
    closed += !size || *size == 0 ? 1 : 0;
  }
  co_return closed;
}

TEST_F(Net, ConnectionsBeyondTheLimitAreClosedAndThereIsRoomAgainLater) {
  start_server({.max_connections = 3});
  EXPECT_EQ(run(open_beyond_the_limit(connector, clock, address, 3, 5)), 5u);
  client_with(Framing::kRdsn);
  // The server notices one by one that the three have disconnected.
  Result<IncomingReply> reply = fail(Code::kUnreachable, "");
  for (int i = 0; i < 100 && !reply; ++i)
    reply = call(wire::RpcCode::kGet, wire::encode_body(wire::blob{"k"}), milliseconds(5000));
  EXPECT_TRUE(reply) << reply.error().to_string();
  run(stop_client());
}

TEST(Address, ReadsWhatPeopleWrite) {
  EXPECT_EQ(parse_host_port("127.0.0.1:34601"), (HostPort{"127.0.0.1", 34601}));
  EXPECT_EQ(parse_host_port_list("a:1, b:2")->size(), 2u);
  for (const char* text : {"", "a", ":1", "a:", "a:0", "a:65536", "a:1:2", "a b:1", "a:1,"})
    EXPECT_FALSE(parse_host_port_list(text)) << text;
  EXPECT_EQ((Address{0x7f000001, 34601}).to_string(), "127.0.0.1:34601");
  EXPECT_EQ(host_port_of({0x7f000001, 34601}), (HostPort{"127.0.0.1", 34601}));
  EXPECT_EQ(list_text(*parse_host_port_list("a:1, b:2")), "a:1,b:2");
}

}  // namespace
}  // namespace pegmove::net
