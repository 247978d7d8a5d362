#include "net/rpc_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "net/http_reader.h"
#include "net/server_connection.h"
#include "wire/dsn_types.h"

namespace pegmove::net {
namespace {

// How often to look for connections that take too long.
constexpr async::milliseconds kDeadlineSweep{1000};

}  // namespace

IncomingCall::IncomingCall(std::shared_ptr<ServerConnection> connection, SharedBytes frame,
                           wire::Request request, ByteBudget::Share share)
    : connection_(std::move(connection)),
      frame_(std::move(frame)),
      request_(request),
      share_(std::move(share)) {}

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

bool IncomingCall::has_room_for_reply() const { return connection_->budget().has_room_for_reply(); }

void IncomingCall::when_room_for_reply(IncomingCall call,
                                       std::move_only_function<void(IncomingCall)> next) {
  auto& budget = call.connection_->budget();
  budget.when_room_for_reply(
      [call = std::move(call), next = std::move(next)]() mutable { next(std::move(call)); });
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
      budget_(std::make_shared<ByteBudget>(executor, limits_.max_request_memory)),
      tasks_(executor) {}

RpcServer::~RpcServer() = default;

void RpcServer::start() {
  tasks_.spawn(accept_connections());
  tasks_.spawn(close_late_connections());
}

void RpcServer::stop() {
  acceptor_->close();
  for (auto& connection : connections_) connection->close();
  budget_->close();
  tasks_.stop();
}

bool RpcServer::has_unsent_replies() const {
  return std::ranges::any_of(connections_,
                             [](const auto& each) { return each->has_unsent_replies(); });
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
      if (!std::exchange(full, true))  // once, not for each: there may be many
        log_.warning(fmt::format("refusing connections, first from {}: there are {} already",
                                 (*stream)->peer().to_string(), connections_.size()));
      continue;
    }
    full = false;
    auto connection = std::make_shared<ServerConnection>(executor_, std::move(*stream), limits_,
                                                         clock_, raw_address, budget_);
    connections_.push_back(connection);
    tasks_.spawn(write(connection));
    tasks_.spawn(serve(std::move(connection)));
  }
}

// A client that never completes its request, or never reads its reply, keeps a connection, and
// memory that others wait for, no longer than allowed.
Routine<> RpcServer::close_late_connections() {
  while (!tasks_.stopped()) {
    co_await clock_.sleep_for(kDeadlineSweep);  // no result
    const auto now = clock_.now();
    const bool others_wait = budget_->is_wanted();
    for (auto& connection : connections_) {
      const bool holds_up = connection->holds_others_up(others_wait);
      if (connection->http_deadline() <= now)
        log_.info(fmt::format("closed an HTTP connection from {} that took too long",
                              connection->peer().to_string()));
      else if (holds_up)
        log_.warning(
            fmt::format("closed the connection from {}: it took too long to send a request or to "
                        "read a reply, and others wait for the memory",
                        connection->peer().to_string()));
      else
        continue;
      connection->close();
    }
  }
}

// Owns the connection: its reader may release it first.
Routine<> RpcServer::write(std::shared_ptr<ServerConnection> connection) {
  co_await connection->write_replies();  // no result
}

Routine<> RpcServer::serve(std::shared_ptr<ServerConnection> connection) {
  auto ended = co_await connection->read_requests(handler_, http_);
  if (!ended && ended.error().code() != Code::kUnreachable)
    log_.warning(fmt::format("closed the connection from {}: {}", connection->peer().to_string(),
                             ended.error().to_string()));
  connection->close();
  std::erase(connections_, connection);
}

}  // namespace pegmove::net
