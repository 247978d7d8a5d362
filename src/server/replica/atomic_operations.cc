#include "server/replica/atomic_operations.h"

#include "base/units.h"
#include "data_types.h"
#include "record/expiry.h"
#include "record/key.h"
#include "record/value.h"
#include "server/replica/checks.h"
#include "wire/row_messages.h"
#include "wire/thrift_codec.h"

namespace pegmove::server::replica {
namespace {

using wire::RpcCode;
using wire::StorageStatus;

template <typename Response>
Response addressed(const AtomicContext& context) {
  Response response;
  response.error = int32_t(StorageStatus::kOk);
  response.app_id = context.gpid.app_id;
  response.partition_index = context.gpid.partition_index;
  response.decree = context.decree;
  response.server = context.server;
  return response;
}

int32_t status_of(const Error& error) {
  return int32_t(error.code() == Code::kCorrupt ? StorageStatus::kCorruption
                                                : StorageStatus::kIoError);
}

Result<std::optional<store::StoredValue>> live_row(const AtomicContext& context,
                                                   std::string_view key) {
  auto row = TRY(context.db.get(key));
  if (row && record::is_expired(row->expire_ts(), context.now)) row.reset();
  return row;
}

void put(const AtomicContext& context, std::string_view key, std::string_view value,
         uint32_t expire_ts, store::WriteBatch& batch) {
  if (expire_ts == 0) expire_ts = context.default_expiry;
  const auto timestamp_us = context.outcomes ? uint64_t(context.timestamp_us) : 0;
  batch.put(key, value, expire_ts, record::make_timetag(timestamp_us, context.cluster_id, false));
  if (!context.outcomes) return;
  auto& outcome = context.outcomes->emplace_back();
  wire::append_put(outcome.body, {.key = key, .value = value, .expire_ts = expire_ts}, 0);
}

void remove(const AtomicContext& context, const std::string& key, store::WriteBatch& batch) {
  batch.remove(key);
  if (context.outcomes)
    context.outcomes->push_back({store::LoggedCode::kRemove, wire::encode_body(wire::blob{key})});
}

// The counter's new expiry: 0 in the request keeps the old one, a negative number removes it.
uint32_t expiry_of_counter(int32_t requested, const std::optional<store::StoredValue>& row) {
  if (requested > 0) return uint32_t(requested);
  return requested == 0 && row ? row->expire_ts() : 0;
}

wire::incr_response incr(const AtomicContext& context, const wire::incr_request& request,
                         store::WriteBatch& batch) {
  auto response = addressed<wire::incr_response>(context);
  const auto& key = request.key.data;
  response.error = int32_t(StorageStatus::kInvalidArgument);
  if (!record::split_key(key)) return response;
  auto row = live_row(context, key);
  if (!row) {
    response.error = status_of(row.error());
    return response;
  }
  int64_t base = 0;
  if (*row && !(*row)->user_data().empty()) {
    auto number = base::parse_c_integer((*row)->user_data());
    if (!number) return response;
    base = *number;
  }
  if (__builtin_add_overflow(base, request.increment, &response.new_value)) {
    response.new_value = base;
    return response;
  }
  response.error = int32_t(StorageStatus::kOk);
  put(context, key, std::to_string(response.new_value),
      expiry_of_counter(request.expire_ts_seconds, *row), batch);
  return response;
}

// Reads the checked row and evaluates the check; fills error and the check_value fields of the
// response. True: the write should proceed.
template <typename Request, typename Response>
bool passes_check(const AtomicContext& context, const Request& request, Response& response) {
  response.error = int32_t(StorageStatus::kInvalidArgument);
  if (!is_check_type(request.check_type)) return false;
  auto row =
      live_row(context, record::encode_key(request.hash_key.data, request.check_sort_key.data));
  if (!row) {
    response.error = status_of(row.error());
    return false;
  }
  std::optional<std::string_view> value;
  if (*row) value = (*row)->user_data();
  response.check_value_returned = request.return_check_value;
  if (request.return_check_value && value) {
    response.check_value_exist = true;
    response.check_value.data = *value;
  }
  auto result = check(request.check_type, request.check_operand.data, value);
  if (result == CheckResult::kInvalid) return false;
  response.error =
      int32_t(result == CheckResult::kPassed ? StorageStatus::kOk : StorageStatus::kTryAgain);
  return result == CheckResult::kPassed;
}

wire::check_and_set_response check_and_set(const AtomicContext& context,
                                           const wire::check_and_set_request& request,
                                           store::WriteBatch& batch) {
  auto response = addressed<wire::check_and_set_response>(context);
  response.error = int32_t(StorageStatus::kInvalidArgument);
  if (!record::check_hash_key(request.hash_key.data)) return response;
  if (!passes_check(context, request, response)) return response;
  const auto& sort_key = request.set_diff_sort_key ? request.set_sort_key : request.check_sort_key;
  put(context, record::encode_key(request.hash_key.data, sort_key.data), request.set_value.data,
      uint32_t(request.set_expire_ts_seconds), batch);
  return response;
}

bool are_mutations(const std::vector<wire::mutate>& mutations) {
  return !mutations.empty() && std::ranges::all_of(mutations, [](const auto& mutation) {
    return mutation.operation == wire::MO_PUT || mutation.operation == wire::MO_DELETE;
  });
}

wire::check_and_mutate_response check_and_mutate(const AtomicContext& context,
                                                 const wire::check_and_mutate_request& request,
                                                 store::WriteBatch& batch) {
  auto response = addressed<wire::check_and_mutate_response>(context);
  const auto& hash_key = request.hash_key.data;
  response.error = int32_t(StorageStatus::kInvalidArgument);
  if (!record::check_hash_key(hash_key) || !are_mutations(request.mutate_list)) return response;
  if (!passes_check(context, request, response)) return response;
  for (const auto& mutation : request.mutate_list) {
    auto key = record::encode_key(hash_key, mutation.sort_key.data);
    if (mutation.operation == wire::MO_PUT)
      put(context, key, mutation.value.data, uint32_t(mutation.set_expire_ts_seconds), batch);
    else
      remove(context, key, batch);
  }
  return response;
}

// A request that does not decode is refused like an invalid one.
template <typename Request, typename Response>
std::string with_request(const AtomicContext& context, std::string_view body,
                         Response (*operation)(const AtomicContext&, const Request&,
                                               store::WriteBatch&),
                         store::WriteBatch& batch) {
  auto request = wire::decode_body<Request>(body);
  if (request) return wire::encode_body(operation(context, *request, batch));
  auto refused = addressed<Response>(context);
  refused.error = int32_t(StorageStatus::kInvalidArgument);
  return wire::encode_body(refused);
}

}  // namespace

std::string apply_atomic(const AtomicContext& context, RpcCode code, std::string_view body,
                         store::WriteBatch& batch) {
  switch (code) {
    case RpcCode::kIncr: return with_request(context, body, incr, batch);
    case RpcCode::kCheckAndSet: return with_request(context, body, check_and_set, batch);
    default: return with_request(context, body, check_and_mutate, batch);
  }
}

}  // namespace pegmove::server::replica
