#include "server/replica/read_operations.h"

#include <limits>

#include "data_types.h"
#include "record/expiry.h"
#include "record/key.h"

namespace pegmove::server::replica {
namespace {

using wire::RpcCode;
using wire::StorageStatus;

constexpr int32_t kOk = int32_t(StorageStatus::kOk);
constexpr int32_t kNotFound = int32_t(StorageStatus::kNotFound);
constexpr int32_t kInvalidArgument = int32_t(StorageStatus::kInvalidArgument);
constexpr int32_t kIncomplete = int32_t(StorageStatus::kIncomplete);

template <typename Response>
Response addressed(const ReadContext& context, int32_t error) {
  Response response;
  response.error = error;
  response.app_id = context.gpid.app_id;
  response.partition_index = context.gpid.partition_index;
  response.server = context.server;
  return response;
}

// The row if it exists and has not expired.
Result<std::optional<store::StoredValue>> live_row(const ReadContext& context,
                                                   std::string_view key) {
  auto found = TRY(context.db.get(key));
  if (found && record::is_expired(found->expire_ts(), context.now)) {
    context.metrics.read_expired_values.add();
    found.reset();
  }
  return found;
}

Result<wire::read_response> get(const ReadContext& context, const wire::blob& key) {
  if (!record::split_key(key.data))
    return addressed<wire::read_response>(context, kInvalidArgument);
  auto row = TRY(live_row(context, key.data));
  auto response = addressed<wire::read_response>(context, row ? kOk : kNotFound);
  if (row) response.value.data = row->user_data();
  return response;
}

Result<wire::ttl_response> ttl(const ReadContext& context, const wire::blob& key) {
  if (!record::split_key(key.data)) return addressed<wire::ttl_response>(context, kInvalidArgument);
  auto row = TRY(live_row(context, key.data));
  auto response = addressed<wire::ttl_response>(context, row ? kOk : kNotFound);
  if (row)
    response.ttl_seconds = row->expire_ts() == 0 ? -1 : int32_t(row->expire_ts() - context.now);
  return response;
}

Result<wire::batch_get_response> batch_get(const ReadContext& context,
                                           const wire::batch_get_request& request) {
  auto response = addressed<wire::batch_get_response>(context, kOk);
  if (request.keys.empty()) response.error = kInvalidArgument;
  for (const auto& key : request.keys) {
    if (!record::check_hash_key(key.hash_key.data))
      return addressed<wire::batch_get_response>(context, kInvalidArgument);
    auto row = TRY(live_row(context, record::encode_key(key.hash_key.data, key.sort_key.data)));
    if (!row) continue;
    auto& found = response.data.emplace_back();
    found.hash_key = key.hash_key;
    found.sort_key = key.sort_key;
    found.value.data = row->user_data();
  }
  return response;
}

// The limits that end an iteration early.
class Limits {
 public:
  Limits(const ReadContext& context, const Clock& clock, const wire::multi_get_request& request)
      : time_(context, clock),
        rows_(request.max_kv_count > 0 ? std::min(request.max_kv_count, kMultiGetMostRows)
                                       : kMultiGetMostRows),
        bytes_(request.max_kv_size > 0 ? request.max_kv_size
                                       : std::numeric_limits<int32_t>::max()) {}

  bool reached(size_t rows, int64_t bytes) const {
    return int64_t(rows) >= rows_ || bytes >= bytes_;
  }
  bool ends_iteration(size_t rows, int64_t bytes, int32_t iterated) const {
    return reached(rows, bytes) || bytes >= kMultiGetMostBytes || iterated >= kMultiGetMostRows ||
           time_.is_over(iterated);
  }

 private:
  IterationTime time_;
  int32_t rows_;
  int64_t bytes_;
};

int64_t add_row(wire::multi_get_response& response, std::string_view sort_key,
                std::string_view value, bool no_value) {
  auto& row = response.kvs.emplace_back();
  row.key.data = sort_key;
  if (!no_value) row.value.data = value;
  return int64_t(row.key.data.size() + row.value.data.size());
}

// Sort keys by name: in the order of the request, doubles kept, missing ones left out.
Result<wire::multi_get_response> multi_get_points(const ReadContext& context, const Clock& clock,
                                                  const wire::multi_get_request& request) {
  auto response = addressed<wire::multi_get_response>(context, kOk);
  Limits limits(context, clock, request);
  int64_t bytes = 0;
  for (const auto& sort_key : request.sort_keys) {
    auto row = TRY(live_row(context, record::encode_key(request.hash_key.data, sort_key.data)));
    if (!row) continue;
    if (limits.reached(response.kvs.size(), bytes)) {
      response.error = kIncomplete;
      break;
    }
    bytes += add_row(response, sort_key.data, row->user_data(), request.no_value);
  }
  return response;
}

struct Range {
  std::string start, stop;
  bool start_inclusive, stop_inclusive;

  bool empty() const {
    return start > stop || (start == stop && !(start_inclusive && stop_inclusive));
  }
  bool is_before(std::string_view key) const {
    return key < start || (key == start && !start_inclusive);
  }
  bool is_behind(std::string_view key) const {
    return key > stop || (key == stop && !stop_inclusive);
  }
};

Range range_of(const wire::multi_get_request& request) {
  const auto& hash_key = request.hash_key.data;
  bool open_end = request.stop_sortkey.data.empty();
  Range range{.start = record::encode_key(hash_key, request.start_sortkey.data),
              .stop = open_end ? record::next_hash_key(hash_key)
                               : record::encode_key(hash_key, request.stop_sortkey.data),
              .start_inclusive = request.start_inclusive,
              .stop_inclusive = !open_end && request.stop_inclusive};
  const auto& pattern = request.sort_key_filter_pattern.data;
  if (request.sort_key_filter_type != wire::FT_MATCH_PREFIX || pattern.empty()) return range;
  auto prefix = record::encode_key(hash_key, pattern);
  if (auto behind = record::next_after_prefix(prefix); behind <= range.stop) {
    range.stop = behind;
    range.stop_inclusive = false;
  }
  if (prefix > range.start) {
    range.start = std::move(prefix);
    range.start_inclusive = true;
  }
  return range;
}

// One pass over a range, in either direction. An early end is distinguished from a complete one as
// on real servers: the record at the far boundary completes the range even when it also reached a
// limit, and otherwise any further record within the hash key (in reverse: of the partition) counts
// as more.
Result<wire::multi_get_response> multi_get_range(const ReadContext& context, const Clock& clock,
                                                 const wire::multi_get_request& request) {
  auto response = addressed<wire::multi_get_response>(context, kOk);
  auto range = range_of(request);
  if (range.empty()) return response;
  Limits limits(context, clock, request);
  auto prefix_size = record::kHashKeyLengthSize + request.hash_key.data.size();
  auto hash_prefix = std::string_view(range.start).substr(0, prefix_size);
  auto cursor = context.db.new_cursor();
  request.reverse ? cursor->seek_for_prev(range.stop) : cursor->seek(range.start);
  auto is_behind_near_end = [&](auto key) {
    return request.reverse ? range.is_behind(key) : range.is_before(key);
  };
  auto is_past_far_end = [&](auto key) {
    return request.reverse ? range.is_before(key) : range.is_behind(key);
  };
  const auto& far_end = request.reverse ? range.start : range.stop;
  int64_t bytes = 0;
  int32_t iterated = 0;
  bool complete = false;
  for (; cursor->valid() && !complete; request.reverse ? cursor->prev() : cursor->next()) {
    auto key = cursor->key();
    if (is_behind_near_end(key)) continue;
    complete = !request.reverse && !key.starts_with(hash_prefix);
    if (complete || limits.ends_iteration(response.kvs.size(), bytes, iterated)) break;
    complete = is_past_far_end(key);
    if (complete) break;
    ++iterated;
    const auto& value = cursor->value();
    auto sort_key = key.substr(prefix_size);
    if (record::is_expired(value.header.expire_ts, context.now))
      context.metrics.read_expired_values.add();
    else if (!matches(request.sort_key_filter_type, request.sort_key_filter_pattern.data, sort_key))
      context.metrics.read_filtered_values.add();
    else
      bytes += add_row(response, sort_key, value.user_data, request.no_value);
    complete = key == far_end;
  }
  TRY(cursor->status());
  if (!complete && cursor->valid()) response.error = kIncomplete;
  if (request.reverse) std::ranges::reverse(response.kvs);
  return response;
}

Result<wire::multi_get_response> multi_get(const ReadContext& context, const Clock& clock,
                                           const wire::multi_get_request& request) {
  if (!is_filter_type(request.sort_key_filter_type) ||
      !record::check_hash_key(request.hash_key.data))
    return addressed<wire::multi_get_response>(context, kInvalidArgument);
  return request.sort_keys.empty() ? multi_get_range(context, clock, request)
                                   : multi_get_points(context, clock, request);
}

Result<wire::count_response> sortkey_count(const ReadContext& context, const Clock& clock,
                                           const wire::blob& hash_key) {
  auto response = addressed<wire::count_response>(context, kOk);
  if (!record::check_hash_key(hash_key.data)) {
    response.error = kInvalidArgument;
    return response;
  }
  IterationTime time(context, clock);
  auto prefix = record::encode_key(hash_key.data, "");
  auto cursor = context.db.new_cursor();
  int64_t iterated = 0;
  for (cursor->seek(prefix); cursor->valid() && cursor->key().starts_with(prefix); cursor->next()) {
    const auto& value = cursor->value();
    if (record::is_expired(value.header.expire_ts, context.now))
      context.metrics.read_expired_values.add();
    else
      ++response.count;
    if (time.is_over(iterated++)) {
      response.count = -1;
      break;
    }
  }
  TRY(cursor->status());
  return response;
}

template <typename Request, typename Answer>
Result<std::string> with_request(std::string_view body, Answer answer) {
  auto request = TRY(wire::decode_body<Request>(body));
  return wire::encode_body(TRY(answer(request)));
}

}  // namespace

bool is_filter_type(int type) {
  return type >= wire::FT_NO_FILTER && type <= wire::FT_MATCH_POSTFIX;
}

bool matches(int filter_type, std::string_view pattern, std::string_view text) {
  switch (filter_type) {
    case wire::FT_MATCH_ANYWHERE: return text.find(pattern) != std::string_view::npos;
    case wire::FT_MATCH_PREFIX: return text.starts_with(pattern);
    case wire::FT_MATCH_POSTFIX: return text.ends_with(pattern);
    default: return true;
  }
}

Result<std::string> answer(const ReadContext& context, const Clock& clock, RpcCode code,
                           std::string_view body) {
  switch (code) {
    case RpcCode::kGet:
      return with_request<wire::blob>(body, [&](auto& key) { return get(context, key); });
    case RpcCode::kTtl:
      return with_request<wire::blob>(body, [&](auto& key) { return ttl(context, key); });
    case RpcCode::kBatchGet:
      return with_request<wire::batch_get_request>(
          body, [&](auto& request) { return batch_get(context, request); });
    case RpcCode::kMultiGet:
      return with_request<wire::multi_get_request>(
          body, [&](auto& request) { return multi_get(context, clock, request); });
    case RpcCode::kSortkeyCount:
      return with_request<wire::blob>(
          body, [&](auto& hash_key) { return sortkey_count(context, clock, hash_key); });
    default: return fail(Code::kInternal, "not a read operation");
  }
}

}  // namespace pegmove::server::replica
