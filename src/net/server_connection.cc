#include "net/server_connection.h"

#include <boost/asio/post.hpp>

namespace pegmove::net {

ServerConnection::ServerConnection(asio::any_io_executor executor, std::unique_ptr<Stream> stream,
                                   const RpcServerLimits& limits, uint64_t server_address)
    : executor_(std::move(executor)),
      stream_(std::move(stream)),
      limits_(limits),
      server_address_(server_address) {}

Task<> ServerConnection::read_requests(CallHandler& handler) {
  FrameReader reader(*stream_, [this](std::string_view bytes) {
    return wire::measure_request(bytes, limits_.max_frame_size);
  });
  while (CO_TRY(co_await reader.fill())) {
    while (true) {
      while (!closed_ && !has_room()) co_await may_read_.wait();  // no result
      if (closed_) co_return Result<void>();
      auto frame = CO_TRY(reader.pop());
      if (frame.view.empty()) break;
      auto request = CO_TRY(wire::parse_request(frame.view));
      {
        std::lock_guard lock(mutex_);
        ++calls_in_flight_;
      }
      handler.handle(IncomingCall(shared_from_this(), std::move(frame), request));
    }
  }
  co_return Result<void>();
}

Routine<> ServerConnection::write_replies() {
  std::string batch;
  while (!closed_) {
    {
      std::lock_guard lock(mutex_);
      batch.clear();
      batch.swap(unsent_);
      being_sent_ = batch.size();
    }
    if (batch.empty()) {
      co_await may_write_.wait();  // no result
      continue;
    }
    auto sent = co_await stream_->write_all(batch);
    if (!sent) close();
    std::lock_guard lock(mutex_);
    being_sent_ = 0;
    may_read_.notify();
  }
}

void ServerConnection::close() {
  closed_ = true;
  stream_->close();
  may_write_.notify();
  may_read_.notify();
}

void ServerConnection::send(const wire::RequestHead& request, wire::ErrorCode error,
                            std::string_view body) {
  std::lock_guard lock(mutex_);
  wire::append_reply(unsent_, request, error, body, server_address_);
  wake_locked();
}

void ServerConnection::call_ended() {
  std::lock_guard lock(mutex_);
  --calls_in_flight_;
  wake_locked();
}

bool ServerConnection::has_room() {
  std::lock_guard lock(mutex_);
  return calls_in_flight_ < limits_.max_calls_in_flight &&
         unsent_.size() + being_sent_ < limits_.max_unsent_reply_bytes;
}

void ServerConnection::wake_locked() {
  if (std::exchange(wake_posted_, true)) return;
  asio::post(executor_, [self = shared_from_this()] {
    {
      std::lock_guard lock(self->mutex_);
      self->wake_posted_ = false;
    }
    self->may_write_.notify();
    self->may_read_.notify();
  });
}

}  // namespace pegmove::net
