#include "server/replica/duplicate_operation.h"

#include <fmt/format.h>

#include <optional>
#include <unordered_map>

#include "base/bytes.h"
#include "data_types.h"
#include "record/expiry.h"
#include "record/key.h"
#include "record/value.h"
#include "wire/duplicate_messages.h"
#include "wire/rpc_code.h"
#include "wire/thrift_codec.h"

namespace pegmove::server::replica {
namespace {

using wire::DuplicateEntryView;
using wire::DuplicatePosition;
using wire::RpcCode;
using wire::StorageStatus;

constexpr int64_t kLaggingWriteMs = 10'000;  // [pegasus.server] dup_lagging_write_threshold_ms

Error refuse(std::string hint) { return Error(Code::kInvalidArgument, std::move(hint)); }

// The state of a row after the entries so far.
struct Standing {
  uint64_t timetag = 0;
  uint32_t expire_ts = 0;
};

class Duplication {
 public:
  Duplication(const DuplicateContext& context, store::WriteBatch& batch)
      : context_(context), batch_(batch) {}

  Result<void> apply(std::string_view body);
  // After apply().
  void count(DuplicationMetrics& metrics) const;

 private:
  Result<void> check_positions(const wire::DuplicateSource& source) const;
  Result<void> skip_known(const wire::DuplicateSource& source);
  store::SourcePartition partition_of(const wire::DuplicateSource& source) const;
  static store::ReceivedPosition position_of(const wire::DuplicateSource& source,
                                             const DuplicateEntryView& entry);
  Result<void> check(const DuplicateEntryView& entry) const;
  Result<void> apply(const DuplicateEntryView& entry);
  RpcCode code_of(const DuplicateEntryView& entry);
  Result<void> put(const DuplicateEntryView& entry);
  Result<void> multi_put(const DuplicateEntryView& entry);
  Result<void> remove(const DuplicateEntryView& entry);
  Result<void> multi_remove(const DuplicateEntryView& entry);
  Result<void> put_row(const DuplicateEntryView& entry, std::string_view key,
                       std::string_view value, uint32_t expire_ts);
  void remove_row(std::string_view key);
  Result<bool> is_stale(std::string_view key, uint64_t timetag) const;

  const DuplicateContext& context_;
  store::WriteBatch& batch_;
  std::vector<DuplicateEntryView> entries_;  // after skip_known() those that are new here
  std::string_view last_task_code_;          // entries of one request mostly have the same code
  RpcCode last_code_ = RpcCode::kUnknown;
  bool remembers_ = false;  // some entry depends on earlier entries
  std::unordered_map<std::string, std::optional<Standing>> changed_;  // nothing: removed
};

Result<void> Duplication::apply(std::string_view body) {
  auto request = wire::decode_duplicate(body);
  if (!request) return fail(refuse(request.error().message()));
  entries_ = std::move(request->entries);
  const auto& source = request->source;
  if (source) TRY(skip_known(*source));
  for (const auto& entry : entries_) remembers_ |= entry.verify_timetag;
  for (const auto& entry : entries_) {
    TRY(check(entry));
    TRY(apply(entry));
  }
  if (source && !entries_.empty())
    batch_.set_received(
        {.source = partition_of(*source), .position = position_of(*source, entries_.back())});
  return {};
}

// All are of one cluster, and their positions rise: so the last one stands for all.
Result<void> Duplication::check_positions(const wire::DuplicateSource& source) const {
  if (source.app_id < 0 || source.partition_index < 0 || source.log_id < 0)
    return fail(refuse("malformed source of the entries"));
  DuplicatePosition before{.decree = -1};
  for (const auto& entry : entries_) {
    const auto& position = entry.position;
    if (!position || position->decree < 0 || position->write_index < 0 || *position <= before ||
        entry.cluster_id != entries_.front().cluster_id)
      return fail(refuse("malformed positions of the entries"));
    before = *position;
  }
  return {};
}

// Removes the first entries that were carried out before; they are checked like the others.
Result<void> Duplication::skip_known(const wire::DuplicateSource& source) {
  TRY(check_positions(source));
  if (entries_.empty()) return {};
  const auto received = context_.db.received_from(partition_of(source));
  if (!received) return {};
  auto first_new = entries_.begin();
  for (; first_new != entries_.end() && received->covers(position_of(source, *first_new));
       ++first_new)
    TRY(check(*first_new));
  entries_.erase(entries_.begin(), first_new);
  return {};
}

// Precondition: there are entries, all of one cluster.
store::SourcePartition Duplication::partition_of(const wire::DuplicateSource& source) const {
  return {.cluster_id = entries_.front().cluster_id,
          .app_id = source.app_id,
          .partition_index = source.partition_index};
}

// Precondition: the entry has a position.
store::ReceivedPosition Duplication::position_of(const wire::DuplicateSource& source,
                                                 const DuplicateEntryView& entry) {
  return {.log_id = source.log_id,
          .decree = entry.position->decree,
          .write_index = entry.position->write_index,
          .timestamp_us = entry.timestamp_us};
}

void Duplication::count(DuplicationMetrics& metrics) const {
  metrics.requests.add();
  for (const auto& entry : entries_) {
    const auto lag_ms = (context_.unix_us - entry.timestamp_us) / 1000;
    metrics.time_lag_ms.record(lag_ms);
    if (lag_ms >= kLaggingWriteMs) metrics.lagging_writes.add();
  }
}

Result<void> Duplication::check(const DuplicateEntryView& entry) const {
  const auto& clusters = context_.clusters;
  if (entry.cluster_id <= 0 || !clusters.known[size_t(entry.cluster_id)])
    return fail(refuse("request cluster id is unconfigured"));
  if (entry.cluster_id == clusters.own) return fail(refuse("self-duplicating"));
  if (entry.timestamp_us < 0)
    return fail(refuse(fmt::format("timestamp {} us is negative", entry.timestamp_us)));
  if (entry.timestamp_us > context_.unix_us)
    return fail(refuse(fmt::format("timestamp {} us is later than this server's clock, {} us",
                                   entry.timestamp_us, context_.unix_us)));
  return {};
}

RpcCode Duplication::code_of(const DuplicateEntryView& entry) {
  if (entry.task_code != last_task_code_) {
    last_task_code_ = entry.task_code;
    last_code_ = wire::rpc_code_from_name(entry.task_code);
  }
  return last_code_;
}

Result<void> Duplication::apply(const DuplicateEntryView& entry) {
  switch (code_of(entry)) {
    case RpcCode::kPut: return put(entry);
    case RpcCode::kMultiPut: return multi_put(entry);
    case RpcCode::kRemove: return remove(entry);
    case RpcCode::kMultiRemove: return multi_remove(entry);
    default: return fail(refuse("unrecognized task code " + base::printable(entry.task_code)));
  }
}

Result<void> Duplication::put(const DuplicateEntryView& entry) {
  auto put = wire::decode_put(entry.raw_message);
  if (!put || !record::split_key(put->key)) return fail(refuse("malformed PUT"));
  return put_row(entry, put->key, put->value, put->expire_ts);
}

// Real servers give a MULTI_PUT or MULTI_REMOVE without rows a decree, though they refuse it, and
// ship it: a refusal would end them.
Result<void> Duplication::multi_put(const DuplicateEntryView& entry) {
  auto put = wire::decode_multi_put(entry.raw_message);
  if (put && put->rows.empty()) return {};
  if (!put || !record::check_hash_key(put->hash_key)) return fail(refuse("malformed MULTI_PUT"));
  std::string key;
  for (const auto& row : put->rows) {
    key.clear();
    record::append_key(key, put->hash_key, row.key);
    TRY(put_row(entry, key, row.value, put->expire_ts));
  }
  return {};
}

Result<void> Duplication::remove(const DuplicateEntryView& entry) {
  auto key = wire::decode_body<wire::blob>(entry.raw_message);
  if (!key || !record::split_key(key->data)) return fail(refuse("malformed REMOVE"));
  remove_row(key->data);
  return {};
}

Result<void> Duplication::multi_remove(const DuplicateEntryView& entry) {
  auto request = wire::decode_body<wire::multi_remove_request>(entry.raw_message);
  if (request && request->sort_keys.empty()) return {};
  if (!request || !record::check_hash_key(request->hash_key.data))
    return fail(refuse("malformed MULTI_REMOVE"));
  for (const auto& sort_key : request->sort_keys)
    remove_row(record::encode_key(request->hash_key.data, sort_key.data));
  return {};
}

Result<void> Duplication::put_row(const DuplicateEntryView& entry, std::string_view key,
                                  std::string_view value, uint32_t expire_ts) {
  auto timetag =
      record::make_timetag(uint64_t(entry.timestamp_us), uint8_t(entry.cluster_id), false);
  if (entry.verify_timetag && TRY(is_stale(key, timetag))) return {};
  if (expire_ts == 0) expire_ts = context_.default_expiry;
  batch_.put(key, value, expire_ts, timetag);
  if (remembers_) changed_[std::string(key)] = Standing{timetag, expire_ts};
  return {};
}

void Duplication::remove_row(std::string_view key) {
  batch_.remove(key);
  if (remembers_) changed_[std::string(key)] = std::nullopt;
}

// Databases of data version 0 have no timetags: every put is applied there.
Result<bool> Duplication::is_stale(std::string_view key, uint64_t timetag) const {
  if (context_.db.data_version() < 1) return false;
  std::optional<Standing> standing;
  if (auto found = changed_.find(std::string(key)); found != changed_.end()) {
    standing = found->second;
  } else if (auto row = TRY(context_.db.get(key))) {
    standing = Standing{row->timetag(), row->expire_ts()};
  }
  return standing && !record::is_expired(standing->expire_ts, context_.now) &&
         standing->timetag >= timetag;
}

StorageStatus status_of(const Error& error, const ClusterIds& clusters) {
  if (error.code() == Code::kInvalidArgument)
    return clusters.refuses_for_now ? StorageStatus::kTryAgain : StorageStatus::kInvalidArgument;
  return error.code() == Code::kCorrupt ? StorageStatus::kCorruption : StorageStatus::kIoError;
}

}  // namespace

std::string apply_duplicate(const DuplicateContext& context, std::string_view body,
                            store::WriteBatch& batch) {
  wire::duplicate_response response;
  response.__set_error(int32_t(StorageStatus::kOk));
  Duplication duplication(context, batch);
  if (auto applied = duplication.apply(body); !applied) {
    batch.clear();
    response.__set_error(int32_t(status_of(applied.error(), context.clusters)));
    response.__set_error_hint(applied.error().message());
  } else if (context.metrics) {
    duplication.count(*context.metrics);
  }
  return wire::encode_body(response);
}

}  // namespace pegmove::server::replica
