// The listening side of RPC: accepts connections, splits their bytes into requests of any framing,
// passes each to a handler, and sends the replies in any order.
//
// Bounds: connections, and per connection the requests in flight and the bytes of replies that its
// client has not received yet; beyond them the connection is not read until there is room, so that
// a slow or greedy client slows down only itself. In addition, all connections together have a
// bound in bytes (max_request_memory): when it is reached, no connection is read further, and the
// one that has waited longest continues first.
#pragma once

#include <list>
#include <memory>

#include "async/task_group.h"
#include "base/bytes.h"
#include "base/log.h"
#include "net/byte_budget.h"
#include "net/http.h"
#include "net/stream.h"
#include "wire/frame.h"
#include "wire/rpc_code.h"

namespace pegmove::net {

// How a call was answered.
struct Answered {
  const wire::RequestHead& head;
  wire::RpcCode code;
  wire::ErrorCode error;
  size_t request_bytes;  // of the bodies
  size_t reply_bytes;
  async::Instant since;  // when the call was passed to its handler
};

// Notified of the answers to the calls that it observes, for metrics. Safe from any thread.
class CallObserver {
 public:
  virtual ~CallObserver() = default;
  // On the thread that answers, before the reply is sent. Must not block.
  virtual void answered(const Answered& answer) = 0;
};

// A request that waits for its reply. Move-only; may be answered from any thread, once. If it is
// destroyed unanswered, no reply is sent (CLEAR_SCANNER has none).
class IncomingCall {
 public:
  IncomingCall(std::shared_ptr<ServerConnection> connection, SharedBytes frame,
               wire::Request request, ByteBudget::Share share);
  IncomingCall(IncomingCall&&) = default;
  IncomingCall& operator=(IncomingCall&&) = default;
  ~IncomingCall();

  const wire::RequestHead& head() const { return request_.head; }
  std::string_view body() const { return request_.body; }  // valid as long as this call
  Address peer() const;
  // Whether a reply could still arrive. On the server's executor.
  bool is_connected() const;

  // Notifies `observer` of the answer.
  void observe(std::shared_ptr<CallObserver> observer, wire::RpcCode code, async::Instant since);
  // Sends the reply: with kOk a body (field id 0), else an error and usually no body.
  void reply(wire::ErrorCode error, std::string_view body = {});

  // For calls whose replies may be much larger than the requests. False: replies that clients have
  // not received yet use up the server's memory, and work on this call should wait. From any
  // thread.
  bool has_room_for_reply() const;
  // Passes the call to `next` when there is room, on the server's executor; drops it when the
  // server stops before. From any thread.
  static void when_room_for_reply(IncomingCall call,
                                  std::move_only_function<void(IncomingCall)> next);

 private:
  std::shared_ptr<ServerConnection> connection_;  // shared with its reader, its writer, other calls
  SharedBytes frame_;
  wire::Request request_;
  ByteBudget::Share share_;
  std::shared_ptr<CallObserver> observer_;  // kept alive by its calls
  wire::RpcCode code_ = wire::RpcCode::kUnknown;
  async::Instant since_;
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
  size_t max_http_header_size = 16 << 10;
  size_t max_http_body_size = 1 << 20;
  // From the first byte of an HTTP request to its last; also for receiving its reply.
  async::milliseconds http_request_time{10'000};
  async::milliseconds http_idle_time{60'000};  // between two requests of a connection
  // Of all connections together: requests that are being read or handled, and replies that were not
  // received yet. Four frames of the largest size, and as much as a replica server's memtables. Not
  // included: each connection's own block of 64 KiB to read into. A request that is larger than
  // this is read when almost nothing else is in use.
  size_t max_request_memory = 256 << 20;
  // While others wait for memory: within this time a connection must send or receive a mebibyte, or
  // all that it has in memory; else it is closed. That is 200 KiB/s, which slow links can do.
  async::milliseconds mebibyte_time{5'000};
};

// All on one executor, except IncomingCall::reply. Order: start(); ...; stop(); co_await join();
// destroy. Without an HttpHandler connections that speak HTTP are closed.
class RpcServer {
 public:
  RpcServer(asio::any_io_executor executor, std::unique_ptr<Acceptor> acceptor,
            CallHandler& handler, Clock& clock, Logger log, RpcServerLimits limits = {},
            HttpHandler* http = nullptr);
  ~RpcServer();

  void start();
  // Stops listening and closes all connections. Calls that are still being handled stay valid;
  // their replies are discarded.
  void stop();
  Routine<> join();

  Address local() const { return acceptor_->local(); }
  size_t connections() const { return connections_.size(); }
  // Whether replies wait to be handed to the operating system. stop() would drop them.
  bool has_unsent_replies() const;

 private:
  Routine<> accept_connections();
  Routine<> serve(std::shared_ptr<ServerConnection> connection);
  Routine<> write(std::shared_ptr<ServerConnection> connection);
  Routine<> close_late_connections();

  asio::any_io_executor executor_;
  std::unique_ptr<Acceptor> acceptor_;
  CallHandler& handler_;
  Clock& clock_;
  Logger log_;
  RpcServerLimits limits_;
  HttpHandler* http_;  // may be null
  std::shared_ptr<ByteBudget> budget_;
  std::list<std::shared_ptr<ServerConnection>> connections_;
  async::TaskGroup tasks_;
};

}  // namespace pegmove::net
