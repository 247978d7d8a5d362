#include "net/rpc_server.h"

#include <algorithm>
#include <utility>

#include "net/server_connection.h"
#include "wire/dsn_types.h"

namespace pegmove::net {

IncomingCall::IncomingCall(std::shared_ptr<ServerConnection> connection, SharedBytes frame,
                           wire::Request request)
    : connection_(std::move(connection)), frame_(std::move(frame)), request_(request) {}

IncomingCall::~IncomingCall() {
  if (connection_) connection_->call_ended();
}

Address IncomingCall::peer() const { return connection_->peer(); }

void IncomingCall::reply(wire::ErrorCode error, std::string_view body) {
  connection_->send(request_.head, error, body);
}

RpcServer::RpcServer(asio::any_io_executor executor, std::unique_ptr<Acceptor> acceptor,
                     CallHandler& handler, Clock& clock, Logger log, RpcServerLimits limits)
    : executor_(executor),
      acceptor_(std::move(acceptor)),
      handler_(handler),
      clock_(clock),
      log_(std::move(log)),
      limits_(limits),
      tasks_(executor) {}

RpcServer::~RpcServer() = default;

void RpcServer::start() { tasks_.spawn(accept_connections()); }

void RpcServer::stop() {
  acceptor_->close();
  for (auto& connection : connections_) connection->close();
  tasks_.stop();
}

Routine<> RpcServer::join() {
  co_await tasks_.join();  // no result
}

Routine<> RpcServer::accept_connections() {
  const auto server = acceptor_->local();
  const auto raw_address = wire::rpc_address::of(server.ipv4, server.port).value;
  bool full = false;
  while (!tasks_.stopped()) {
    auto stream = co_await acceptor_->accept();
    if (!stream && stream.error().code() == Code::kUnreachable) co_return;
    if (!stream) {
      log_.error(stream.error().to_string());
      co_await clock_.sleep_for(async::milliseconds(100));  // no result
      continue;
    }
    if (connections_.size() >= limits_.max_connections) {
      if (!std::exchange(full, true))  // once, not for each: they may be many
        log_.warning("refuses connections, first from " + (*stream)->peer().to_string() +
                     ": there are " + std::to_string(connections_.size()) + " already");
      continue;
    }
    full = false;
    auto connection =
        std::make_shared<ServerConnection>(executor_, std::move(*stream), limits_, raw_address);
    connections_.push_back(connection);
    tasks_.spawn(write(connection));
    tasks_.spawn(serve(std::move(connection)));
  }
}

// Holds the connection: its reader may let it go first.
Routine<> RpcServer::write(std::shared_ptr<ServerConnection> connection) {
  co_await connection->write_replies();  // no result
}

Routine<> RpcServer::serve(std::shared_ptr<ServerConnection> connection) {
  auto ended = co_await connection->read_requests(handler_);
  if (!ended && ended.error().code() != Code::kUnreachable)
    log_.warning("closed the connection from " + connection->peer().to_string() + ": " +
                 ended.error().to_string());
  connection->close();
  std::erase(connections_, connection);
}

}  // namespace pegmove::net
