#include "client_operations.h"

#include <set>

#include "client_scans.h"
#include "raw_operations.h"
#include "record/hash.h"
#include "record/key.h"

namespace pegmove::conformance {
namespace {

using client::RowKey;
using MaybeAnswer = Result<std::optional<Answer>>;

struct Context {
  const Session& session;
  const Step& step;
  Arguments& arguments;

  client::Table& table() { return *session.table; }
  Deadline deadline() { return session.deadline(); }
};

Value number(int64_t value) { return Value::of(std::to_string(value), false); }

// Runs the call; `describe` makes the answer of what it yields.
template <typename T, typename Describe>
MaybeAnswer result_of(Context& context, Task<T> task, Describe describe) {
  auto result = context.session.wait(std::move(task));
  if (!result) return TRY(answer_of(result.error()));
  return describe(*result);
}

Answer done(const client::OperationInfo& info) {
  Answer answer{.status = "0"};
  if (info.decree <= 0) answer.contradiction = "the decree is " + std::to_string(info.decree);
  return answer;
}

MaybeAnswer put(Context& context) {
  auto& arguments = context.arguments;
  auto key = arguments.key("key");
  auto value = arguments.bytes("value");
  auto expiry = arguments.expiry("expire");
  TRY(arguments.check());
  return result_of(
      context, context.table().set(key.hash_key, key.sort_key, value, expiry, context.deadline()),
      done);
}

MaybeAnswer remove(Context& context) {
  auto key = context.arguments.key("key");
  TRY(context.arguments.check());
  return result_of(context, context.table().del(key.hash_key, key.sort_key, context.deadline()),
                   done);
}

MaybeAnswer get(Context& context) {
  auto key = context.arguments.key("key");
  TRY(context.arguments.check());
  return result_of(context, context.table().get(key.hash_key, key.sort_key, context.deadline()),
                   [](const client::GetResult& result) {
                     return Answer{.status = result.value ? "0" : "1",
                                   .fields = {{"value", Value::of(result.value.value_or(""))}}};
                   });
}

MaybeAnswer ttl(Context& context) {
  auto key = context.arguments.key("key");
  TRY(context.arguments.check());
  return result_of(context, context.table().ttl(key.hash_key, key.sort_key, context.deadline()),
                   [](const client::TtlResult& result) {
                     return Answer{.status = result.seconds ? "0" : "1",
                                   .fields = {{"ttl", number(result.seconds.value_or(0))}}};
                   });
}

MaybeAnswer multi_put(Context& context) {
  auto& arguments = context.arguments;
  auto hash_key = arguments.hash_key("hash");
  auto rows = arguments.rows("rows");
  auto expiry = arguments.expiry("expire");
  TRY(arguments.check());
  return result_of(context, context.table().multi_set(hash_key, rows, expiry, context.deadline()),
                   done);
}

MaybeAnswer multi_remove(Context& context) {
  auto& arguments = context.arguments;
  auto hash_key = arguments.hash_key("hash");
  auto sort_keys = arguments.byte_list("sort_keys");
  TRY(arguments.check());
  return result_of(context, context.table().multi_del(hash_key, sort_keys, context.deadline()),
                   [](const client::CountResult& result) {
                     auto answer = done(result.info);
                     answer.fields = {{"count", number(result.count)}};
                     return answer;
                   });
}

MaybeAnswer multi_get(Context& context) {
  auto& arguments = context.arguments;
  auto hash_key = arguments.hash_key("hash");
  auto filter = arguments.filter("filter");
  client::MultiGetOptions options{
      .sort_keys = arguments.byte_list("sort_keys"),
      .start_sort_key = arguments.bytes("start"),
      .stop_sort_key = arguments.bytes("stop"),
      .start_inclusive = arguments.flag("start_inclusive", true),
      .stop_inclusive = arguments.flag("stop_inclusive"),
      .sort_key_filter = client::Filter(filter.type),
      .sort_key_pattern = filter.pattern,
      .max_rows = int32_t(arguments.number("max_kv_count", 0)),
      .max_bytes = int32_t(arguments.number("max_kv_size", 0)),
      .no_value = arguments.flag("no_value"),
      .reverse = arguments.flag("reverse"),
  };
  TRY(arguments.check());
  return result_of(
      context, context.table().multi_get(hash_key, options, context.deadline()),
      [](const client::MultiGetResult& result) {
        std::vector<Value> rows;
        for (const auto& row : result.rows)
          rows.push_back(Value::tuple({Value::of(row.sort_key), Value::of(row.value)}));
        return Answer{.status = result.complete ? "0" : "7",
                      .fields = {{"rows", Value::list(std::move(rows))}}};
      });
}

// Over several partitions the order of the result is that of the partitions, and each is asked with
// its own keys: nothing to compare with one raw request.
bool are_in_one_partition(Context& context, const std::vector<RowKey>& keys) {
  std::set<int32_t> partitions;
  for (const auto& key : keys)
    partitions.insert(record::partition_index(record::key_hash(key.hash_key, key.sort_key),
                                              context.table().partition_count()));
  return partitions.size() == 1;
}

MaybeAnswer batch_get(Context& context) {
  auto& arguments = context.arguments;
  auto keys = arguments.keys("keys");
  TRY(arguments.check());
  if (!are_in_one_partition(context, keys)) return std::nullopt;
  return result_of(
      context, context.table().batch_get(keys, context.deadline()),
      [&](const std::vector<client::FoundRow>& found) {
        Answer answer{.status = "0"};
        std::vector<Value> rows;
        for (const auto& row : found) {
          auto key = arguments.names().names_of({row.hash_key, row.sort_key});
          if (!key) answer.contradiction = "a row that was not asked for";
          if (key)
            rows.push_back(Value::tuple(
                {Value::of(key->hash_key), Value::of(key->sort_key), Value::of(row.value)}));
        }
        answer.fields = {{"rows", Value::list(std::move(rows))}};
        return answer;
      });
}

MaybeAnswer sortkey_count(Context& context) {
  auto hash_key = context.arguments.hash_key("hash");
  TRY(context.arguments.check());
  return result_of(context, context.table().sort_key_count(hash_key, context.deadline()),
                   [](const client::CountResult& result) {
                     return Answer{.status = "0", .fields = {{"count", number(result.count)}}};
                   });
}

MaybeAnswer incr(Context& context) {
  auto& arguments = context.arguments;
  auto key = arguments.key("key");
  auto increment = arguments.number("increment", 0);
  auto expiry = int32_t(arguments.expiry("expire"));
  TRY(arguments.check());
  return result_of(
      context,
      context.table().incr(key.hash_key, key.sort_key, increment, expiry, context.deadline()),
      [](const client::IncrResult& result) {
        auto answer = done(result.info);
        answer.fields = {{"new_value", number(result.new_value)}};
        return answer;
      });
}

client::Check check_of(Arguments& arguments) {
  return {.type = client::CheckType(arguments.choice("check", check_names())),
          .sort_key = arguments.bytes("check_sort_key"),
          .operand = arguments.bytes("operand"),
          .return_value = arguments.flag("return_check_value")};
}

Answer check_answer(const client::CheckResult& result) {
  auto truth = [](bool value) { return Value::of(value ? "true" : "false", false); };
  return {.status = result.passed ? "0" : "13",
          .fields = {{"check_value_returned", truth(result.value_returned)},
                     {"check_value_exist", truth(result.checked_value.has_value())},
                     {"check_value", Value::of(result.checked_value.value_or(""))}}};
}

MaybeAnswer check_and_set(Context& context) {
  auto& arguments = context.arguments;
  auto hash_key = arguments.hash_key("hash");
  auto check = check_of(arguments);
  bool other = arguments.flag("set_diff_sort_key");
  auto sort_key = arguments.bytes("set_sort_key");
  // The library says "another sort key" only when it is one.
  if (other ? sort_key == check.sort_key : !sort_key.empty()) return std::nullopt;
  client::SortValue row{other ? sort_key : check.sort_key, arguments.bytes("set_value")};
  auto expiry = arguments.expiry("expire");
  TRY(arguments.check());
  return result_of(context,
                   context.table().check_and_set(hash_key, check, row, expiry, context.deadline()),
                   check_answer);
}

MaybeAnswer check_and_mutate(Context& context) {
  auto& arguments = context.arguments;
  auto hash_key = arguments.hash_key("hash");
  auto check = check_of(arguments);
  auto mutations = arguments.mutations("mutations");
  TRY(arguments.check());
  return result_of(context,
                   context.table().check_and_mutate(hash_key, check, mutations, context.deadline()),
                   check_answer);
}

using Operation = MaybeAnswer (*)(Context&);
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
};

// What the library has no words for.
bool can_say(const Step& step, bool is_scan) {
  for (const char* argument :
       {"raw", "partition_hash", "gpid", "body", "row_expire", "max_count", "save"})
    if (find(step.arguments, argument)) return false;
  if (!is_scan && find(step.arguments, "at")) return false;
  const auto* hash = find(step.arguments, "hash");
  const auto* key = find(step.arguments, "key");
  if (hash && (hash->text.empty() || !record::check_hash_key(hash->text))) return false;
  if (key && !key->items.empty() && !record::check_hash_key(key->items[0].text)) return false;
  // Of a refusal it passes on the status only.
  bool passed_on = step.status == "0" || step.status == "1" || step.status == "7" ||
                   step.status == "13" || step.expected.empty();
  return passed_on;
}

}  // namespace

MaybeAnswer carry_out_with_client(const Session& session, const Step& step, Arguments& arguments) {
  bool is_scan = step.operation == "get_scanner" || step.operation == "scan_all";
  if (!can_say(step, is_scan)) return std::nullopt;
  if (is_scan) return scan_with_client(session, step, arguments);
  auto found = kOperations.find(step.operation);
  if (found == kOperations.end()) return std::nullopt;
  Context context{session, step, arguments};
  return found->second(context);
}

}  // namespace pegmove::conformance
