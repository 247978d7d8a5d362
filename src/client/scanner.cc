#include "client/scanner.h"
#include "data_types.h"

#include <fmt/format.h>

#include <algorithm>

#include "record/hash.h"
#include "record/key.h"

namespace pegmove::client {
namespace {

using wire::StorageStatus;

// Meanings of a context id. Ids of real servers may be negative; only -1 means the end, and 0 means
// that the reply has none.
constexpr int64_t kEnd = -1;
constexpr int64_t kNoContext = 0;

constexpr int32_t kMostBatchRows = 1000;  // servers return no more

}  // namespace

Scanner::Scanner(std::shared_ptr<PartitionRouter> router, Target target, ScanRange range,
                 ScanOptions options)
    : router_(std::move(router)),
      target_(target),
      range_(std::move(range)),
      options_(std::move(options)),
      partition_count_(router_->partition_count()),
      moves_(router_->moves()) {}

Scanner::~Scanner() { forget_context(); }

void Scanner::set_batch_size(int32_t rows) {
  options_.batch_size = rows;
  forget_context();
}

// After a reply that was too large. Another scan on the same connection may be the cause, so the
// smallest size is also tried several times.
bool Scanner::ask_for_less() {
  constexpr int kMostInARow = 16;
  // The lost reply of a count cannot be repeated: no key shows how far it had come.
  if (++too_large_ > kMostInARow || (options_.only_count && context_)) return false;
  auto now = options_.batch_size > 0 ? options_.batch_size : kMostBatchRows;
  set_batch_size(std::max(now / 4, 1));
  return true;
}

// Releases the context on the server. There is no answer to wait for.
void Scanner::forget_context() {
  if (!context_ || done_) return;
  auto* channel = router_->primary_channel(target_.partition_index);
  std::string body;
  wire::append_i64_body(body, *context_, 0);
  context_.reset();
  if (!channel) return;
  auto& clock = router_->cluster().client().clock();
  channel->start({.code = wire::RpcCode::kClearScanner,
                  .gpid = router_->gpid(target_.partition_index),
                  .partition_hash = target_.partition_hash,
                  .body = body,
                  .deadline = Deadline::in(clock, async::milliseconds(100))},
                 [](Result<net::IncomingReply>) {});
}

Task<net::IncomingReply> Scanner::ask(Deadline deadline) {
  if (context_) {
    wire::scan_request request;
    request.context_id = *context_;
    co_return co_await router_->call(target_, wire::RpcCode::kScan, wire::encode_body(request),
                                     deadline);
  }
  wire::get_scanner_request request;
  request.start_key.data = range_.start;
  request.stop_key.data = range_.stop;
  request.start_inclusive = range_.start_inclusive;
  request.stop_inclusive = range_.stop_inclusive;
  request.batch_size = options_.batch_size;
  request.no_value = options_.no_value;
  request.hash_key_filter_type = wire::filter_type(options_.hash_key_filter);
  request.hash_key_filter_pattern.data = options_.hash_key_pattern;
  request.sort_key_filter_type = wire::filter_type(options_.sort_key_filter);
  request.sort_key_filter_pattern.data = options_.sort_key_pattern;
  request.__set_validate_partition_hash(options_.validate_partition_hash);
  request.__set_return_expire_ts(options_.return_expire_ts);
  request.__set_full_scan(options_.full_scan);
  request.__set_only_return_count(options_.only_count);
  co_return co_await router_->call(target_, wire::RpcCode::kGetScanner, wire::encode_body(request),
                                   deadline);
}

Task<std::optional<ScanBatch>> Scanner::next(Deadline deadline) {
  while (!done_) {
    CO_TRY(forget_moved_context());
    bool asked_anew = !context_;
    CO_TRY(check_not_split());
    auto reply = co_await ask(deadline);
    CO_TRY(check_not_split());  // the cluster may have been asked again
    if (!reply && context_ && moves_ != router_->moves()) continue;
    if (!reply && reply.error().code() == Code::kTooLarge && ask_for_less()) continue;
    too_large_ = 0;
    auto batch = CO_TRY(co_await take(CO_TRY(std::move(reply))));
    if (!batch.foreign.empty()) [[unlikely]]
      co_await look_up(batch.foreign, deadline);  // no result
    if (!std::exchange(context_lost_, false)) co_return batch;
    // A count without rows has no key to resume after.
    if (options_.only_count)
      co_return fail(Code::kRefused, "the server no longer knows the scan; count again");
    if (asked_anew && batch.received() == 0)
      co_return fail(Code::kRefused, fmt::format("a scan of partition {} of table '{}' makes no "
                                                 "progress within the server's time limit",
                                                 target_.partition_index, router_->table()));
    if (batch.received() > 0) co_return batch;
  }
  co_return std::nullopt;
}

// A context of another cluster, from which the table has moved: the scan starts again there, after
// its last key. A cluster may know another scan by the same number.
Result<void> Scanner::forget_moved_context() {
  if (std::exchange(moves_, router_->moves()) == moves_ || !context_) return {};
  context_.reset();
  if (options_.only_count)
    return fail(Code::kRefused, fmt::format("table '{}' has moved to another cluster; count again",
                                            router_->table()));
  return {};
}

// Reads a reply and notes how the scan continues. context_lost_: the scan must be started again.
Task<ScanBatch> Scanner::take(net::IncomingReply reply) {
  auto view = CO_TRY(wire::decode_scan_reply(reply.body.view));
  bool was_asked_anew = !context_;
  context_.reset();
  if (view.error == int32_t(StorageStatus::kNotFound) && !was_asked_anew) {
    context_lost_ = true;
    co_return ScanBatch{};
  }
  if (view.error == int32_t(StorageStatus::kIncomplete))
    context_lost_ = true;  // the time limit: rows so far, and no context
  else if (view.error != int32_t(StorageStatus::kOk))
    co_return fail(wire::to_error(StorageStatus(view.error),
                                  fmt::format("scan of table '{}'", router_->table())));
  else if (view.context_id == kEnd || view.context_id == kNoContext)
    done_ = true;
  else
    context_ = view.context_id;
  ScanBatch batch{.bytes = std::move(reply.body), .rows = std::move(view.rows)};
  if (!batch.rows.empty()) {
    batch.last_key = batch.rows.back().key;
    range_.start = batch.last_key;
    range_.start_inclusive = false;
  }
  if (options_.full_scan && options_.validate_partition_hash) set_foreign_apart(batch);
  batch.count = options_.only_count ? view.row_count : int64_t(batch.rows.size());
  co_return batch;
}

Result<void> Scanner::check_not_split() const {
  if (!options_.full_scan) return {};
  return router_->check_not_split(partition_count_);
}

// Malformed keys stay: the reader reports them.
void Scanner::set_foreign_apart(ScanBatch& batch) const {
  auto kept = batch.rows.begin();
  for (const auto& row : batch.rows) {
    const auto parts = record::split_key(row.key);
    if (!parts || record::partition_index(record::raw_key_hash(*parts), partition_count_) ==
                      target_.partition_index) [[likely]]
      *kept++ = row;
    else
      batch.foreign.push_back({std::string(row.key)});
  }
  batch.rows.erase(kept, batch.rows.end());
}

// A table whose split left half of its rows must not be read twice: the number of searches is
// bounded, and there are no more after one that failed.
Routine<> Scanner::look_up(std::vector<ForeignRow>& foreign, Deadline deadline) {
  const auto left = std::max<int64_t>(options_.most_foreign_searched - searched_, 0);
  const auto searched = std::span(foreign).first(std::min(size_t(left), foreign.size()));
  co_await find_homes(*router_, searched, deadline);  // no result
  const bool failed =
      std::ranges::find(searched, ForeignRow::Home::kNotRead, &ForeignRow::home) != searched.end();
  searched_ = failed ? options_.most_foreign_searched : searched_ + int64_t(searched.size());
}

}  // namespace pegmove::client
