// The listening side of RPC: accepts connections, cuts them into requests of any framing, hands
// each to a handler, and sends the replies in whatever order they come.
//
// Bounds: connections, and per connection the requests in flight and the bytes of replies that its
// client has not taken yet; beyond them the connection is not read until there is room, so that a
// slow or greedy client slows itself down and nobody else.
#pragma once

#include <list>
#include <memory>

#include "async/task_group.h"
#include "base/bytes.h"
#include "base/log.h"
#include "net/stream.h"
#include "wire/frame.h"

namespace pegmove::net {

class ServerConnection;

// One request on its way to an answer. Move-only; may be answered from any thread, once. One that
// is destroyed unanswered gets no reply (CLEAR_SCANNER wants none).
class IncomingCall {
 public:
  IncomingCall(std::shared_ptr<ServerConnection> connection, SharedBytes frame,
               wire::Request request);
  IncomingCall(IncomingCall&&) = default;
  IncomingCall& operator=(IncomingCall&&) = default;
  ~IncomingCall();

  const wire::RequestHead& head() const { return request_.head; }
  std::string_view body() const { return request_.body; }  // lives as long as this call
  Address peer() const;

  // Sends the reply: with kOk a body (field id 0), else an error and usually no body.
  void reply(wire::ErrorCode error, std::string_view body = {});

 private:
  std::shared_ptr<ServerConnection> connection_;  // shared with its reader, its writer, other calls
  SharedBytes frame_;
  wire::Request request_;
};

class CallHandler {
 public:
  virtual ~CallHandler() = default;
  // Called on the server's executor for each request, in the order of arrival; must not block.
  virtual void handle(IncomingCall call) = 0;
};

struct RpcServerLimits {
  size_t max_connections = 4096;             // those beyond are closed at once
  size_t max_calls_in_flight = 4096;         // a connection
  size_t max_unsent_reply_bytes = 16 << 20;  // a connection
  size_t max_frame_size = wire::kMaxFrameSize;
};

// All on one executor but IncomingCall::reply. Order: start(); ...; stop(); co_await join();
// destroy.
class RpcServer {
 public:
  RpcServer(asio::any_io_executor executor, std::unique_ptr<Acceptor> acceptor,
            CallHandler& handler, Clock& clock, Logger log, RpcServerLimits limits = {});
  ~RpcServer();

  void start();
  // Stops listening and closes all connections. Calls that are still being handled stay valid;
  // their replies go nowhere.
  void stop();
  Routine<> join();

  Address local() const { return acceptor_->local(); }
  size_t connections() const { return connections_.size(); }

 private:
  Routine<> accept_connections();
  Routine<> serve(std::shared_ptr<ServerConnection> connection);
  Routine<> write(std::shared_ptr<ServerConnection> connection);

  asio::any_io_executor executor_;
  std::unique_ptr<Acceptor> acceptor_;
  CallHandler& handler_;
  Clock& clock_;
  Logger log_;
  RpcServerLimits limits_;
  std::list<std::shared_ptr<ServerConnection>> connections_;
  async::TaskGroup tasks_;
};

}  // namespace pegmove::net
