// How the bytes of a connection end.
#include "net/tcp.h"

#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <stdexcept>

#include "async/run.h"

namespace pegmove::net {
namespace {

using async::milliseconds;
using ::testing::HasSubstr;

class TcpTest : public ::testing::Test {
 protected:
  template <typename T>
  T run(asio::awaitable<T> routine) {
    return async::run_to_end(context, std::move(routine));
  }
  // The side that connects has the options.
  Routine<bool> connect(TcpOptions options) {
    auto acceptor = listen_tcp(context.get_executor(), {0x7f000001, 0});
    if (!acceptor) throw std::runtime_error(acceptor.error().to_string());
    TcpConnector connector(clock, options);
    auto connected =
        co_await connector.connect((*acceptor)->local(), Deadline::in(clock, milliseconds(5'000)));
    if (!connected) throw std::runtime_error(connected.error().to_string());
    near = *std::move(connected);
    far = *co_await (*acceptor)->accept();
    co_return true;
  }
  Result<size_t> read_at_far_side() {
    char byte = 0;
    return run(far->read_some({&byte, 1}));
  }

  asio::io_context context;
  async::SystemClock clock;
  std::unique_ptr<Stream> near, far;
};

TEST_F(TcpTest, AClosedConnectionEndsForTheOtherSide) {
  run(connect({}));
  near->close();
  const auto size = read_at_far_side();
  ASSERT_TRUE(size);
  EXPECT_EQ(*size, 0U);
}

TEST_F(TcpTest, WhereBytesEndWithTheConnectionItIsBroken) {
  run(connect({.longest_unacknowledged = milliseconds(10'000)}));
  near->close();
  EXPECT_FALSE(read_at_far_side());
}

// As at the end of a process: nobody has called close().
TEST_F(TcpTest, WhereBytesEndWithTheConnectionADestroyedOneIsBroken) {
  run(connect({.longest_unacknowledged = milliseconds(10'000)}));
  near.reset();
  EXPECT_FALSE(read_at_far_side());
}

TEST_F(TcpTest, AConnectionWhoseBytesNobodyTakesEndsBySystem) {
  run(connect({.longest_unacknowledged = milliseconds(100)}));
  const std::string more_than_buffers_take(size_t(64) << 20, 'x');
  asio::steady_timer too_long(context, std::chrono::seconds(60));
  too_long.async_wait([this](const boost::system::error_code& error) {
    if (!error) near->close();
  });
  const auto written = run(near->write_all(more_than_buffers_take));
  too_long.cancel();
  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().to_string(), HasSubstr("timed out"));
}

}  // namespace
}  // namespace pegmove::net
