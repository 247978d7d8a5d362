#include "net/server_connection.h"

#include <boost/asio/post.hpp>

#include "net/http_reader.h"

namespace pegmove::net {

ServerConnection::ServerConnection(asio::any_io_executor executor, std::unique_ptr<Stream> stream,
                                   const RpcServerLimits& limits, const Clock& clock,
                                   uint64_t server_address)
    : executor_(std::move(executor)),
      stream_(std::move(stream)),
      limits_(limits),
      clock_(clock),
      server_address_(server_address) {}

Task<> ServerConnection::read_requests(CallHandler& handler, HttpHandler* http) {
  bool is_first = true;
  FrameReader reader(*stream_, [&](std::string_view bytes) -> Result<size_t> {
    if (is_first && http && begins_http(bytes)) return 0;
    return wire::measure_request(bytes, limits_.max_frame_size);
  });
  while (CO_TRY(co_await reader.fill())) {
    while (true) {
      while (!closed_ && !has_room()) co_await may_read_.wait();  // no result
      if (closed_) co_return Result<void>();
      auto frame = CO_TRY(reader.pop());
      if (frame.view.empty() && is_first && http && begins_http(reader.unread()))
        co_return co_await read_http(std::string(reader.unread()), *http);
      if (frame.view.empty()) break;
      is_first = false;
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

// One request at a time, so that replies leave in the order of the requests.
Task<> ServerConnection::read_http(std::string first, HttpHandler& handler) {
  constexpr size_t kReadSize = 16 << 10;
  HttpReader reader(limits_.max_http_header_size, limits_.max_http_body_size);
  reader.add(first);
  http_deadline_ = clock_.now() + limits_.http_request_time;
  std::string buffer(kReadSize, '\0');
  while (!closed_) {
    auto request = CO_TRY(reader.next());
    if (!request) {
      auto size = CO_TRY(co_await stream_->read_some(buffer));
      if (size == 0) break;
      if (!reader.has_begun()) http_deadline_ = clock_.now() + limits_.http_request_time;
      reader.add(std::string_view(buffer).substr(0, size));
      continue;
    }
    http_deadline_ = async::Instant::max();
    bool keep_alive = request->keep_alive;
    handler.handle(IncomingHttp(shared_from_this(), std::move(*request)));
    co_await finish_http();  // no result
    if (!keep_alive) break;
    http_deadline_ =
        clock_.now() + (reader.has_begun() ? limits_.http_request_time : limits_.http_idle_time);
  }
  co_return Result<void>();
}

Routine<> ServerConnection::finish_http() {
  while (!closed_) {
    {
      std::lock_guard lock(mutex_);
      if (http_answered_ && http_deadline_ == async::Instant::max())
        http_deadline_ = clock_.now() + limits_.http_request_time;
      if (http_answered_ && unsent_.empty() && being_sent_ == 0) {
        http_answered_ = false;
        co_return;
      }
    }
    co_await may_read_.wait();  // no result
  }
}

void ServerConnection::send_http(std::string reply) {
  std::lock_guard lock(mutex_);
  unsent_ += reply;
  http_answered_ = true;
  wake_locked();
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
