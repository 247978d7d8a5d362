// GET from servers that send what the test sets, over loopback.
#include "net/http_get.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "async/run.h"
#include "async/task_group.h"
#include "net/tcp.h"

namespace pegmove::net {
namespace {

class HttpGetTest : public testing::Test {
 protected:
  ~HttpGetTest() override {
    acceptor_->close();
    async::run_to_end(context_, finish());
  }

  // Answers the next connection with these pieces; then closes it, or keeps it open.
  void answer(std::vector<std::string> pieces, bool keeps_open = false) {
    request_.clear();
    tasks_.spawn(serve(std::move(pieces), keeps_open));
  }
  Result<HttpResponse> get(async::milliseconds timeout = std::chrono::seconds(20),
                           size_t max_body = kMaxHttpBody) {
    return async::run_to_end(
        context_, http_get(connector_, clock_, acceptor_->local(), "/metrics?types=server",
                           Deadline::in(clock_, timeout), max_body));
  }

  Routine<> serve(std::vector<std::string> pieces, bool keeps_open) {
    auto stream = co_await acceptor_->accept();
    if (!stream) co_return;
    char block[4096];
    while (!request_.contains("\r\n\r\n")) {
      auto size = co_await (*stream)->read_some(block);
      if (!size || *size == 0) co_return;
      request_.append(block, *size);
    }
    for (const auto& piece : pieces) {
      auto written = co_await (*stream)->write_all(piece);
      if (!written) co_return;
    }
    Result<size_t> more = 0;
    if (keeps_open) more = co_await (*stream)->read_some(block);  // until the client disconnects
    EXPECT_FALSE(more && *more > 0);
    (*stream)->close();
  }
  Routine<bool> finish() {
    tasks_.stop();
    co_await tasks_.join();  // no result
    co_return true;
  }

  asio::io_context context_;
  async::SystemClock clock_;
  TcpConnector connector_{clock_};
  std::unique_ptr<Acceptor> acceptor_ =
      *listen_tcp(context_.get_executor(), {.ipv4 = 0x7f000001, .port = 0});
  async::TaskGroup tasks_{context_.get_executor()};
  std::string request_;
};

TEST_F(HttpGetTest, AsksAndReturnsStatusAndBody) {
  answer({"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"}, true);
  auto reply = get();
  ASSERT_TRUE(reply) << reply.error().to_string();
  EXPECT_EQ(reply->status, 200);
  EXPECT_EQ(reply->body, "hello");
  EXPECT_TRUE(request_.starts_with("GET /metrics?types=server HTTP/1.1\r\n")) << request_;
  EXPECT_TRUE(request_.contains("\r\nHost: " + acceptor_->local().to_string() + "\r\n"));
}

TEST_F(HttpGetTest, PutsARepliesPiecesTogether) {
  answer({"HT", "TP/1.1 404 Not Found\r\nContent-", "Length: 6\r\n", "\r", "\nab", "cd", "ef"});
  auto reply = get();
  ASSERT_TRUE(reply) << reply.error().to_string();
  EXPECT_EQ(reply->status, 404);
  EXPECT_EQ(reply->body, "abcdef");
}

TEST_F(HttpGetTest, TakesABodyThatEndsWithTheConnectionAndOneInChunks) {
  answer({"HTTP/1.1 200 OK\r\n\r\n", "a body"});
  EXPECT_EQ(get()->body, "a body");
  answer({"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
          "2\r\nde\r\n0\r\n\r\n"});
  EXPECT_EQ(get()->body, "abcde");
  answer({"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, true);
  EXPECT_EQ(get()->body, "");
}

TEST_F(HttpGetTest, RefusesWhatIsNoHttpAndWhatIsCutOff) {
  for (std::string bad : {"SSH-2.0-x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
                          "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"}) {
    answer({bad});
    auto reply = get();
    ASSERT_FALSE(reply) << bad;
    EXPECT_EQ(reply.error().code(), Code::kProtocol) << reply.error().to_string();
    EXPECT_TRUE(reply.error().to_string().contains(acceptor_->local().to_string()));
  }
  answer({});
  EXPECT_EQ(get().error().code(), Code::kUnreachable);
}

TEST_F(HttpGetTest, BoundsTheReply) {
  answer({"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n01234567890"});
  EXPECT_EQ(get(std::chrono::seconds(20), 10).error().code(), Code::kTooLarge);
  answer({"HTTP/1.1 200 OK\r\n\r\n01234567890"});
  EXPECT_EQ(get(std::chrono::seconds(20), 10).error().code(), Code::kTooLarge);
  answer({"HTTP/1.1 200 OK\r\nLong: " + std::string(200'000, 'x')}, true);
  EXPECT_FALSE(get());
}

TEST_F(HttpGetTest, GivesUpAtTheDeadline) {
  answer({"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"}, true);
  auto reply = get(async::milliseconds(50));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), Code::kTimeout) << reply.error().to_string();
}

TEST_F(HttpGetTest, SaysThatNobodyListens) {
  auto nobody = acceptor_->local();
  acceptor_->close();
  auto reply = async::run_to_end(
      context_,
      http_get(connector_, clock_, nobody, "/", Deadline::in(clock_, std::chrono::seconds(20))));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), Code::kUnreachable);
}

}  // namespace
}  // namespace pegmove::net
