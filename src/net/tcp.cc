#include "net/tcp.h"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <system_error>

namespace pegmove::net {
namespace {

using asio::ip::tcp;
using boost::system::error_code;
constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

tcp::endpoint endpoint(Address address) {
  return {asio::ip::address_v4(address.ipv4), address.port};
}
Address address(const tcp::endpoint& endpoint) {
  return {endpoint.address().to_v4().to_uint(), endpoint.port()};
}

// Not by Asio's options: a socket that its destructor closes would not discard then.
Result<void> end_bytes_with_connection(tcp::socket& socket, async::milliseconds longest) {
  const auto timeout_ms = unsigned(longest.count());
  const struct linger discards{.l_onoff = 1, .l_linger = 0};
  const auto file = socket.native_handle();
  if (setsockopt(file, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms) == 0 &&
      setsockopt(file, SOL_SOCKET, SO_LINGER, &discards, sizeof discards) == 0)
    return {};
  return fail(Code::kIo, "limiting how long bytes of a connection live: " +
                             std::generic_category().message(errno));
}

class TcpStream : public Stream {
 public:
  // `discards`: close() sends nothing more, not even the end of the stream.
  explicit TcpStream(tcp::socket socket, bool discards = false)
      : socket_(std::move(socket)), discards_(discards) {
    error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    auto peer = socket_.remote_endpoint(ignored);
    if (!ignored) peer_ = address(peer);
  }

  Task<size_t> read_some(std::span<char> to) override {
    auto [error, size] =
        co_await socket_.async_read_some(asio::buffer(to.data(), to.size()), kAsTuple);
    if (error == asio::error::eof) co_return size_t{0};
    if (error) co_return broken(error);
    co_return size;
  }

  Task<> write_all(std::string_view bytes) override {
    // By default Asio passes at most 64 KiB to the system at once.
    auto all_that_is_left = [size = bytes.size()](const error_code& error, size_t sent) {
      return error ? 0 : size - sent;
    };
    auto [error, size] = co_await asio::async_write(
        socket_, asio::buffer(bytes.data(), bytes.size()), all_that_is_left, kAsTuple);
    if (error) co_return broken(error);
    co_return Result<void>();
  }

  void close() override {
    error_code ignored;
    if (!discards_) socket_.shutdown(tcp::socket::shutdown_both, ignored);
    socket_.close(ignored);
  }

  Address peer() const override { return peer_; }

 private:
  std::unexpected<Error> broken(const error_code& error) const {
    return fail(Code::kUnreachable,
                fmt::format("connection to {}: {}", peer_.to_string(), error.message()));
  }

  tcp::socket socket_;
  const bool discards_;
  Address peer_;
};

class TcpAcceptor : public Acceptor {
 public:
  explicit TcpAcceptor(tcp::acceptor acceptor) : acceptor_(std::move(acceptor)) {
    error_code ignored;
    local_ = address(acceptor_.local_endpoint(ignored));
  }

  Task<std::unique_ptr<Stream>> accept() override {
    auto [error, socket] = co_await acceptor_.async_accept(kAsTuple);
    if (error == asio::error::operation_aborted || error == asio::error::bad_descriptor)
      co_return fail(Code::kUnreachable, "listening ended");
    if (error) co_return fail(Code::kIo, "accepting a connection: " + error.message());
    co_return std::make_unique<TcpStream>(std::move(socket));
  }

  void close() override {
    error_code ignored;
    acceptor_.close(ignored);
  }

  Address local() const override { return local_; }

 private:
  tcp::acceptor acceptor_;
  Address local_;
};

}  // namespace

Task<std::unique_ptr<Stream>> TcpConnector::connect(Address to, Deadline deadline) {
  auto executor = co_await asio::this_coro::executor;
  tcp::socket socket(executor);
  asio::steady_timer timer(executor, deadline.left(clock_));
  bool too_late = false;
  timer.async_wait([&](const error_code& error) {
    if (error) return;
    too_late = true;
    error_code ignored;
    socket.close(ignored);
  });
  auto [error] = co_await socket.async_connect(endpoint(to), kAsTuple);
  // A timer that has fired but whose handler has not run yet still refers to this frame: either the
  // cancel finds it waiting, or its handler must run first.
  if (timer.cancel() == 0 && !too_late) co_await timer.async_wait(kAsTuple);  // no result
  if (too_late)
    co_return fail(Code::kTimeout, fmt::format("connecting to {} took too long", to.to_string()));
  if (error)
    co_return fail(Code::kUnreachable,
                   fmt::format("connecting to {}: {}", to.to_string(), error.message()));
  const bool ends_bytes = options_.longest_unacknowledged.count() > 0;
  if (ends_bytes) CO_TRY(end_bytes_with_connection(socket, options_.longest_unacknowledged));
  co_return std::make_unique<TcpStream>(std::move(socket), ends_bytes);
}

Result<std::unique_ptr<Acceptor>> listen_tcp(asio::any_io_executor executor, Address at) {
  tcp::acceptor acceptor(executor);
  error_code error;
  acceptor.open(tcp::v4(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint(at), error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error == asio::error::address_in_use)
    return fail(Code::kAlreadyExists,
                at.to_string() + " is in use by another process; choose another port");
  if (error)
    return fail(Code::kIo, fmt::format("listening on {}: {}", at.to_string(), error.message()));
  return std::make_unique<TcpAcceptor>(std::move(acceptor));
}

}  // namespace pegmove::net
