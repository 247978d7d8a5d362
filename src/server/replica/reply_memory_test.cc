// Reads of clients that do not read their replies.
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/io_context.hpp>

#include "async/run.h"
#include "net/rpc_client.h"
#include "net/rpc_server.h"
#include "net/tcp.h"
#include "record/key.h"
#include "server/replica/replica.h"
#include "testing/test_folder.h"
#include "wire/row_messages.h"
#include "wire/thrift_codec.h"

namespace pegmove::server::replica {
namespace {

using async::milliseconds;
using wire::ErrorCode;
using wire::RpcCode;

constexpr size_t kMebibyte = 1 << 20;
constexpr size_t kValueBytes = 900'000;

class CountingObserver : public net::CallObserver {
 public:
  void answered(const net::Answered& answer) override { bytes += answer.reply_bytes; }
  std::atomic<size_t> bytes = 0;
};

class ReplyMemoryTest : public ::testing::Test, public net::CallHandler {
 protected:
  ReplyMemoryTest() {
    auto acceptor = *net::listen_tcp(context.get_executor(), {0x7f000001, 0});
    server = std::make_unique<net::RpcServer>(
        context.get_executor(), std::move(acceptor), *this, clock, Logger("test"),
        net::RpcServerLimits{.max_request_memory = 4 * kMebibyte});
    server->start();
    replica = *Replica::open(
        {.gpid = {1, 0},
         .server = "node:1",
         .db = {.path = folder / "rdb"},
         .later = [](milliseconds, std::move_only_function<void()>) {},
         .metrics = std::make_shared<ReplicaMetrics>(
             registry, Gpid{1, 0}, std::make_shared<NodeMetrics>(*entity, Logger("test")), clock)},
        pool, clock, Logger("test"));
  }
  ~ReplyMemoryTest() override {
    async::run_to_end(context, stop());
    replica->close();
  }
  Routine<bool> stop() {
    for (auto& stream : streams) stream->close();
    server->stop();
    co_await server->join();  // no result
    readers.stop();
    co_await readers.join();  // no result
    co_return true;
  }
  void handle(net::IncomingCall call) override {
    auto code = wire::rpc_code_from_name(call.head().name);
    call.observe(observer, code, clock.now());
    if (code == RpcCode::kPut) return replica->write(code, std::move(call));
    ++reads;
    replica->read(code, std::move(call));
  }
  net::Stream& open() {
    auto stream = async::run_to_end(
        context, connector.connect(server->local(), Deadline::in(clock, milliseconds(5000))));
    streams.push_back(std::move(*stream));
    return *streams.back();
  }
  void run_until_idle() {
    context.restart();
    while (context.run_one_for(milliseconds(100)) > 0) {
    }
  }

  testing::TestFolder folder;
  asio::io_context context;
  async::SystemClock clock;
  net::TcpConnector connector{clock};
  metrics::Registry registry;
  std::shared_ptr<metrics::Entity> entity = registry.add("server", "server", {});
  std::shared_ptr<CountingObserver> observer = std::make_shared<CountingObserver>();
  async::Pool pool{2};
  std::shared_ptr<Replica> replica;
  std::unique_ptr<net::RpcServer> server;
  std::vector<std::unique_ptr<net::Stream>> streams;
  async::TaskGroup readers{context.get_executor()};
  size_t reads = 0;
};

Routine<> read_all(net::Stream& stream, size_t& total) {
  std::string buffer(kMebibyte, '\0');
  while (true) {
    auto size = co_await stream.read_some(buffer);
    if (!size || *size == 0) co_return;
    total += *size;
  }
}

TEST_F(ReplyMemoryTest, WaitUntilTheRepliesBeforeThemAreTaken) {
  constexpr size_t kClients = 4, kReads = 64;
  auto key = record::encode_key("h", "s");
  std::string put, body, frames;
  wire::append_put(body, {key, std::string(kValueBytes, 'v'), 0}, 0);
  wire::append_request(put, {.id = 1, .name = "RPC_RRDB_RRDB_PUT", .gpid = {1, 0}}, body);
  ASSERT_TRUE(async::run_to_end(context, open().write_all(put)));
  run_until_idle();
  const auto get = wire::encode_body(wire::blob{key});
  for (size_t i = 0; i < kReads; ++i)
    wire::append_request(frames, {.id = i, .name = "RPC_RRDB_RRDB_GET", .gpid = {1, 0}}, get);
  for (size_t i = 0; i < kClients; ++i)
    ASSERT_TRUE(async::run_to_end(context, open().write_all(frames)));
  run_until_idle();
  // All are admitted, and no client reads a reply: the replies fit the budget and the system's
  // buffers.
  EXPECT_EQ(reads, kClients * kReads);
  EXPECT_LT(observer->bytes, kClients * kReads * kValueBytes / 2);
  size_t taken = 0;
  for (auto& stream : streams) readers.spawn(read_all(*stream, taken));
  while (taken < kClients * kReads * kValueBytes && context.run_one_for(milliseconds(5000)) > 0) {
  }
  EXPECT_GE(taken, kClients * kReads * kValueBytes);
}

}  // namespace
}  // namespace pegmove::server::replica
