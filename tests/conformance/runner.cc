#include "runner.h"

#include <algorithm>
#include <limits>
#include <set>

#include "base/units.h"
#include "client_operations.h"
#include "raw_operations.h"
#include "record/key.h"

namespace pegmove::conformance {
namespace {

std::optional<int64_t> integer(std::string_view text) {
  auto number = base::parse_integer(text, std::numeric_limits<int64_t>::min(),
                                    std::numeric_limits<int64_t>::max());
  return number ? std::optional(*number) : std::nullopt;
}

// A bare word may be any, a..b (numbers), or a|b (either).
bool is_as(const Value& expected, const Value& actual) {
  using Kind = Value::Kind;
  if (expected.kind == Kind::kText && !expected.quoted) {
    auto text = std::string_view(expected.text);
    if (text == "any") return true;
    if (actual.kind != Kind::kText) return false;
    if (auto dots = text.find(".."); dots != std::string_view::npos) {
      auto least = integer(text.substr(0, dots)), most = integer(text.substr(dots + 2));
      auto number = integer(actual.text);
      return least && most && number && *least <= *number && *number <= *most;
    }
    if (auto bar = text.find('|'); bar != std::string_view::npos)
      return actual.text == text.substr(0, bar) || actual.text == text.substr(bar + 1);
  }
  if (expected.kind != actual.kind) return false;
  if (expected.kind == Kind::kText) return expected.text == actual.text;
  return std::ranges::equal(expected.items, actual.items, is_as);
}

std::string as_text(const Step& step) {
  auto out = step.operation;
  for (const auto& [name, value] : step.arguments) out += " " + name + "=" + value.to_string();
  return out;
}

// The hash keys that a step may write to, and the whole keys where the hash key is empty.
void note_written(const Step& step, const Names& names, std::set<std::string>& hash_keys,
                  std::vector<client::RowKey>& rows) {
  if (is_read(step.operation)) return;
  if (const auto* hash = find(step.arguments, "hash"); hash && !hash->text.empty())
    hash_keys.insert(names.hash_key(hash->text));
  const auto* key = find(step.arguments, "key");
  if (!key || key->items.size() != 2) return;
  auto row = names.key(key->items[0].text, key->items[1].text);
  if (row.hash_key.empty())
    rows.push_back(row);
  else
    hash_keys.insert(row.hash_key);
}

}  // namespace

std::string difference(const Step& step, const Answer& answer) {
  if (answer.status != step.status)
    return "expected status " + step.status + ", actual " + answer.status;
  if (!answer.contradiction.empty()) return answer.contradiction;
  for (const auto& [name, value] : step.expected) {
    const auto* actual = find(answer.fields, name);
    if (!actual)
      return "expected " + name + "=" + value.to_string() + ", the answer has no " + name;
    if (!is_as(value, *actual))
      return "expected " + name + "=" + value.to_string() + ", actual " + actual->to_string();
  }
  return {};
}

Result<void> Runner::run_step(const Step& step, const Names& names, Contexts& contexts,
                              CaseResult& result) {
  auto look_at = [&](const Answer& answer, const char* how) {
    auto wrong = difference(step, answer);
    if (!wrong.empty())
      result.failures.push_back(step.place + ": " + as_text(step) + " (" + how + "): " + wrong);
  };
  Arguments arguments(step, names, session_.now());
  auto through_client =
      TRY(in_context(carry_out_with_client(session_, step, arguments), step.place));
  if (through_client) look_at(*through_client, "client library");
  if (through_client && !is_read(step.operation)) return {};
  Arguments raw_arguments(step, names, session_.now());
  look_at(TRY(in_context(carry_out_raw(session_, contexts, step, raw_arguments), step.place)),
          "raw request");
  return {};
}

Result<CaseResult> Runner::run(const Case& one) {
  CaseResult result{.name = one.name};
  Names names(run_, ++cases_run_, one.one_partition, session_.table->partition_count());
  Contexts contexts;
  Result<void> ran;
  for (const auto& step : one.steps) {
    ran = run_step(step, names, contexts, result);
    if (!ran || !result.holds()) break;
  }
  TRY(in_context(clean_up(one, names), "removing the rows of case " + one.name));
  TRY(in_context(std::move(ran), "case " + one.name));
  return result;
}

Result<void> Runner::clean_up(const Case& one, const Names& names) {
  std::set<std::string> hash_keys;
  std::vector<client::RowKey> rows;
  for (const auto& step : one.steps) note_written(step, names, hash_keys, rows);
  for (const auto& hash_key : hash_keys)
    if (record::check_hash_key(hash_key)) TRY(remove_hash_key(hash_key));
  for (const auto& row : rows)
    TRY(session_.wait(session_.table->del(row.hash_key, row.sort_key, session_.deadline())));
  return {};
}

Result<void> Runner::remove_hash_key(const std::string& hash_key) {
  constexpr size_t kMostBytes = 256 << 10;
  for (bool complete = false; !complete;) {
    auto found = TRY(session_.wait(
        session_.table->multi_get_sort_keys(hash_key, 0, kMostBytes, session_.deadline())));
    complete = found.complete;
    if (found.sort_keys.empty()) break;
    TRY(session_.wait(session_.table->multi_del(hash_key, found.sort_keys, session_.deadline())));
  }
  return {};
}

}  // namespace pegmove::conformance
