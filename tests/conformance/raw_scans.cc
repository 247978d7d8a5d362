#include "raw_scans.h"

#include "base/units.h"
#include "data_types.h"
#include "raw_call.h"
#include "record/key.h"

namespace pegmove::conformance {
namespace {

using client::RowKey;
using wire::RpcCode;

constexpr int64_t kEnd = -1;
constexpr int64_t kNone = 0;

struct ScanContext {
  Arguments& arguments;
  Contexts& contexts;
  RawCall call;
  std::string save;
  bool with_expiry = false;
};

std::string meaning_of(int64_t context_id) {
  return context_id == kEnd ? "end" : context_id == kNone ? "none" : "more";
}

void add_rows(const ScanContext& context, const wire::scan_response& response,
              std::vector<Value>& rows, Answer& answer) {
  for (const auto& kv : response.kvs) {
    auto parts = record::split_key(kv.key.data);
    if (!parts) {
      answer.contradiction = "a row with a malformed key";
      continue;
    }
    auto key = context.arguments.names().names_of(
        {std::string(parts->hash_key), std::string(parts->sort_key)});
    if (!key) continue;
    auto row = Value::tuple(
        {Value::of(key->hash_key), Value::of(key->sort_key), Value::of(kv.value.data)});
    if (kv.__isset.expire_ts_seconds != context.with_expiry)
      answer.contradiction = "expire_ts_seconds is there, or missing, against what was asked";
    if (context.with_expiry) {
      auto expire_ts = uint32_t(kv.expire_ts_seconds);
      row.items.push_back(Value::of(
          expire_ts == 0 ? "never" : std::to_string(int64_t(expire_ts) - context.arguments.now()),
          false));
    }
    rows.push_back(std::move(row));
  }
}

Answer with_rows(ScanContext& context, Answer answer, const wire::scan_response& response) {
  std::vector<Value> rows;
  add_rows(context, response, rows, answer);
  answer.fields = {{"rows", Value::list(std::move(rows))},
                   {"context", Value::of(meaning_of(response.context_id), false)}};
  if (response.__isset.kv_count)
    answer.fields.emplace_back("kv_count", Value::of(std::to_string(response.kv_count), false));
  if (!context.save.empty()) context.contexts[context.save] = response.context_id;
  return answer;
}

wire::get_scanner_request scanner_request(ScanContext& context) {
  auto& arguments = context.arguments;
  wire::get_scanner_request request;
  request.start_key.data =
      arguments.has("start") ? arguments.raw_key("start") : std::string(2, '\0');
  auto start = record::split_key(request.start_key.data);
  if (arguments.has("stop"))
    request.stop_key.data = arguments.raw_key("stop");
  else
    request.stop_key.data =
        start && !start->hash_key.empty() ? record::next_hash_key(start->hash_key) : "\xff\xff";
  request.start_inclusive = arguments.flag("start_inclusive", true);
  request.stop_inclusive = arguments.flag("stop_inclusive");
  request.batch_size = int32_t(arguments.number("batch_size", 0));
  request.no_value = arguments.flag("no_value");
  auto hash_filter = arguments.filter("hash_filter", true),
       sort_filter = arguments.filter("sort_filter");
  request.hash_key_filter_type = wire::filter_type(hash_filter.type);
  request.hash_key_filter_pattern.data = hash_filter.pattern;
  request.sort_key_filter_type = wire::filter_type(sort_filter.type);
  request.sort_key_filter_pattern.data = sort_filter.pattern;
  if (arguments.has("validate_partition_hash"))
    request.__set_validate_partition_hash(arguments.flag("validate_partition_hash"));
  if (arguments.has("return_expire_ts"))
    request.__set_return_expire_ts(arguments.flag("return_expire_ts"));
  if (arguments.has("full_scan")) request.__set_full_scan(arguments.flag("full_scan"));
  if (arguments.has("only_return_count"))
    request.__set_only_return_count(arguments.flag("only_return_count"));
  context.with_expiry = request.return_expire_ts;
  return request;
}

RowKey place_of(const wire::get_scanner_request& request) {
  auto start = record::split_key(request.start_key.data);
  return start ? RowKey{std::string(start->hash_key), std::string(start->sort_key)} : RowKey{};
}

Result<Answer> get_scanner(ScanContext& context) {
  auto request = scanner_request(context);
  wire::scan_response response;
  auto answer =
      TRY(context.call.exchange(RpcCode::kGetScanner, request, place_of(request), response));
  return with_rows(context, std::move(answer), response);
}

Result<int64_t> context_of(ScanContext& context) {
  auto text = context.arguments.bytes("context");
  if (!text.starts_with('$')) return context.arguments.number("context", 0);
  auto found = context.contexts.find(text.substr(1));
  if (found == context.contexts.end())
    return fail(Code::kInvalidArgument, "no step has saved the context " + text);
  return found->second;
}

Result<Answer> scan(ScanContext& context) {
  wire::scan_request request;
  request.context_id = TRY(context_of(context));
  context.with_expiry = context.arguments.flag("return_expire_ts");
  wire::scan_response response;
  auto answer = TRY(context.call.exchange(RpcCode::kScan, request, {}, response));
  return with_rows(context, std::move(answer), response);
}

Result<Answer> clear_scanner(ScanContext& context) {
  std::string body;
  wire::append_i64_body(body, TRY(context_of(context)), 0);
  return context.call.send_only(RpcCode::kClearScanner, std::move(body), {});
}

Result<Answer> scan_all(ScanContext& context) {
  constexpr int kMostBatches = 1'000'000;
  auto request = scanner_request(context);
  auto place = place_of(request);
  wire::scan_response response;
  auto answer = TRY(context.call.exchange(RpcCode::kGetScanner, request, place, response));
  std::vector<Value> rows;
  int64_t count = 0;
  for (int batches = 0; answer.status == "0" && batches < kMostBatches; ++batches) {
    add_rows(context, response, rows, answer);
    count += response.kv_count;
    if (response.context_id == kEnd || response.context_id == kNone) break;
    wire::scan_request next;
    next.context_id = response.context_id;
    answer = TRY(context.call.exchange(RpcCode::kScan, next, place, response));
  }
  answer.fields = {{"rows", Value::list(std::move(rows))},
                   {"count", Value::of(std::to_string(count), false)}};
  return answer;
}

}  // namespace

bool is_scan(std::string_view operation) {
  return operation == "get_scanner" || operation == "scan" || operation == "clear_scanner" ||
         operation == "scan_all";
}

Result<Answer> carry_out_scan(const Session& session, Contexts& contexts, const Step& step,
                              Arguments& arguments) {
  ScanContext context{.arguments = arguments,
                      .contexts = contexts,
                      .call = RawCall(session, arguments),
                      .save = arguments.bytes("save")};
  if (step.operation == "get_scanner") return get_scanner(context);
  if (step.operation == "scan") return scan(context);
  if (step.operation == "clear_scanner") return clear_scanner(context);
  return scan_all(context);
}

}  // namespace pegmove::conformance
