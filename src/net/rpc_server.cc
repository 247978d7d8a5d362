#include "net/rpc_server.h"

#include <algorithm>
#include <utility>

#include "net/http_reader.h"
#include "net/server_connection.h"
#include "wire/dsn_types.h"

namespace pegmove::net {
namespace {

// How often deadlines of HTTP connections are looked at.
constexpr async::milliseconds kDeadlineSweep{1000};

}  // namespace

IncomingCall::IncomingCall(std::shared_ptr<ServerConnection> connection, SharedBytes frame,
                           wire::Request request)
    : connection_(std::move(connection)), frame_(std::move(frame)), request_(request) {}

IncomingCall::~IncomingCall() {
  if (connection_) connection_->call_ended();
}

Address IncomingCall::peer() const { return connection_->peer(); }
bool IncomingCall::is_connected() const { return !connection_->is_closed(); }

void IncomingCall::observe(std::shared_ptr<CallObserver> observer, wire::RpcCode code,
                           async::Instant since) {
  observer_ = std::move(observer);
  code_ = code;
  since_ = since;
}

void IncomingCall::reply(wire::ErrorCode error, std::string_view body) {
  if (observer_)
    observer_->answered({.head = request_.head,
                         .code = code_,
                         .error = error,
                         .request_bytes = request_.body.size(),
                         .reply_bytes = body.size(),
                         .since = since_});
  connection_->send(request_.head, error, body);
}

IncomingHttp::IncomingHttp(std::shared_ptr<ServerConnection> connection, HttpRequest request)
    : connection_(std::move(connection)), request_(std::move(request)) {}

IncomingHttp::~IncomingHttp() {
  if (connection_) reply({.status = 500, .body = "the request was not answered"});
}

void IncomingHttp::reply(const HttpReply& reply) {
  std::exchange(connection_, nullptr)->send_http(to_bytes(reply));
}

RpcServer::RpcServer(asio::any_io_executor executor, std::unique_ptr<Acceptor> acceptor,
                     CallHandler& handler, Clock& clock, Logger log, RpcServerLimits limits,
                     HttpHandler* http)
    : executor_(executor),
      acceptor_(std::move(acceptor)),
      handler_(handler),
      clock_(clock),
      log_(std::move(log)),
      limits_(limits),
      http_(http),
      tasks_(executor) {}

RpcServer::~RpcServer() = default;

void RpcServer::start() {
  tasks_.spawn(accept_connections());
  if (http_) tasks_.spawn(close_late_http());
}

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
    auto connection = std::make_shared<ServerConnection>(executor_, std::move(*stream), limits_,
                                                         clock_, raw_address);
    connections_.push_back(connection);
    tasks_.spawn(write(connection));
    tasks_.spawn(serve(std::move(connection)));
  }
}

// A client that never ends its request, or never takes its reply, holds a connection no longer than
// allowed.
Routine<> RpcServer::close_late_http() {
  while (!tasks_.stopped()) {
    co_await clock_.sleep_for(kDeadlineSweep);  // no result
    auto now = clock_.now();
    for (auto& connection : connections_) {
      if (connection->http_deadline() > now) continue;
      log_.info("closed an HTTP connection from " + connection->peer().to_string() +
                " that took too long");
      connection->close();
    }
  }
}

// Holds the connection: its reader may let it go first.
Routine<> RpcServer::write(std::shared_ptr<ServerConnection> connection) {
  co_await connection->write_replies();  // no result
}

Routine<> RpcServer::serve(std::shared_ptr<ServerConnection> connection) {
  auto ended = co_await connection->read_requests(handler_, http_);
  if (!ended && ended.error().code() != Code::kUnreachable)
    log_.warning("closed the connection from " + connection->peer().to_string() + ": " +
                 ended.error().to_string());
  connection->close();
  std::erase(connections_, connection);
}

}  // namespace pegmove::net
