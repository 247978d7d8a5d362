// One accepted connection of an RpcServer: private to this folder.
#pragma once

#include <mutex>

#include "async/event.h"
#include "net/byte_budget.h"
#include "net/frame_reader.h"
#include "net/http.h"
#include "net/rpc_server.h"

namespace pegmove::net {

class ServerConnection : public std::enable_shared_from_this<ServerConnection> {
 public:
  ServerConnection(asio::any_io_executor executor, std::unique_ptr<Stream> stream,
                   const RpcServerLimits& limits, const Clock& clock, uint64_t server_address,
                   std::shared_ptr<ByteBudget> budget);
  ~ServerConnection();

  // Reads requests until the connection ends and passes them on. `http` may be null. Errors:
  // kProtocol and kCorrupt when the client sends neither a frame nor HTTP, kTooLarge.
  Task<> read_requests(CallHandler& handler, HttpHandler* http);
  // Sends replies until close().
  Routine<> write_replies();
  void close();
  bool is_closed() const { return closed_; }
  bool has_unsent_replies();
  Address peer() const { return stream_->peer(); }
  // When to close it, unless what it waits for has arrived; far in the future for RPC.
  async::Instant http_deadline() const { return http_deadline_; }
  // Whether it keeps memory that others wait for, and moves too few bytes: see
  // RpcServerLimits::mebibyte_time. Call it about once per second.
  bool holds_others_up(bool others_wait);

  // From any thread, by IncomingCall.
  void send(const wire::RequestHead& request, wire::ErrorCode error, std::string_view body);
  void call_ended();
  ByteBudget& budget() const { return *budget_; }
  // From any thread, by IncomingHttp.
  void send_http(std::string reply);

 private:
  // The progress of a transfer.
  struct Progress {
    size_t mark = 0;
    async::Instant since{};
    bool is_late(bool is_under_way, size_t done, async::Instant now, async::milliseconds allowed);
  };

  Task<> hand_on_calls(CallHandler& handler);
  Task<> read_http(std::string first, HttpHandler& handler);
  // Waits until the current request is answered and its reply is sent, or the connection ends.
  Routine<> finish_http();
  bool has_room();
  // Waits for bytes of the budget. Errors: kUnreachable when the connection ends.
  Task<ByteBudget::Share> reserve(size_t bytes);
  Task<> send_in_pieces(std::string_view bytes);
  // Wakes the writer and the reader, on the executor. Precondition: mutex_ is held.
  void wake_locked();
  void count_replies_locked();

  asio::any_io_executor executor_;
  std::unique_ptr<Stream> stream_;
  const RpcServerLimits& limits_;
  const Clock& clock_;
  uint64_t server_address_;
  std::shared_ptr<ByteBudget> budget_;  // shared by all connections, and by their calls
  FrameReader reader_;
  async::Event may_write_;
  async::Event may_read_;
  bool may_be_http_ = false;
  async::Instant http_deadline_ = async::Instant::max();
  size_t sent_ = 0;  // bytes, so far
  Progress receiving_, sending_;

  std::mutex mutex_;     // guards what follows
  bool closed_ = false;  // changes on the executor only, which reads it without the lock
  std::string unsent_;
  size_t being_sent_ = 0;
  size_t counted_replies_ = 0;  // bytes, in the budget
  size_t calls_in_flight_ = 0;
  bool wake_posted_ = false;
  bool http_answered_ = false;
};

}  // namespace pegmove::net
