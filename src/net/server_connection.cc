#include "net/server_connection.h"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "net/http_reader.h"

namespace pegmove::net {
namespace {

// The approximate memory of a call besides its frame: itself, and its place in a queue.
constexpr size_t kCallBytes = 512;
// Replies are written in pieces of this size, so that slow clients are noticed.
constexpr size_t kPiece = 1 << 20;
// A connection without replies keeps at most this much memory for them.
constexpr size_t kKeptBuffer = 16 << 10;

}  // namespace

ServerConnection::ServerConnection(asio::any_io_executor executor, std::unique_ptr<Stream> stream,
                                   const RpcServerLimits& limits, const Clock& clock,
                                   uint64_t server_address, std::shared_ptr<ByteBudget> budget)
    : executor_(std::move(executor)),
      stream_(std::move(stream)),
      limits_(limits),
      clock_(clock),
      server_address_(server_address),
      budget_(std::move(budget)),
      reader_(
          *stream_,
          [this](std::string_view bytes) -> Result<size_t> {
            if (may_be_http_ && begins_http(bytes)) return 0;
            return wire::measure_request(bytes, limits_.max_frame_size);
          },
          [this](size_t bytes) { return reserve(bytes); }),
      receiving_{.since = clock.now()},
      sending_{.since = clock.now()} {}

ServerConnection::~ServerConnection() { budget_->remove_reply_bytes(counted_replies_); }

Task<> ServerConnection::read_requests(CallHandler& handler, HttpHandler* http) {
  may_be_http_ = http != nullptr;
  while (CO_TRY(co_await reader_.fill())) {
    CO_TRY(co_await hand_on_calls(handler));
    if (closed_) break;
    if (may_be_http_ && begins_http(reader_.unread()))
      co_return co_await read_http(std::string(reader_.unread()), *http);
  }
  co_return Result<void>();
}

// Passes on the calls that have been read.
Task<> ServerConnection::hand_on_calls(CallHandler& handler) {
  while (true) {
    while (!closed_ && !has_room()) co_await may_read_.wait();  // no result
    if (closed_) break;
    const bool has_reserved = reader_.has_reserved();
    auto frame = CO_TRY(reader_.pop());
    if (frame.view.empty()) break;
    may_be_http_ = false;
    auto request = CO_TRY(wire::parse_request(frame.view));
    // A connection that has reserved memory does not wait for more: others may wait for what it
    // has.
    auto share = has_reserved ? ByteBudget::Share() : budget_->try_take(kCallBytes);
    if (!share) share = CO_TRY(co_await reserve(kCallBytes));
    {
      std::lock_guard lock(mutex_);
      ++calls_in_flight_;
    }
    handler.handle(IncomingCall(shared_from_this(), std::move(frame), request, *std::move(share)));
  }
  co_return Result<void>();
}

Task<ByteBudget::Share> ServerConnection::reserve(size_t bytes) {
  if (auto share = budget_->try_take(bytes)) co_return *std::move(share);
  ByteBudget::Place place(budget_, may_read_);
  while (!closed_) {
    if (auto share = place.take(bytes)) co_return *std::move(share);
    co_await may_read_.wait();  // no result
  }
  co_return fail(Code::kUnreachable, "the connection was closed");
}

// One request at a time, so that replies leave in the order of the requests.
Task<> ServerConnection::read_http(std::string first, HttpHandler& handler) {
  constexpr size_t kReadSize = 16 << 10;
  HttpReader reader(limits_.max_http_header_size, limits_.max_http_body_size);
  reader.add(first);
  http_deadline_ = clock_.now() + limits_.http_request_time;
  std::string buffer(kReadSize, '\0');
  ByteBudget::Share share;  // of the current request, once its header has arrived
  while (!closed_) {
    auto request = CO_TRY(reader.next());
    if (!share && (request || reader.has_header())) {
      http_deadline_ = async::Instant::max();
      share = CO_TRY(co_await reserve(limits_.max_http_body_size));
      http_deadline_ = clock_.now() + limits_.http_request_time;
    }
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
    share = {};
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
  if (closed_) return;
  unsent_ += reply;
  http_answered_ = true;
  count_replies_locked();
  wake_locked();
}

Routine<> ServerConnection::write_replies() {
  std::string batch;
  while (!closed_) {
    {
      std::lock_guard lock(mutex_);
      batch.swap(unsent_);
      being_sent_ = batch.size();
    }
    if (batch.empty()) {
      co_await may_write_.wait();  // no result
      continue;
    }
    auto sent = co_await send_in_pieces(batch);
    batch.clear();
    if (batch.capacity() > kKeptBuffer) batch = {};
    if (!sent) close();
    std::lock_guard lock(mutex_);
    being_sent_ = 0;
    count_replies_locked();
    may_read_.notify();
  }
}

Task<> ServerConnection::send_in_pieces(std::string_view bytes) {
  while (!bytes.empty()) {
    auto piece = bytes.substr(0, kPiece);
    CO_TRY(co_await stream_->write_all(piece));
    sent_ += piece.size();
    bytes.remove_prefix(piece.size());
  }
  co_return Result<void>();
}

bool ServerConnection::Progress::is_late(bool is_under_way, size_t done, async::Instant now,
                                         async::milliseconds allowed) {
  if (!is_under_way || done - mark >= kPiece) {
    mark = done;
    since = now;
  }
  return now - since > allowed;
}

bool ServerConnection::holds_others_up(bool others_wait) {
  const auto now = clock_.now();
  bool sends = false;
  {
    std::lock_guard lock(mutex_);
    sends = counted_replies_ > 0;
  }
  const bool receives_slowly = receiving_.is_late(others_wait && reader_.awaits_reserved(),
                                                  reader_.received(), now, limits_.mebibyte_time);
  const bool sends_slowly =
      sending_.is_late(others_wait && sends, sent_, now, limits_.mebibyte_time);
  return receives_slowly || sends_slowly;
}

void ServerConnection::close() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    unsent_ = {};
    count_replies_locked();
  }
  stream_->close();
  may_write_.notify();
  may_read_.notify();
}

bool ServerConnection::has_unsent_replies() {
  std::lock_guard lock(mutex_);
  return !closed_ && (!unsent_.empty() || being_sent_ > 0);
}

void ServerConnection::send(const wire::RequestHead& request, wire::ErrorCode error,
                            std::string_view body) {
  std::lock_guard lock(mutex_);
  if (closed_) return;
  wire::append_reply(unsent_, request, error, body, server_address_);
  count_replies_locked();
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

void ServerConnection::count_replies_locked() {
  const auto bytes = unsent_.size() + being_sent_;
  if (bytes > counted_replies_)
    budget_->add_reply_bytes(bytes - counted_replies_);
  else if (bytes < counted_replies_)
    budget_->remove_reply_bytes(counted_replies_ - bytes);
  counted_replies_ = bytes;
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
