// One accepted connection of an RpcServer: private to this folder.
#pragma once

#include <mutex>

#include "async/event.h"
#include "net/frame_reader.h"
#include "net/rpc_server.h"

namespace pegmove::net {

class ServerConnection : public std::enable_shared_from_this<ServerConnection> {
 public:
  ServerConnection(asio::any_io_executor executor, std::unique_ptr<Stream> stream,
                   const RpcServerLimits& limits, uint64_t server_address);

  // Reads requests until the connection ends and hands them on.
  // Errors: kProtocol and kCorrupt when the client sends what is no frame.
  Task<> read_requests(CallHandler& handler);
  // Sends replies until close().
  Routine<> write_replies();
  void close();
  Address peer() const { return stream_->peer(); }

  // From any thread, by IncomingCall.
  void send(const wire::RequestHead& request, wire::ErrorCode error, std::string_view body);
  void call_ended();

 private:
  bool has_room();
  // Wakes the writer and the reader, on the executor. Precondition: mutex_ is held.
  void wake_locked();

  asio::any_io_executor executor_;
  std::unique_ptr<Stream> stream_;
  const RpcServerLimits& limits_;
  uint64_t server_address_;
  async::Event may_write_;
  async::Event may_read_;
  bool closed_ = false;

  std::mutex mutex_;  // guards what follows
  std::string unsent_;
  size_t being_sent_ = 0;
  size_t calls_in_flight_ = 0;
  bool wake_posted_ = false;
};

}  // namespace pegmove::net
