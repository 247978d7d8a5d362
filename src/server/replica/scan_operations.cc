#include "server/replica/scan_operations.h"

#include "data_types.h"
#include "record/expiry.h"
#include "record/hash.h"
#include "record/key.h"
#include "server/replica/read_operations.h"
#include "wire/row_messages.h"

namespace pegmove::server::replica {
namespace {

using wire::StorageStatus;

constexpr int64_t kEnd = -1;
constexpr int64_t kNoContext = 0;
constexpr size_t kEndBytes = 128;  // after the rows of a reply, at most

wire::ScanReplyBuilder::End end_of_reply(const ReadContext& context, StorageStatus status,
                                         int64_t context_id) {
  return {.error = int32_t(status),
          .context_id = context_id,
          .app_id = context.gpid.app_id,
          .partition_index = context.gpid.partition_index,
          .server = context.server};
}

std::string reply_without_rows(const ReadContext& context, StorageStatus status,
                               int64_t context_id) {
  return wire::ScanReplyBuilder().finish(end_of_reply(context, status, context_id));
}

// After a split a partition still has rows that now belong to another one.
bool belongs_here(const ReadContext& context, const Scan& scan, std::string_view key) {
  const auto& request = scan.request;
  if (context.partition_count <= 0) return true;
  if (request.__isset.validate_partition_hash && !request.validate_partition_hash) return true;
  const auto parts = record::split_key(key);
  return parts && record::partition_index(record::key_hash(parts->hash_key, parts->sort_key),
                                          context.partition_count) == context.gpid.partition_index;
}

bool wants(const Scan& scan, std::string_view key) {
  const auto& request = scan.request;
  if (request.hash_key_filter_type == wire::FT_NO_FILTER &&
      request.sort_key_filter_type == wire::FT_NO_FILTER)
    return true;
  auto parts = record::split_key(key);
  return parts &&
         matches(request.hash_key_filter_type, request.hash_key_filter_pattern.data,
                 parts->hash_key) &&
         matches(request.sort_key_filter_type, request.sort_key_filter_pattern.data,
                 parts->sort_key);
}

// With a hash-key prefix filter the scan begins at the first possible key with that prefix.
void narrow(wire::get_scanner_request& request) {
  const auto& pattern = request.hash_key_filter_pattern.data;
  if (request.hash_key_filter_type != wire::FT_MATCH_PREFIX || pattern.empty()) return;
  if (!record::check_hash_key(pattern)) return;
  auto first = record::encode_key(pattern, "");
  if (first <= request.start_key.data) return;
  request.start_key.data = std::move(first);
  request.start_inclusive = true;
}

// One batch from the cursor's position; stores the scan under a new id when there may be more.
Result<std::string> next_batch(const ReadContext& context, const Clock& clock, ScanContexts& scans,
                               std::unique_ptr<Scan> scan, int32_t most_iterations) {
  const auto& request = scan->request;
  const IterationTime time(context, clock);
  int32_t most_rows =
      request.batch_size > 0 ? std::min(request.batch_size, kScanMostRows) : kScanMostRows;
  // The batches of a scan have similar sizes.
  wire::ScanReplyBuilder reply(scan->last_reply_bytes);
  auto& cursor = *scan->cursor;
  int32_t rows = 0, iterated = 0;
  bool complete = false, out_of_time = false;
  for (; cursor.valid() && !complete; cursor.next()) {
    auto key = cursor.key();
    complete = scan->confined && !key.starts_with(scan->confined_to);
    out_of_time = time.is_over(iterated);
    if (complete || out_of_time || rows >= most_rows || iterated >= most_iterations) break;
    const auto behind_stop = key.compare(request.stop_key.data);
    complete = behind_stop > 0 || (behind_stop == 0 && !request.stop_inclusive);
    if (complete) break;
    ++iterated;
    const auto& value = cursor.value();
    complete = behind_stop == 0;
    if (record::is_expired(value.header.expire_ts, context.now)) {
      context.metrics.read_expired_values.add();
      continue;
    }
    if (!wants(*scan, key)) {
      context.metrics.read_filtered_values.add();
      continue;
    }
    if (!belongs_here(context, *scan, key)) continue;
    ++rows;
    if (!request.only_return_count)
      reply.add(key, request.no_value ? std::string_view() : value.user_data,
                request.return_expire_ts, value.header.expire_ts);
    if (complete) break;
  }
  TRY(cursor.status());
  auto end =
      end_of_reply(context, out_of_time ? StorageStatus::kIncomplete : StorageStatus::kOk, kEnd);
  if (request.only_return_count) end.row_count = rows;
  scan->last_reply_bytes = reply.size() + kEndBytes;
  if (out_of_time)
    end.context_id = kNoContext;
  else if (!complete && cursor.valid())
    end.context_id = scans.put(std::move(scan));
  return std::move(reply).finish(end);
}

}  // namespace

Result<std::string> open_scan(const ReadContext& context, const Clock& clock, ScanContexts& scans,
                              std::string_view body) {
  auto scan = std::make_unique<Scan>();
  scan->request = TRY(wire::decode_body<wire::get_scanner_request>(body));
  auto& request = scan->request;
  if (!is_filter_type(request.hash_key_filter_type) ||
      !is_filter_type(request.sort_key_filter_type))
    return reply_without_rows(context, StorageStatus::kInvalidArgument, kNoContext);
  // The start as it was sent decides whether the scan stays within a hash key, the narrowed one
  // within which. Pegasus: pegasus_server_impl::on_get_scanner.
  const auto sent = record::split_key(request.start_key.data);
  scan->confined = sent && !sent->hash_key.empty() && !request.full_scan;
  narrow(request);
  const auto& start = request.start_key.data;
  const auto& stop = request.stop_key.data;
  // An empty stop key sorts before every key, as on real servers.
  if (start > stop || (start == stop && !(request.start_inclusive && request.stop_inclusive)))
    return reply_without_rows(context, StorageStatus::kOk, kEnd);
  const auto parts = record::split_key(start);
  if (scan->confined && parts) scan->confined_to = record::encode_key(parts->hash_key, "");
  scan->cursor = context.db.new_cursor();
  scan->cursor->seek(start);
  if (!request.start_inclusive && scan->cursor->valid() && scan->cursor->key() == start)
    scan->cursor->next();
  return next_batch(context, clock, scans, std::move(scan), kScanMostRows);
}

Result<std::string> continue_scan(const ReadContext& context, const Clock& clock,
                                  ScanContexts& scans, std::string_view body) {
  auto request = TRY(wire::decode_body<wire::scan_request>(body));
  auto scan = scans.take(request.context_id);
  if (!scan) return reply_without_rows(context, StorageStatus::kNotFound, kNoContext);
  auto most = scan->request.batch_size > 0 ? std::min(scan->request.batch_size, kScanMostRows)
                                           : kScanMostRows;
  return next_batch(context, clock, scans, std::move(scan), most);
}

}  // namespace pegmove::server::replica
