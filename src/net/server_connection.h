// One accepted connection of an RpcServer: private to this folder.
#pragma once

#include <mutex>

#include "async/event.h"
#include "net/frame_reader.h"
#include "net/http.h"
#include "net/rpc_server.h"

namespace pegmove::net {

class ServerConnection : public std::enable_shared_from_this<ServerConnection> {
 public:
  ServerConnection(asio::any_io_executor executor, std::unique_ptr<Stream> stream,
                   const RpcServerLimits& limits, const Clock& clock, uint64_t server_address);

  // Reads requests until the connection ends and hands them on. `http` may be null.
  // Errors: kProtocol and kCorrupt when the client sends what is no frame and no HTTP, kTooLarge.
  Task<> read_requests(CallHandler& handler, HttpHandler* http);
  // Sends replies until close().
  Routine<> write_replies();
  void close();
  bool is_closed() const { return closed_; }
  Address peer() const { return stream_->peer(); }
  // When to close it, if what it waits for has not come until then; far away for RPC.
  async::Instant http_deadline() const { return http_deadline_; }

  // From any thread, by IncomingCall.
  void send(const wire::RequestHead& request, wire::ErrorCode error, std::string_view body);
  void call_ended();
  // From any thread, by IncomingHttp.
  void send_http(std::string reply);

 private:
  Task<> read_http(std::string first, HttpHandler& handler);
  // Waits until the request under way is answered and its answer is sent, or the connection ends.
  Routine<> finish_http();
  bool has_room();
  // Wakes the writer and the reader, on the executor. Precondition: mutex_ is held.
  void wake_locked();

  asio::any_io_executor executor_;
  std::unique_ptr<Stream> stream_;
  const RpcServerLimits& limits_;
  const Clock& clock_;
  uint64_t server_address_;
  async::Event may_write_;
  async::Event may_read_;
  bool closed_ = false;
  async::Instant http_deadline_ = async::Instant::max();

  std::mutex mutex_;  // guards what follows
  std::string unsent_;
  size_t being_sent_ = 0;
  size_t calls_in_flight_ = 0;
  bool wake_posted_ = false;
  bool http_answered_ = false;
};

}  // namespace pegmove::net
