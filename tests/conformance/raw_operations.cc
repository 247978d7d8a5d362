#include "raw_operations.h"

#include "data_types.h"
#include "raw_call.h"
#include "raw_scans.h"
#include "record/key.h"

namespace pegmove::conformance {
namespace {

using client::RowKey;
using wire::RpcCode;

struct Context {
  const Session& session;
  Arguments& arguments;
  RawCall call;
};

Value number(int64_t value) { return Value::of(std::to_string(value), false); }
Value truth(bool value) { return Value::of(value ? "true" : "false", false); }

// key=h:s, or the bytes as they are (then `at` says where to).
std::pair<std::string, RowKey> raw_key_of(Arguments& arguments) {
  if (arguments.has("raw")) return {arguments.bytes("raw"), {}};
  auto key = arguments.key("key");
  // Longer hash keys are for servers that refuse them: the length wraps as it does in clients that
  // do not look.
  if (!record::check_hash_key(key.hash_key)) return {"\xff\xff" + key.hash_key + key.sort_key, key};
  return {record::encode_key(key.hash_key, key.sort_key), key};
}

Result<Answer> put(Context& context) {
  auto& arguments = context.arguments;
  wire::update_request request;
  auto [raw, key] = raw_key_of(arguments);
  request.key.data = raw;
  request.value.data = arguments.bytes("value");
  request.expire_ts_seconds = int32_t(arguments.expiry("expire"));
  wire::update_response response;
  return context.call.exchange(RpcCode::kPut, request, key, response);
}

Result<Answer> remove(Context& context) {
  auto [raw, key] = raw_key_of(context.arguments);
  wire::update_response response;
  return context.call.exchange(RpcCode::kRemove, wire::blob{raw}, key, response);
}

Result<Answer> get(Context& context) {
  auto [raw, key] = raw_key_of(context.arguments);
  wire::read_response response;
  auto answer = TRY(context.call.exchange(RpcCode::kGet, wire::blob{raw}, key, response));
  answer.fields = {{"value", Value::of(response.value.data)}};
  return answer;
}

Result<Answer> ttl(Context& context) {
  auto [raw, key] = raw_key_of(context.arguments);
  wire::ttl_response response;
  auto answer = TRY(context.call.exchange(RpcCode::kTtl, wire::blob{raw}, key, response));
  answer.fields = {{"ttl", number(response.ttl_seconds)}};
  return answer;
}

Result<Answer> multi_put(Context& context) {
  auto& arguments = context.arguments;
  wire::multi_put_request request;
  request.hash_key.data = arguments.hash_key("hash");
  for (auto& row : arguments.rows("rows")) {
    auto& kv = request.kvs.emplace_back();
    kv.key.data = row.sort_key;
    kv.value.data = row.value;
    // Belongs to the request as a whole; here it is to be overlooked.
    if (arguments.has("row_expire"))
      kv.__set_expire_ts_seconds(int32_t(arguments.expiry("row_expire")));
  }
  request.expire_ts_seconds = int32_t(arguments.expiry("expire"));
  wire::update_response response;
  return context.call.exchange(RpcCode::kMultiPut, request, {request.hash_key.data, ""}, response);
}

Result<Answer> multi_remove(Context& context) {
  auto& arguments = context.arguments;
  wire::multi_remove_request request;
  request.hash_key.data = arguments.hash_key("hash");
  for (auto& key : arguments.byte_list("sort_keys")) request.sort_keys.push_back({key});
  request.max_count = arguments.number("max_count", 0);
  wire::multi_remove_response response;
  auto answer = TRY(
      context.call.exchange(RpcCode::kMultiRemove, request, {request.hash_key.data, ""}, response));
  answer.fields = {{"count", number(response.count)}};
  return answer;
}

Result<Answer> multi_get(Context& context) {
  auto& arguments = context.arguments;
  wire::multi_get_request request;
  request.hash_key.data = arguments.hash_key("hash");
  for (auto& key : arguments.byte_list("sort_keys")) request.sort_keys.push_back({key});
  request.max_kv_count = int32_t(arguments.number("max_kv_count", 0));
  request.max_kv_size = int32_t(arguments.number("max_kv_size", 0));
  request.no_value = arguments.flag("no_value");
  request.start_sortkey.data = arguments.bytes("start");
  request.stop_sortkey.data = arguments.bytes("stop");
  request.start_inclusive = arguments.flag("start_inclusive", true);
  request.stop_inclusive = arguments.flag("stop_inclusive");
  auto filter = arguments.filter("filter");
  request.sort_key_filter_type = wire::filter_type(filter.type);
  request.sort_key_filter_pattern.data = filter.pattern;
  request.reverse = arguments.flag("reverse");
  wire::multi_get_response response;
  auto answer = TRY(
      context.call.exchange(RpcCode::kMultiGet, request, {request.hash_key.data, ""}, response));
  std::vector<Value> rows;
  for (const auto& kv : response.kvs)
    rows.push_back(Value::tuple({Value::of(kv.key.data), Value::of(kv.value.data)}));
  answer.fields = {{"rows", Value::list(std::move(rows))}};
  return answer;
}

Result<Answer> batch_get(Context& context) {
  auto& arguments = context.arguments;
  wire::batch_get_request request;
  auto keys = arguments.keys("keys");
  for (auto& key : keys) {
    auto& full = request.keys.emplace_back();
    full.hash_key.data = key.hash_key;
    full.sort_key.data = key.sort_key;
  }
  wire::batch_get_response response;
  auto answer = TRY(context.call.exchange(RpcCode::kBatchGet, request,
                                          keys.empty() ? RowKey{} : keys.front(), response));
  std::vector<Value> rows;
  for (const auto& row : response.data) {
    auto key = arguments.names().names_of({row.hash_key.data, row.sort_key.data});
    if (!key) answer.contradiction = "a row that was not asked for";
    if (key)
      rows.push_back(Value::tuple(
          {Value::of(key->hash_key), Value::of(key->sort_key), Value::of(row.value.data)}));
  }
  answer.fields = {{"rows", Value::list(std::move(rows))}};
  return answer;
}

Result<Answer> sortkey_count(Context& context) {
  auto hash_key = context.arguments.hash_key("hash");
  wire::count_response response;
  auto answer = TRY(context.call.exchange(RpcCode::kSortkeyCount, wire::blob{hash_key},
                                          {hash_key, ""}, response));
  answer.fields = {{"count", number(response.count)}};
  return answer;
}

Result<Answer> incr(Context& context) {
  auto& arguments = context.arguments;
  wire::incr_request request;
  auto [raw, key] = raw_key_of(arguments);
  request.key.data = raw;
  request.increment = arguments.number("increment", 0);
  request.expire_ts_seconds = int32_t(arguments.expiry("expire"));
  wire::incr_response response;
  auto answer = TRY(context.call.exchange(RpcCode::kIncr, request, key, response));
  answer.fields = {{"new_value", number(response.new_value)}};
  return answer;
}

template <typename Request>
Request check_request(Arguments& arguments) {
  Request request;
  request.hash_key.data = arguments.hash_key("hash");
  request.check_sort_key.data = arguments.bytes("check_sort_key");
  request.check_type = wire::cas_check_type(arguments.choice("check", check_names()));
  request.check_operand.data = arguments.bytes("operand");
  request.return_check_value = arguments.flag("return_check_value");
  return request;
}

template <typename Response>
Answer with_check_value(Answer answer, const Response& response) {
  answer.fields = {{"check_value_returned", truth(response.check_value_returned)},
                   {"check_value_exist", truth(response.check_value_exist)},
                   {"check_value", Value::of(response.check_value.data)}};
  return answer;
}

Result<Answer> check_and_set(Context& context) {
  auto& arguments = context.arguments;
  auto request = check_request<wire::check_and_set_request>(arguments);
  request.set_diff_sort_key = arguments.flag("set_diff_sort_key");
  request.set_sort_key.data = arguments.bytes("set_sort_key");
  request.set_value.data = arguments.bytes("set_value");
  request.set_expire_ts_seconds = int32_t(arguments.expiry("expire"));
  wire::check_and_set_response response;
  return with_check_value(TRY(context.call.exchange(RpcCode::kCheckAndSet, request,
                                                    {request.hash_key.data, ""}, response)),
                          response);
}

Result<Answer> check_and_mutate(Context& context) {
  auto& arguments = context.arguments;
  auto request = check_request<wire::check_and_mutate_request>(arguments);
  for (const auto& mutation : arguments.mutations("mutations")) {
    auto& mutate = request.mutate_list.emplace_back();
    mutate.operation = wire::mutate_operation(mutation.kind);
    mutate.sort_key.data = mutation.sort_key;
    mutate.value.data = mutation.value;
    mutate.set_expire_ts_seconds = int32_t(mutation.expire_ts);
  }
  wire::check_and_mutate_response response;
  return with_check_value(TRY(context.call.exchange(RpcCode::kCheckAndMutate, request,
                                                    {request.hash_key.data, ""}, response)),
                          response);
}

// An administrative request, for headers that do not fit. The answer is of no interest unless it is
// an RPC-level error.
Result<Answer> query_config(Context& context) {
  wire::update_response ignored;
  return context.call.exchange(RpcCode::kQueryConfig, wire::blob{}, {}, ignored);
}

using Operation = Result<Answer> (*)(Context&);
const std::map<std::string_view, Operation> kOperations{
    {"put", put},
    {"remove", remove},
    {"get", get},
    {"ttl", ttl},
    {"multi_put", multi_put},
    {"multi_remove", multi_remove},
    {"multi_get", multi_get},
    {"batch_get", batch_get},
    {"sortkey_count", sortkey_count},
    {"incr", incr},
    {"check_and_set", check_and_set},
    {"check_and_mutate", check_and_mutate},
    {"query_config", query_config},
};

}  // namespace

bool is_read(std::string_view operation) {
  return operation == "get" || operation == "ttl" || operation == "multi_get" ||
         operation == "batch_get" || operation == "sortkey_count" || operation == "scan_all" ||
         operation == "get_scanner";
}

const std::vector<std::string_view>& check_names() {
  static const std::vector<std::string_view> kNames{"no_check",
                                                    "not_exist",
                                                    "not_exist_or_empty",
                                                    "exist",
                                                    "not_empty",
                                                    "match_anywhere",
                                                    "match_prefix",
                                                    "match_postfix",
                                                    "bytes_less",
                                                    "bytes_less_or_equal",
                                                    "bytes_equal",
                                                    "bytes_greater_or_equal",
                                                    "bytes_greater",
                                                    "int_less",
                                                    "int_less_or_equal",
                                                    "int_equal",
                                                    "int_greater_or_equal",
                                                    "int_greater"};
  return kNames;
}

Result<Answer> carry_out_raw(const Session& session, Contexts& contexts, const Step& step,
                             Arguments& arguments) {
  if (is_scan(step.operation)) return carry_out_scan(session, contexts, step, arguments);
  auto found = kOperations.find(step.operation);
  if (found == kOperations.end())
    return fail(Code::kInvalidArgument, step.place + ": no such operation: " + step.operation);
  Context context{session, arguments, RawCall(session, arguments)};
  return found->second(context);
}

}  // namespace pegmove::conformance
