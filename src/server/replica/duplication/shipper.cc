#include "server/replica/duplication/shipper.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>

#include "async/for_each.h"
#include "base/bytes.h"
#include "base/units.h"
#include "data_types.h"
#include "server/replica/duplication/log_entries.h"
#include "wire/thrift_codec.h"

namespace pegmove::server::replica {
namespace {

using async::milliseconds;
using duplication::Assignment;
using duplication::Progress;
using shipping::ShippedEntry;
using shipping::TargetPartition;
using std::chrono::microseconds;
using wire::ErrorCode;

// Real sources state it in their requests.
constexpr int32_t kStatedTimeoutMs = 100'000;
// How long a reply may take before the request is repeated; doubled each time.
constexpr milliseconds kFirstReplyWait{10'000};
constexpr milliseconds kLongestReplyWait{kStatedTimeoutMs};
constexpr milliseconds kFirstPause{10};
constexpr milliseconds kLongestPause{1'000};
constexpr size_t kTargetsAtOnce = 16;
// A shorter wait for a clock is not worth words.
constexpr microseconds kNotableWait{100'000};

// The reply to one request. Shared with the channel, which may answer after the shipper has ended.
struct Reply {
  std::optional<Result<net::IncomingReply>> result;
  async::Event arrived;
  bool sent = false;
};

// Errors of attempt() and what follows them.
bool is_too_large(const Error& error) { return error.code() == Code::kTooLarge; }
bool is_closed(const Error& error) { return error.code() == Code::kProtocol; }
bool is_late(const Error& error) { return error.code() == Code::kTimeout; }
bool is_other_count(const Error& error) { return error.code() == Code::kRefused; }

}  // namespace

Shipper::Shipper(const Shipping& shipping, std::unique_ptr<ShippedLog> log, Gpid gpid,
                 Assignment assignment, std::shared_ptr<shipping::TargetTable> table,
                 Logger log_lines)
    : shipping_(shipping),
      log_(std::move(log)),
      gpid_(gpid),
      table_(std::move(table)),
      log_lines_(std::move(log_lines)),
      most_request_bytes_(shipping.most_request_bytes),
      tasks_(shipping.executor),
      assignment_(std::move(assignment)),
      shipped_decree_(assignment_.confirmed_decree) {}

void Shipper::assign(Assignment assignment) {
  {
    std::lock_guard lock(mutex_);
    shipped_decree_ = std::max(shipped_decree_, assignment.confirmed_decree);
    if (!assignment.ships) waits_for_.clear();
    assignment_ = std::move(assignment);
  }
  changed_.notify();
}

Assignment Shipper::assignment() const {
  std::lock_guard lock(mutex_);
  return assignment_;
}

// The decree is read before what waits: what it counts is in the log then.
Progress Shipper::progress() const {
  Progress progress;
  progress.last_decree = log_->last_decree();
  {
    std::lock_guard lock(mutex_);
    progress.id = assignment_.id;
    progress.shipped_decree = shipped_decree_;
    progress.waits_for = waits_for_;
    progress.error = error_;
  }
  progress.last_decree = std::max(progress.last_decree, progress.shipped_decree);
  const auto backlog = log_->backlog(progress.shipped_decree);
  progress.waiting_mutations = backlog.mutations;
  progress.waiting_bytes = backlog.bytes;
  progress.oldest_timestamp_us = backlog.oldest_timestamp_us;
  // A partition that was closed and opened again does not wake its shippers before they read.
  if (progress.shipped_decree < progress.last_decree)
    asio::post(shipping_.executor, [held = weak_from_this()] {
      if (auto self = std::const_pointer_cast<Shipper>(held.lock())) self->wake();
    });
  return progress;
}

bool Shipper::may_ship() const {
  std::lock_guard lock(mutex_);
  return assignment_.ships && error_.empty() && shipping_.cluster_id != 0;
}

int64_t Shipper::position() const {
  std::lock_guard lock(mutex_);
  return shipped_decree_;
}

void Shipper::advance(int64_t decree) {
  int64_t by = 0;
  {
    std::lock_guard lock(mutex_);
    by = std::max<int64_t>(decree - shipped_decree_, 0);
    shipped_decree_ += by;
    waits_for_.clear();
  }
  if (auto metrics = log_->metrics()) metrics->confirmed_mutations.add(by);
}

// Logs what is new: an error is repeated each second.
void Shipper::note(std::string waits_for) {
  {
    std::lock_guard lock(mutex_);
    if (waits_for_ == waits_for) return;
    waits_for_ = waits_for;
  }
  log_lines_.warning("shipping waits: " + waits_for);
}

void Shipper::end_with(const Error& error) {
  auto text = fmt::format(
      "{}; writes from decree {} on are not shipped: remove this duplication, and make one that "
      "copies the table",
      error.to_string(), position() + 1);
  log_lines_.error("shipping has ended: " + text);
  std::lock_guard lock(mutex_);
  waits_for_.clear();
  error_ = std::move(text);
}

Routine<> Shipper::pause(int failures) {
  const auto length = async::back_off(failures, kFirstPause, kLongestPause);
  co_await shipping_.client.clock().sleep_for(length);  // no result
}

Routine<> Shipper::run() {
  if (shipping_.cluster_id == 0)
    note("this cluster has no id in [duplication-group]: set one, and restart it");
  for (int failures = 0; !tasks_.stopped();) {
    if (!may_ship()) {
      co_await changed_.wait();  // no result
      continue;
    }
    auto piece = co_await log_->read(position(), shipping_.most_piece_bytes);
    if (tasks_.stopped()) co_return;
    if (!piece) {
      if (piece.error().code() == Code::kCorrupt) {
        end_with(piece.error());
        continue;
      }
      note("reading the log: " + piece.error().to_string());
      co_await pause(failures++);  // no result
      continue;
    }
    failures = 0;
    if (piece->last_decree < position()) {
      end_with(Error(Code::kCorrupt,
                     fmt::format("the partition's last decree is {}, and the target has confirmed "
                                 "{}: an older state of its files was put back",
                                 piece->last_decree, position())));
      continue;
    }
    if (!piece->mutations.empty()) {
      failpoint("duplication.piece_read");
      if (!co_await ship(*piece)) continue;
      failpoint("duplication.piece_shipped");
    }
    advance(piece->last_decree);
    // A wait that begins after the stop would not be ended by it.
    if (piece->is_end && !tasks_.stopped()) co_await changed_.wait();  // no result
  }
}

// False when the piece is not shipped: the duplication was paused, stopped, or has ended.
Routine<bool> Shipper::ship(const store::LogPiece& piece) {
  auto entries = entries_of(piece, shipping_.cluster_id);
  if (!entries) {
    end_with(entries.error());
    co_return false;
  }
  if (auto metrics = log_->metrics()) {
    size_t bytes = 0;
    for (const auto& entry : *entries) bytes += entry.view.raw_message.size();
    metrics->log_read_mutations.add(int64_t(piece.mutations.size()));
    metrics->log_read_bytes.add(int64_t(bytes));
  }
  const wire::DuplicateSource source{.app_id = gpid_.app_id,
                                     .partition_index = gpid_.partition_index,
                                     .log_id = int64_t(piece.log_id)};
  for (int failures = 0; continues();) {
    auto shipped = co_await ship_all(*entries, source);
    if (shipped) co_return true;
    if (shipped.error().code() == Code::kInterrupted) break;
    note(shipped.error().to_string());
    co_await pause(failures++);  // no result
  }
  co_return false;
}

Task<> Shipper::ship_all(std::span<const ShippedEntry> entries, wire::DuplicateSource source) {
  const auto count = CO_TRY(co_await table_->partition_count());
  const auto groups = shipping::by_target(entries, count);
  std::vector<Group> list;
  for (const auto& [index, group] : groups) list.push_back({index, count, group, source});
  co_return co_await async::for_each(list.size(), kTargetsAtOnce,
                                     [&](size_t i) { return ship_group(list[i]); });
}

Task<> Shipper::ship_group(Group group) {
  while (!group.entries.empty())
    group.entries = group.entries.subspan(CO_TRY(co_await ship_some(group)));
  co_return Result<void>();
}

// The first entries, in one request; returns how many. Until it is carried out. Errors:
// kInterrupted when the duplication is paused or stopped; kRefused when the partition count has
// changed.
Task<size_t> Shipper::ship_some(Group group) {
  auto wait = kFirstReplyWait;
  bool was_closed = false;
  for (int failures = 0; continues();) {
    const auto fitting = shipping::entries_that_fit(group.entries, most_request_bytes_);
    const auto batch = group.entries.first(fitting);
    auto done = co_await attempt({group.index, group.partition_count, batch, group.source}, wait);
    if (done) co_return batch.size();
    const auto& error = done.error();
    if (error.code() == Code::kInterrupted || is_other_count(error)) co_return fail(error);
    if (auto metrics = log_->metrics()) metrics->shipped_failed_requests.add();
    if (is_too_large(error) && shrink_requests(batch)) continue;
    note(error.to_string());
    if (is_late(error)) wait = std::min(2 * wait, kLongestReplyWait);
    if (is_closed(error) && !std::exchange(was_closed, true)) continue;  // at once
    co_await pause(failures++);                                          // no result
  }
  co_return fail(Code::kInterrupted, "shipping was paused or stopped");
}

// False when there is nothing to cut.
bool Shipper::shrink_requests(std::span<const ShippedEntry> batch) {
  if (batch.size() < 2) return false;
  const size_t bytes = shipping::duplicate_body_bytes(batch);
  most_request_bytes_ = bytes / 2;
  log_lines_.info(
      fmt::format("the target refuses requests of {} bytes as too large: requests of {}", bytes,
                  most_request_bytes_));
  return true;
}

Task<> Shipper::attempt(Group batch, milliseconds most_wait) {
  const auto target = CO_TRY(co_await table_->partition(batch.index, batch.partition_count));
  int64_t latest = 0;
  for (const auto& entry : batch.entries) latest = std::max(latest, entry.view.timestamp_us);
  if (auto waited = co_await wait_for_clocks(target, latest); !waited) {
    table_->doubt(batch.index);
    co_return waited;
  }
  co_return co_await send(target, batch, most_wait);
}

// Until all servers that carry out writes of the partition have clocks past the time.
Task<> Shipper::wait_for_clocks(const TargetPartition& target, int64_t timestamp_us) {
  auto& clock = shipping_.client.clock();
  while (continues()) {
    microseconds longest{0};
    const net::HostPort* slowest = nullptr;
    for (const auto& server : target.replicas) {
      const auto left = CO_TRY(co_await shipping_.clocks.left(server, timestamp_us));
      if (left <= longest) continue;
      longest = left;
      slowest = &server;
    }
    if (!slowest) co_return Result<void>();
    if (longest > kNotableWait)
      note(fmt::format(
          "the clock of {} may be {} behind the time of the next write, and a server "
          "aborts on a write later than its clock: synchronize the clocks (NTP)",
          slowest->to_string(), base::format_duration(std::chrono::ceil<milliseconds>(longest))));
    co_await clock.sleep_for(
        std::min(std::chrono::ceil<milliseconds>(longest), kLongestPause));  // no result
  }
  co_return fail(Code::kInterrupted, "shipping was paused or stopped");
}

Task<> Shipper::send(const TargetPartition& target, Group batch, milliseconds most_wait) {
  auto& client = shipping_.client;
  const auto index = target.index;
  const auto body = shipping::duplicate_body(batch.entries, batch.source);
  auto reply = std::make_shared<Reply>();
  // The hash of the last entry, as from real sources.
  client.channel(target.address)
      .start({.code = wire::RpcCode::kDuplicate,
              .gpid = target.gpid,
              .partition_hash = batch.entries.back().hash,
              .body = body,
              .deadline = Deadline::in(client.clock(), most_wait),
              .sent = &reply->sent,
              .stated_timeout_ms = kStatedTimeoutMs},
             [reply](Result<net::IncomingReply> result) {
               reply->result = std::move(result);
               reply->arrived.notify();
             });
  failpoint("duplication.request_sent");
  while (!reply->result && !tasks_.stopped()) co_await reply->arrived.wait();  // no result
  if (!reply->result) co_return fail(Code::kInterrupted, "shipping was stopped");
  auto& result = *reply->result;
  if (!result) {
    const auto& error = result.error();
    if (error.code() == Code::kInterrupted) co_return fail(error);
    // The connection was closed under a request: the same server is tried again.
    const bool was_closed = error.code() != Code::kTimeout && reply->sent;
    if (was_closed) {
      shipping_.clocks.doubt(target.primary);
      co_return fail(Code::kProtocol, fmt::format("{}: {}", table_->place(index), error.message()));
    }
    client.host_names().failed(target.primary, target.address);
    table_->doubt(index);
    co_return fail(error.code(), fmt::format("{}: {}", table_->place(index), error.message()));
  }
  CO_TRY(check(target, *result));
  failpoint("duplication.request_answered");
  if (auto metrics = log_->metrics()) {
    metrics->shipped_successful_requests.add();
    metrics->shipped_bytes.add(int64_t(body.size()));
  }
  co_return Result<void>();
}

// Pegasus: the retries of real sources, duplication-seen in docs/compatibility.md. Errors that show
// that the partition may have moved make the next attempt ask where it is.
Result<void> Shipper::check(const TargetPartition& target, const net::IncomingReply& reply) {
  const auto index = target.index;
  const auto place = table_->place(index);
  if (reply.error == ErrorCode::kInvalidData)
    return fail(Code::kTooLarge,
                fmt::format("{} at {} refuses a write as too large (ERR_INVALID_DATA): raise "
                            "max_allowed_write_size of its replica servers",
                            place, target.primary.to_string()));
  if (reply.error != ErrorCode::kOk) {
    if (reply.error != ErrorCode::kBusy) table_->doubt(index);
    return fail(Code::kBusy, fmt::format("{} at {}: {}", place, target.primary.to_string(),
                                         wire::error_name(reply.error)));
  }
  auto response = wire::decode_body<wire::duplicate_response>(reply.body.view);
  if (!response)
    return fail(Code::kBusy, fmt::format("{} at {}: {}", place, target.primary.to_string(),
                                         response.error().to_string()));
  if (response->error == 0) return {};
  return fail(Code::kBusy,
              fmt::format("{} at {}: storage error {}{}{}", place, target.primary.to_string(),
                          response->error, response->error_hint.empty() ? "" : ": ",
                          base::printable(response->error_hint, 256)));
}

}  // namespace pegmove::server::replica
