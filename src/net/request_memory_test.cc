// The memory that a server uses for all its connections together.
#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>

#include "async/run.h"
#include "net/rpc_server.h"
#include "net/tcp.h"
#include "testing/sim_clock.h"
#include "wire/thrift_codec.h"

namespace pegmove::net {
namespace {

using async::milliseconds;
using wire::ErrorCode;

constexpr size_t kMebibyte = 1 << 20;

// Keeps TTL calls until the test answers them; answers GET with `reply_bytes` bytes.
class SlowHandler : public CallHandler {
 public:
  void handle(IncomingCall call) override {
    ++handled;
    if (wire::rpc_code_from_name(call.head().name) == wire::RpcCode::kGet)
      return call.reply(ErrorCode::kOk, std::string(reply_bytes, 'r'));
    kept_bytes += call.body().size();
    most_kept_bytes = std::max(most_kept_bytes, kept_bytes);
    kept.push_back(std::move(call));
  }
  void answer_all() {
    for (auto& call : kept) call.reply(ErrorCode::kOk);
    kept_bytes = 0;
    kept.clear();
  }
  std::vector<IncomingCall> kept;
  size_t handled = 0;
  size_t kept_bytes = 0;
  size_t most_kept_bytes = 0;
  size_t reply_bytes = 0;
};

std::string request(const std::string& code, size_t body_bytes) {
  std::string frame;
  wire::append_request(frame, {.id = 1, .name = code, .gpid = {1, 0}},
                       std::string(body_bytes, 'x'));
  return frame;
}
std::string kept_request(size_t bytes) { return request("RPC_RRDB_RRDB_TTL", bytes); }
std::string answered_request(size_t bytes = 1) { return request("RPC_RRDB_RRDB_GET", bytes); }

Routine<> send_all(Stream& stream, std::string bytes, size_t times) {
  for (size_t i = 0; i < times; ++i)
    if (auto sent = co_await stream.write_all(bytes); !sent) co_return;
}

Routine<> read_all(Stream& stream, size_t& total) {
  std::string buffer(kMebibyte, '\0');
  while (true) {
    auto size = co_await stream.read_some(buffer);
    if (!size || *size == 0) co_return;
    total += *size;
  }
}

class RequestMemory : public ::testing::Test {
 protected:
  void start(RpcServerLimits limits) {
    auto acceptor = listen_tcp(context.get_executor(), {0x7f000001, 0});
    ASSERT_TRUE(acceptor) << acceptor.error().to_string();
    server = std::make_unique<RpcServer>(context.get_executor(), std::move(*acceptor), handler,
                                         clock, Logger("test"), limits);
    server->start();
  }
  void TearDown() override { async::run_to_end(context, stop()); }
  Routine<bool> stop() {
    handler.kept.clear();
    for (auto& stream : streams) stream->close();
    server->stop();
    co_await server->join();  // no result
    senders.stop();
    co_await senders.join();  // no result
    co_return true;
  }
  Stream& open() {
    auto stream = async::run_to_end(
        context, connector.connect(server->local(), Deadline::in(clock, milliseconds(5000))));
    streams.push_back(std::move(*stream));
    return *streams.back();
  }
  // Runs handlers until none is ready.
  void run_until_idle(milliseconds idle = milliseconds(50)) {
    context.restart();
    while (context.run_one_for(idle) > 0) {
    }
  }
  void pass(int seconds) {
    for (int i = 0; i < seconds; ++i) {
      clock.advance(milliseconds(1000));
      run_until_idle(milliseconds(10));
    }
  }

  asio::io_context context;
  testing::SimClock clock;
  TcpConnector connector{clock};
  SlowHandler handler;
  std::unique_ptr<RpcServer> server;
  std::vector<std::unique_ptr<Stream>> streams;
  async::TaskGroup senders{context.get_executor()};
};

TEST_F(RequestMemory, ManyConnectionsStayWithinTheBudgetAndAllGetTheirTurn) {
  constexpr size_t kConnections = 20, kRequests = 6;
  start({.max_request_memory = 4 * kMebibyte});
  for (size_t i = 0; i < kConnections; ++i)
    senders.spawn(send_all(open(), kept_request(700'000), kRequests));
  run_until_idle();
  size_t rounds = 0;
  for (; handler.handled < kConnections * kRequests && rounds < 1000; ++rounds) {
    ASSERT_FALSE(handler.kept.empty()) << "somebody is always served";
    handler.answer_all();
    run_until_idle();
  }
  EXPECT_EQ(handler.handled, kConnections * kRequests);
  EXPECT_GT(rounds, kConnections) << "no more than five at once";
  EXPECT_LE(handler.most_kept_bytes, 4 * kMebibyte);
}

TEST_F(RequestMemory, FramesThatHaveNotComeWholeCountToo) {
  start({.max_request_memory = 4 * kMebibyte});
  auto frame = kept_request(3 * kMebibyte);
  frame.pop_back();
  for (int i = 0; i < 8; ++i) senders.spawn(send_all(open(), frame, 1));
  run_until_idle();
  EXPECT_EQ(handler.handled, 0u);
  pass(60);  // no frame is completed: all run out of time one by one
  EXPECT_EQ(server->connections(), 1u) << "nobody waits for the last one";
}

TEST_F(RequestMemory, ARequestLargerThanTheBudgetIsServedAlone) {
  start({.max_request_memory = kMebibyte});
  for (int i = 0; i < 4; ++i) senders.spawn(send_all(open(), kept_request(5 * kMebibyte), 2));
  for (size_t i = 0; i < 8; ++i) {
    run_until_idle();
    ASSERT_EQ(handler.kept.size(), 1u);
    handler.answer_all();
  }
  EXPECT_EQ(handler.handled, 8u);
}

TEST_F(RequestMemory, ALargeRequestIsNotPassedByForEverBySmallOnes) {
  start({.max_request_memory = kMebibyte});
  auto& small = open();
  senders.spawn(send_all(small, kept_request(100'000), 1000));
  run_until_idle();
  auto before = handler.handled;
  senders.spawn(send_all(open(), kept_request(kMebibyte), 1));
  run_until_idle();
  EXPECT_EQ(handler.handled, before);
  bool came = false;
  for (int i = 0; i < 3 && !came; ++i) {
    handler.answer_all();
    run_until_idle();
    for (auto& call : handler.kept) came = came || call.body().size() == kMebibyte;
  }
  EXPECT_TRUE(came);
}

TEST_F(RequestMemory, ASmallRequestThatStaysCountsWithTheBlockThatItIsIn) {
  start({.max_request_memory = kMebibyte});
  constexpr size_t kAnswered = 65, kTimes = 200;
  std::string frames = kept_request(10);  // together with the others a little more than a block
  for (size_t i = 0; i < kAnswered; ++i) frames += answered_request(1000);
  auto& stream = open();
  size_t reply_bytes = 0;
  senders.spawn(read_all(stream, reply_bytes));
  senders.spawn(send_all(stream, frames, kTimes));
  run_until_idle();
  EXPECT_LT(handler.kept.size(), 20u);
  for (int i = 0; i < 100 && handler.handled < kTimes * (kAnswered + 1); ++i) {
    handler.answer_all();
    run_until_idle();
  }
  EXPECT_EQ(handler.handled, kTimes * (kAnswered + 1));
}

TEST_F(RequestMemory, ASlowReaderIsClosedWhenOthersWaitForWhatItHolds) {
  start({.max_unsent_reply_bytes = 64 * kMebibyte, .max_request_memory = 4 * kMebibyte});
  handler.reply_bytes = 32 * kMebibyte;  // more than the system's buffers
  auto& slow = open();
  senders.spawn(send_all(slow, answered_request(), 1));
  run_until_idle();
  pass(60);
  EXPECT_EQ(server->connections(), 1u) << "nobody waits";
  handler.reply_bytes = 1;
  auto& other = open();
  size_t replies = 0;
  senders.spawn(read_all(other, replies));
  senders.spawn(send_all(other, answered_request(), 1));
  run_until_idle();
  EXPECT_EQ(replies, 0u);
  pass(7);
  EXPECT_GT(replies, 0u);
  EXPECT_EQ(server->connections(), 1u);
}

TEST_F(RequestMemory, AReaderThatTakesAMebibyteNowAndThenIsNotClosed) {
  start({.max_unsent_reply_bytes = 64 * kMebibyte, .max_request_memory = 4 * kMebibyte});
  handler.reply_bytes = 64 * kMebibyte;
  auto& slow = open();
  senders.spawn(send_all(slow, answered_request(), 1));
  run_until_idle();
  handler.reply_bytes = 1;
  senders.spawn(send_all(open(), answered_request(), 1));
  std::string buffer(kMebibyte, '\0');
  size_t taken = 0;
  for (int second = 0; second < 12; ++second) {
    for (int i = 0; i < 2; ++i) {
      auto size = async::run_to_end(context, slow.read_some(buffer));
      ASSERT_TRUE(size) << size.error().to_string();
      taken += *size;
    }
    pass(1);
  }
  EXPECT_EQ(server->connections(), 2u) << taken;
}

TEST_F(RequestMemory, RepliesAreWelcomeAgainWhenClientsHaveTakenSome) {
  start({.max_unsent_reply_bytes = 64 * kMebibyte, .max_request_memory = 4 * kMebibyte});
  auto& stream = open();
  senders.spawn(send_all(stream, kept_request(10) + answered_request(), 1));
  handler.reply_bytes = 32 * kMebibyte;
  run_until_idle();
  ASSERT_EQ(handler.kept.size(), 1u);
  EXPECT_FALSE(handler.kept[0].has_room_for_reply());
  bool went_on = false;
  IncomingCall::when_room_for_reply(std::move(handler.kept[0]), [&](IncomingCall call) {
    went_on = true;
    call.reply(ErrorCode::kOk);
  });
  handler.kept.clear();
  run_until_idle();
  EXPECT_FALSE(went_on);
  size_t taken = 0;
  senders.spawn(read_all(stream, taken));
  run_until_idle();
  EXPECT_TRUE(went_on);
  EXPECT_GT(taken, 32 * kMebibyte);
}

TEST_F(RequestMemory, RepliesToAConnectionThatIsGoneTakeNothing) {
  start({.max_request_memory = 4 * kMebibyte});
  senders.spawn(send_all(open(), kept_request(10), 3));
  senders.spawn(send_all(open(), kept_request(10), 1));
  run_until_idle();
  ASSERT_EQ(handler.kept.size(), 4u);
  streams[0]->close();
  run_until_idle();
  for (auto& call : handler.kept)
    if (!call.is_connected()) call.reply(ErrorCode::kOk, std::string(8 * kMebibyte, 'x'));
  EXPECT_TRUE(handler.kept[0].has_room_for_reply());
}

TEST_F(RequestMemory, HttpRequestsCountToo) {
  class KeepHttp : public HttpHandler {
   public:
    void handle(IncomingHttp http) override { kept.push_back(std::move(http)); }
    std::vector<IncomingHttp> kept;
  } http;
  auto acceptor = listen_tcp(context.get_executor(), {0x7f000001, 0});
  ASSERT_TRUE(acceptor);
  server = std::make_unique<RpcServer>(
      context.get_executor(), std::move(*acceptor), handler, clock, Logger("test"),
      RpcServerLimits{.max_http_body_size = kMebibyte, .max_request_memory = 4 * kMebibyte}, &http);
  server->start();
  for (int i = 0; i < 10; ++i)
    senders.spawn(send_all(open(), "GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 1));
  run_until_idle();
  EXPECT_EQ(http.kept.size(), 4u);
  for (int i = 0; i < 10; ++i) {
    for (auto& each : http.kept) each.reply({.body = "done"});
    http.kept.clear();
    run_until_idle();
  }
  EXPECT_EQ(server->connections(), 0u);
}

}  // namespace
}  // namespace pegmove::net
