#include "client/table.h"

#include <fmt/format.h>

#include <map>

#include "base/bytes.h"
#include "data_types.h"
#include "record/expiry.h"
#include "record/hash.h"
#include "record/key.h"

namespace pegmove::client {
namespace {

using wire::ErrorCode;
using wire::StorageStatus;

constexpr int32_t kOk = int32_t(StorageStatus::kOk);
constexpr int32_t kNotFound = int32_t(StorageStatus::kNotFound);
constexpr int32_t kTryAgain = int32_t(StorageStatus::kTryAgain);
constexpr int32_t kIncomplete = int32_t(StorageStatus::kIncomplete);

std::unexpected<Error> refused(int32_t status, std::string_view what) {
  return fail(wire::to_error(StorageStatus(status), what));
}

template <typename Response>
OperationInfo info_of(const Response& response) {
  OperationInfo info{.app_id = response.app_id,
                     .partition_index = response.partition_index,
                     .server = response.server};
  if constexpr (requires { response.decree; }) info.decree = response.decree;
  return info;
}

template <typename Request>
Request check_request(std::string& hash_key, Check& check) {
  Request request;
  request.hash_key.data = std::move(hash_key);
  request.check_sort_key.data = check.sort_key;
  request.check_type = wire::cas_check_type(check.type);
  request.check_operand.data = std::move(check.operand);
  request.return_check_value = check.return_value;
  return request;
}

template <typename Response>
Result<CheckResult> check_result(Response response, std::string_view what) {
  if (response.error != kOk && response.error != kTryAgain) return refused(response.error, what);
  CheckResult result{.passed = response.error == kOk,
                     .value_returned = response.check_value_returned,
                     .checked_value = std::nullopt,
                     .info = info_of(response)};
  if (response.check_value_returned && response.check_value_exist)
    result.checked_value = std::move(response.check_value.data);
  return result;
}

// A server's answer to a request that is too large does not say so.
Error explain_size(Error error, size_t bytes) {
  if (error.wire_code() != int(ErrorCode::kInvalidData)) return error;
  return Error(
             Code::kInvalidArgument,
             fmt::format("the row is too large: its write request has {} bytes, more than the "
                         "cluster allows ([replication] max_allowed_write_size, 1 MiB by default)",
                         bytes))
      .with_wire_code(int(ErrorCode::kInvalidData));
}

}  // namespace

Task<std::shared_ptr<Table>> Table::open(std::shared_ptr<Cluster> cluster, std::string name,
                                         Deadline deadline) {
  co_return std::make_shared<Table>(
      CO_TRY(co_await PartitionRouter::open(std::move(cluster), std::move(name), deadline)));
}

uint32_t Table::expire_after(int64_t seconds) {
  auto now = router_->cluster().client().clock().unix_seconds();
  return record::pegasus_seconds(now + seconds);
}

Result<Target> Table::target_of(std::string_view hash_key, std::string_view sort_key) const {
  TRY(record::check_hash_key(hash_key));
  return router_->target_of(record::key_hash(hash_key, sort_key));
}

template <typename Response, typename Request>
Task<Response> Table::call(Target target, wire::RpcCode code, Request request, Deadline deadline,
                           Repeat repeat) {
  auto body = wire::encode_body(request);
  auto size = body.size();
  auto reply = co_await router_->call(target, code, std::move(body), deadline, repeat);
  if (!reply) co_return fail(explain_size(std::move(reply).error(), size));
  co_return wire::decode_body<Response>(reply->body.view);
}

Task<OperationInfo> Table::set(std::string hash_key, std::string sort_key, std::string value,
                               uint32_t expire_ts, Deadline deadline) {
  auto target = CO_TRY(target_of(hash_key, sort_key));
  wire::update_request request;
  request.key.data = record::encode_key(hash_key, sort_key);
  request.value.data = std::move(value);
  request.expire_ts_seconds = int32_t(expire_ts);
  auto response =
      CO_TRY(co_await call<wire::update_response>(target, wire::RpcCode::kPut, request, deadline));
  if (response.error != kOk) co_return refused(response.error, "set");
  co_return info_of(response);
}

Task<GetResult> Table::get(std::string hash_key, std::string sort_key, Deadline deadline) {
  auto target = CO_TRY(target_of(hash_key, sort_key));
  wire::blob key{record::encode_key(hash_key, sort_key)};
  auto response =
      CO_TRY(co_await call<wire::read_response>(target, wire::RpcCode::kGet, key, deadline));
  if (response.error == kNotFound) co_return GetResult{std::nullopt, info_of(response)};
  if (response.error != kOk) co_return refused(response.error, "get");
  auto info = info_of(response);
  co_return GetResult{std::move(response.value.data), std::move(info)};
}

Task<OperationInfo> Table::del(std::string hash_key, std::string sort_key, Deadline deadline) {
  auto target = CO_TRY(target_of(hash_key, sort_key));
  wire::blob key{record::encode_key(hash_key, sort_key)};
  auto response =
      CO_TRY(co_await call<wire::update_response>(target, wire::RpcCode::kRemove, key, deadline));
  if (response.error != kOk) co_return refused(response.error, "del");
  co_return info_of(response);
}

Task<TtlResult> Table::ttl(std::string hash_key, std::string sort_key, Deadline deadline) {
  auto target = CO_TRY(target_of(hash_key, sort_key));
  wire::blob key{record::encode_key(hash_key, sort_key)};
  auto response =
      CO_TRY(co_await call<wire::ttl_response>(target, wire::RpcCode::kTtl, key, deadline));
  if (response.error == kNotFound) co_return TtlResult{std::nullopt, info_of(response)};
  if (response.error != kOk) co_return refused(response.error, "ttl");
  co_return TtlResult{response.ttl_seconds, info_of(response)};
}

Task<bool> Table::exist(std::string hash_key, std::string sort_key, Deadline deadline) {
  auto found = CO_TRY(co_await ttl(std::move(hash_key), std::move(sort_key), deadline));
  co_return found.seconds.has_value();
}

Task<OperationInfo> Table::multi_set(std::string hash_key, std::vector<SortValue> rows,
                                     uint32_t expire_ts, Deadline deadline) {
  if (hash_key.empty()) co_return fail(Code::kInvalidArgument, "hash key can't be empty");
  auto target = CO_TRY(target_of(hash_key, ""));
  wire::multi_put_request request;
  request.hash_key.data = std::move(hash_key);
  request.expire_ts_seconds = int32_t(expire_ts);
  for (auto& row : rows) {
    auto& kv = request.kvs.emplace_back();
    kv.key.data = std::move(row.sort_key);
    kv.value.data = std::move(row.value);
  }
  auto response = CO_TRY(
      co_await call<wire::update_response>(target, wire::RpcCode::kMultiPut, request, deadline));
  if (response.error != kOk) co_return refused(response.error, "multi_set");
  co_return info_of(response);
}

Task<MultiGetResult> Table::multi_get(std::string hash_key, MultiGetOptions options,
                                      Deadline deadline) {
  if (hash_key.empty()) co_return fail(Code::kInvalidArgument, "hash key can't be empty");
  auto target = CO_TRY(target_of(hash_key, ""));
  wire::multi_get_request request;
  request.hash_key.data = std::move(hash_key);
  for (auto& key : options.sort_keys) request.sort_keys.push_back({std::move(key)});
  request.max_kv_count = options.max_rows;
  request.max_kv_size = options.max_bytes;
  request.no_value = options.no_value;
  request.start_sortkey.data = std::move(options.start_sort_key);
  request.stop_sortkey.data = std::move(options.stop_sort_key);
  request.start_inclusive = options.start_inclusive;
  request.stop_inclusive = options.stop_inclusive;
  request.sort_key_filter_type = wire::filter_type(options.sort_key_filter);
  request.sort_key_filter_pattern.data = std::move(options.sort_key_pattern);
  request.reverse = options.reverse;
  auto response = CO_TRY(
      co_await call<wire::multi_get_response>(target, wire::RpcCode::kMultiGet, request, deadline));
  if (response.error != kOk && response.error != kIncomplete)
    co_return refused(response.error, "multi_get");
  MultiGetResult result{.rows = {}, .complete = response.error == kOk, .info = info_of(response)};
  for (auto& kv : response.kvs)
    result.rows.push_back({std::move(kv.key.data), std::move(kv.value.data)});
  co_return result;
}

Task<SortKeysResult> Table::multi_get_sort_keys(std::string hash_key, int32_t max_rows,
                                                int32_t max_bytes, Deadline deadline) {
  MultiGetOptions options{.max_rows = max_rows, .max_bytes = max_bytes, .no_value = true};
  auto found = CO_TRY(co_await multi_get(std::move(hash_key), std::move(options), deadline));
  SortKeysResult result{{}, found.complete, std::move(found.info)};
  for (auto& row : found.rows) result.sort_keys.push_back(std::move(row.sort_key));
  co_return result;
}

Task<CountResult> Table::multi_del(std::string hash_key, std::vector<std::string> sort_keys,
                                   Deadline deadline) {
  if (hash_key.empty()) co_return fail(Code::kInvalidArgument, "hash key can't be empty");
  auto target = CO_TRY(target_of(hash_key, ""));
  wire::multi_remove_request request;
  request.hash_key.data = std::move(hash_key);
  for (auto& key : sort_keys) request.sort_keys.push_back({std::move(key)});
  auto response = CO_TRY(co_await call<wire::multi_remove_response>(
      target, wire::RpcCode::kMultiRemove, request, deadline));
  if (response.error != kOk) co_return refused(response.error, "multi_del");
  co_return CountResult{response.count, info_of(response)};
}

Task<CountResult> Table::sort_key_count(std::string hash_key, Deadline deadline) {
  if (hash_key.empty()) co_return fail(Code::kInvalidArgument, "hash key can't be empty");
  auto target = CO_TRY(target_of(hash_key, ""));
  wire::blob key{std::move(hash_key)};
  auto response = CO_TRY(
      co_await call<wire::count_response>(target, wire::RpcCode::kSortkeyCount, key, deadline));
  if (response.error != kOk) co_return refused(response.error, "count");
  co_return CountResult{response.count, info_of(response)};
}

// nullopt: the table has moved to another partition count meanwhile, and the keys must be grouped
// again.
Task<std::optional<std::vector<FoundRow>>> Table::batch_get_once(const std::vector<RowKey>& keys,
                                                                 Deadline deadline) {
  const auto count = router_->partition_count();
  std::map<int32_t, std::pair<Target, wire::batch_get_request>> requests;
  for (const auto& key : keys) {
    auto target = CO_TRY(target_of(key.hash_key, key.sort_key));
    auto& request = requests[target.partition_index];
    request.first = {target.partition_index, target.partition_hash};
    auto& full = request.second.keys.emplace_back();
    full.hash_key.data = key.hash_key;
    full.sort_key.data = key.sort_key;
  }
  std::vector<FoundRow> rows;
  for (auto& [index, request] : requests) {
    if (router_->moves() > 0 && router_->partition_count() != count) co_return std::nullopt;
    auto response = co_await call<wire::batch_get_response>(request.first, wire::RpcCode::kBatchGet,
                                                            std::move(request.second), deadline);
    if (!response && router_->moves() > 0 && router_->partition_count() != count)
      co_return std::nullopt;
    if (!response) co_return fail(std::move(response).error());
    if (response->error != kOk) co_return refused(response->error, "batch_get");
    for (auto& row : response->data)
      rows.push_back(
          {std::move(row.hash_key.data), std::move(row.sort_key.data), std::move(row.value.data)});
  }
  co_return rows;
}

Task<std::vector<FoundRow>> Table::batch_get(std::vector<RowKey> keys, Deadline deadline) {
  while (true)
    if (auto rows = CO_TRY(co_await batch_get_once(keys, deadline))) co_return *std::move(rows);
}

Task<IncrResult> Table::incr(std::string hash_key, std::string sort_key, int64_t increment,
                             int32_t expire_ts, Deadline deadline) {
  auto target = CO_TRY(target_of(hash_key, sort_key));
  wire::incr_request request;
  request.key.data = record::encode_key(hash_key, sort_key);
  request.increment = increment;
  request.expire_ts_seconds = expire_ts;
  auto response = CO_TRY(co_await call<wire::incr_response>(target, wire::RpcCode::kIncr, request,
                                                            deadline, Repeat::kForbidden));
  if (response.error != kOk) co_return refused(response.error, "incr");
  co_return IncrResult{response.new_value, info_of(response)};
}

Task<CheckResult> Table::check_and_set(std::string hash_key, Check check, SortValue row,
                                       uint32_t expire_ts, Deadline deadline) {
  if (hash_key.empty()) co_return fail(Code::kInvalidArgument, "hash key can't be empty");
  auto target = CO_TRY(target_of(hash_key, ""));
  auto request = check_request<wire::check_and_set_request>(hash_key, check);
  request.set_diff_sort_key = row.sort_key != check.sort_key;
  if (request.set_diff_sort_key) request.set_sort_key.data = std::move(row.sort_key);
  request.set_value.data = std::move(row.value);
  request.set_expire_ts_seconds = int32_t(expire_ts);
  auto response = CO_TRY(co_await call<wire::check_and_set_response>(
      target, wire::RpcCode::kCheckAndSet, std::move(request), deadline, Repeat::kForbidden));
  co_return check_result(std::move(response), "check_and_set");
}

Task<CheckResult> Table::check_and_mutate(std::string hash_key, Check check,
                                          std::vector<Mutation> mutations, Deadline deadline) {
  if (hash_key.empty()) co_return fail(Code::kInvalidArgument, "hash key can't be empty");
  auto target = CO_TRY(target_of(hash_key, ""));
  auto request = check_request<wire::check_and_mutate_request>(hash_key, check);
  for (auto& mutation : mutations) {
    auto& mutate = request.mutate_list.emplace_back();
    mutate.operation = wire::mutate_operation(mutation.kind);
    mutate.sort_key.data = std::move(mutation.sort_key);
    if (mutation.kind == Mutation::Kind::kDel) continue;
    mutate.value.data = std::move(mutation.value);
    mutate.set_expire_ts_seconds = int32_t(mutation.expire_ts);
  }
  auto response = CO_TRY(co_await call<wire::check_and_mutate_response>(
      target, wire::RpcCode::kCheckAndMutate, std::move(request), deadline, Repeat::kForbidden));
  co_return check_result(std::move(response), "check_and_mutate");
}

Result<std::unique_ptr<Scanner>> Table::scan_hash_key(std::string_view hash_key,
                                                      std::string_view start_sort_key,
                                                      std::string_view stop_sort_key,
                                                      bool start_inclusive, bool stop_inclusive,
                                                      ScanOptions options) {
  if (hash_key.empty()) return fail(Code::kInvalidArgument, "hash key can't be empty");
  auto target = TRY(target_of(hash_key, ""));
  ScanRange range{.start = record::encode_key(hash_key, start_sort_key),
                  .stop = stop_sort_key.empty() ? record::next_hash_key(hash_key)
                                                : record::encode_key(hash_key, stop_sort_key),
                  .start_inclusive = start_inclusive,
                  .stop_inclusive = !stop_sort_key.empty() && stop_inclusive};
  return std::make_unique<Scanner>(router_, target, std::move(range), std::move(options));
}

std::unique_ptr<Scanner> Table::scan_range(Target target, ScanRange range, ScanOptions options) {
  return std::make_unique<Scanner>(router_, target, std::move(range), std::move(options));
}

std::unique_ptr<Scanner> Table::scan_partition(int32_t partition_index, ScanOptions options,
                                               std::string after) {
  ScanRange range{.start = std::string(2, '\0'), .stop = "\xff\xff"};
  if (!after.empty()) {
    range.start = std::move(after);
    range.start_inclusive = false;
  }
  options.full_scan = true;
  // Whole-partition scans are addressed by the partition's index instead of a key's hash.
  return std::make_unique<Scanner>(router_, Target{partition_index, uint64_t(partition_index)},
                                   std::move(range), std::move(options));
}

}  // namespace pegmove::client
