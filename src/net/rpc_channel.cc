#include "net/rpc_channel.h"

#include <fmt/format.h>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "net/frame_reader.h"

namespace pegmove::net {
namespace {

// How late a deadline may be noticed.
constexpr async::milliseconds kDeadlineGrain{20};

}  // namespace

RpcChannel::RpcChannel(asio::any_io_executor executor, Connector& connector, Clock& clock,
                       Address address, RpcChannelOptions options)
    : executor_(executor),
      connector_(connector),
      clock_(clock),
      address_(address),
      options_(options),
      tasks_(executor) {
  tasks_.spawn(keep_connected());
  tasks_.spawn(expire_calls());
}

void RpcChannel::start(const OutgoingCall& call, Completion done) {
  auto id = ++last_id_;
  if (options_.framing != wire::Framing::kRdsn) id &= 0x7fffffff;
  if (tasks_.stopped()) {
    asio::post(executor_, [done = std::move(done)]() mutable {
      done(fail(Code::kInterrupted, "the client has been closed"));
    });
    return;
  }
  if (pending_.empty()) has_deadlines_.notify();
  pending_.emplace(id, Pending{call.deadline, std::move(done), call.sent});
  const auto begin = unsent_.size();
  if (unsent_.empty()) has_work_.notify();
  wire::append_request(
      unsent_,
      {.framing = options_.framing,
       .id = id,
       .name = wire::rpc_name(call.code),
       .gpid = call.gpid,
       .partition_hash = call.partition_hash,
       .timeout_ms = call.stated_timeout_ms > 0 ? call.stated_timeout_ms
                                                : int32_t(call.deadline.left(clock_).count()),
       .is_backup_request = call.is_backup_request,
       .trace_id = id,
       .thread_of = call.thread_of},
      call.body);
  if (call.sent)
    unsent_watched_.push_back({.id = id, .begin = begin, .bytes = unsent_.size() - begin});
}

Task<IncomingReply> RpcChannel::call(OutgoingCall call) {
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>&,
                                          void(Result<IncomingReply>)>(
      [this](auto handler, OutgoingCall call) {
        start(call, [handler = std::move(handler)](Result<IncomingReply> reply) mutable {
          std::move(handler)(std::move(reply));
        });
      },
      asio::use_awaitable, std::move(call));
}

Routine<> RpcChannel::keep_connected() {
  while (!tasks_.stopped()) {
    if (unsent_.empty()) {
      co_await has_work_.wait();  // no result
      continue;
    }
    auto stream =
        co_await connector_.connect(address_, Deadline::in(clock_, options_.connect_timeout));
    if (stream)
      co_await run_connection(std::move(*stream));  // no result
    else
      fail_all(stream.error());
  }
}

Routine<> RpcChannel::run_connection(std::unique_ptr<Stream> stream) {
  if (tasks_.stopped()) co_return;
  stream_ = std::move(stream);
  connected_ = true;
  writer_ended_ = false;
  tasks_.spawn(write_calls(*stream_));
  auto ended = co_await read_replies(*stream_);
  connected_ = false;
  stream_->close();
  has_work_.notify();
  while (!writer_ended_) co_await writer_done_.wait();  // no result
  stream_.reset();
  fail_all(ended ? Error(Code::kUnreachable, address_.to_string() + " closed the connection")
                 : ended.error());
}

Routine<> RpcChannel::write_calls(Stream& stream) {
  std::string batch;
  while (connected_ && !tasks_.stopped()) {
    if (unsent_.empty()) {
      co_await has_work_.wait();  // no result
      continue;
    }
    batch.clear();
    batch.swap(unsent_);
    note_sent(batch);
    if (batch.empty()) continue;
    if (auto sent = co_await stream.write_all(batch); !sent) break;  // the reader notices it, too
  }
  stream.close();
  writer_ended_ = true;
  writer_done_.notify();
}

// A call that was not sent within its time was certainly not carried out, and must not be later.
void RpcChannel::note_sent(std::string& batch) {
  size_t left_out = 0;
  for (const auto& call : std::exchange(unsent_watched_, {})) {
    const auto found = pending_.find(call.id);
    if (found != pending_.end() && !found->second.deadline.passed(clock_)) {
      *found->second.sent = true;
      continue;
    }
    batch.erase(call.begin - left_out, call.bytes);
    left_out += call.bytes;
  }
}

Task<> RpcChannel::read_replies(Stream& stream) {
  FrameReader reader(stream, [this](std::string_view bytes) {
    return wire::measure_reply(options_.framing, bytes, options_.max_frame_size);
  });
  while (CO_TRY(co_await reader.fill())) {
    for (;;) {
      auto frame = CO_TRY(in_context(reader.pop(), "reply from " + address_.to_string()));
      if (frame.view.empty()) break;
      auto reply = CO_TRY(in_context(wire::parse_reply(options_.framing, frame.view),
                                     "reply from " + address_.to_string()));
      finish(reply.head.id, IncomingReply{reply.head.error, {std::move(frame.owner), reply.body}});
    }
  }
  co_return Result<void>();
}

Routine<> RpcChannel::expire_calls() {
  while (!tasks_.stopped()) {
    if (pending_.empty()) {
      co_await has_deadlines_.wait();  // no result
      continue;
    }
    co_await clock_.sleep_for(kDeadlineGrain);  // no result
    std::vector<uint64_t> late;
    bool was_sent = false;
    for (const auto& [id, call] : pending_) {
      if (!call.deadline.passed(clock_)) continue;
      late.push_back(id);
      was_sent |= call.sent && *call.sent;
    }
    if (was_sent && options_.closes_after_timeout) close_connection();
    for (auto id : late)
      finish(id,
             fail(Code::kTimeout, fmt::format("no answer from {} in time", address_.to_string())));
  }
}

void RpcChannel::close_connection() {
  connected_ = false;  // nothing more is written to it
  if (stream_) stream_->close();
}

void RpcChannel::finish(uint64_t id, Result<IncomingReply> result) {
  auto found = pending_.find(id);
  if (found == pending_.end()) return;  // its deadline had passed
  auto done = std::move(found->second.done);
  pending_.erase(found);
  done(std::move(result));
}

void RpcChannel::fail_all(const Error& error) {
  unsent_.clear();
  unsent_watched_.clear();
  auto failed = std::exchange(pending_, {});
  for (auto& [id, call] : failed) call.done(fail(error));
}

void RpcChannel::stop() {
  tasks_.stop();
  if (stream_) stream_->close();
  fail_all(Error(Code::kInterrupted, "the client has been closed"));
}

Routine<> RpcChannel::join() {
  co_await tasks_.join();  // no result
}

}  // namespace pegmove::net
