// A connection whose other side takes nothing for a while.
#include "net/rpc_channel.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "async/run.h"
#include "testing/sim_clock.h"

namespace pegmove::net {
namespace {

using async::milliseconds;

// Writes wait until the test lets them pass; nothing is answered.
struct Pipe {
  std::string written;
  bool is_open = false, is_closed = false;
  async::Event changed;
};

class PipeStream : public Stream {
 public:
  explicit PipeStream(Pipe& pipe) : pipe_(pipe) {}
  Task<size_t> read_some(std::span<char>) override {
    while (!pipe_.is_closed) co_await pipe_.changed.wait();  // no result
    co_return fail(Code::kUnreachable, "closed");
  }
  Task<> write_all(std::string_view bytes) override {
    while (!pipe_.is_open && !pipe_.is_closed) co_await pipe_.changed.wait();  // no result
    if (pipe_.is_closed) co_return fail(Code::kUnreachable, "closed");
    pipe_.written += bytes;
    co_return Result<void>();
  }
  void close() override {
    pipe_.is_closed = true;
    pipe_.changed.notify_all();
  }
  Address peer() const override { return {}; }

 private:
  Pipe& pipe_;
};

class PipeConnector : public Connector {
 public:
  explicit PipeConnector(Pipe& pipe) : pipe_(pipe) {}
  Task<std::unique_ptr<Stream>> connect(Address, Deadline) override {
    co_return std::make_unique<PipeStream>(pipe_);
  }

 private:
  Pipe& pipe_;
};

TEST(RpcChannel, ACallThatWasNotSentWithinItsTimeIsNotSentLater) {
  asio::io_context context;
  testing::SimClock clock;
  Pipe pipe;
  PipeConnector connector(pipe);
  RpcChannel channel(context.get_executor(), connector, clock, {0x7f000001, 1}, {});
  bool sent[3] = {false, false, false};
  int failed = 0;
  const auto start = [&](int i, std::string_view body, int64_t ms) {
    channel.start({.code = wire::RpcCode::kPut,
                   .body = body,
                   .deadline = Deadline::in(clock, milliseconds(ms)),
                   .sent = &sent[i]},
                  [&](Result<IncomingReply> reply) { failed += !reply; });
  };
  start(0, "first-body", 100'000);
  context.poll();  // it is being written, and waits
  start(1, "late-body", 1'000);
  start(2, "third-body", 100'000);
  context.poll();
  clock.advance(milliseconds(2'000));
  context.poll();
  EXPECT_EQ(failed, 1);
  EXPECT_FALSE(sent[1]);
  pipe.is_open = true;
  pipe.changed.notify_all();
  context.poll();
  EXPECT_TRUE(sent[0]);
  EXPECT_FALSE(sent[1]);
  EXPECT_TRUE(sent[2]);
  EXPECT_NE(pipe.written.find("first-body"), std::string::npos);
  EXPECT_EQ(pipe.written.find("late-body"), std::string::npos);
  EXPECT_NE(pipe.written.find("third-body"), std::string::npos);
  channel.stop();
  async::run_to_end(context, channel.join());
}

// What becomes of a connection when a call of a second gets no answer.
class ChannelTimeout : public ::testing::Test {
 protected:
  ~ChannelTimeout() override {
    channel.stop();
    async::run_to_end(context, channel.join());
  }
  void start(int64_t ms, bool* sent) {
    channel.start({.code = wire::RpcCode::kPut,
                   .body = "body",
                   .deadline = Deadline::in(clock, milliseconds(ms)),
                   .sent = sent},
                  [this](Result<IncomingReply> reply) { failed += !reply; });
    settle();
  }
  void pass_two_seconds() {
    clock.advance(milliseconds(2'000));
    settle();
  }
  void settle() {
    context.restart();
    context.poll();
  }

  asio::io_context context;
  testing::SimClock clock;
  Pipe pipe;
  PipeConnector connector{pipe};
  RpcChannelOptions options{.closes_after_timeout = true};
  RpcChannel channel{context.get_executor(), connector, clock, {0x7f000001, 1}, options};
  int failed = 0;
};

TEST_F(ChannelTimeout, ClosesItWhenBytesWereSent) {
  pipe.is_open = true;
  bool sent = false, other = false;
  start(100'000, &other);
  start(1'000, &sent);
  pass_two_seconds();
  EXPECT_TRUE(sent);
  EXPECT_TRUE(pipe.is_closed);
  EXPECT_EQ(failed, 2);  // nobody reads the other one's answer any more
}

TEST_F(ChannelTimeout, ClosesItWhenBytesAreBeingSent) {
  bool sent = false;
  start(1'000, &sent);
  pass_two_seconds();
  EXPECT_TRUE(sent);
  EXPECT_TRUE(pipe.is_closed);
  EXPECT_EQ(pipe.written, "");
}

TEST_F(ChannelTimeout, KeepsItWhenNothingWasSent) {
  bool first = false, sent = false;
  start(100'000, &first);
  start(1'000, &sent);
  pass_two_seconds();
  EXPECT_FALSE(sent);
  EXPECT_FALSE(pipe.is_closed);
  EXPECT_EQ(failed, 1);
}

// Of a question nothing can be done late.
TEST_F(ChannelTimeout, KeepsItForCallsThatDoNotAskWhetherTheyWereSent) {
  pipe.is_open = true;
  start(1'000, nullptr);
  pass_two_seconds();
  EXPECT_FALSE(pipe.is_closed);
  EXPECT_EQ(failed, 1);
}

}  // namespace
}  // namespace pegmove::net
