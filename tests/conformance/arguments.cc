#include "arguments.h"

#include <algorithm>
#include <limits>

#include "base/units.h"
#include "record/key.h"

namespace pegmove::conformance {
namespace {

constexpr auto kLeast = std::numeric_limits<int64_t>::min();
constexpr auto kMost = std::numeric_limits<int64_t>::max();

bool is_tuple(const Value& value, size_t least, size_t most) {
  return value.kind == Value::Kind::kTuple && value.items.size() >= least &&
         value.items.size() <= most && std::ranges::all_of(value.items, [](const auto& item) {
           return item.kind == Value::Kind::kText;
         });
}

}  // namespace

const Value* Arguments::value(const std::string& name) {
  asked_for_.insert(name);
  return find(step_.arguments, name);
}

void Arguments::wrong(const std::string& what) {
  if (wrong_.empty()) wrong_ = what;
}

Result<void> Arguments::check() {
  for (const auto& [name, value] : step_.arguments)
    if (!asked_for_.contains(name)) wrong("the operation has no argument '" + name + "'");
  if (!wrong_.empty())
    return fail(Code::kInvalidArgument, step_.place + ": " + step_.operation + ": " + wrong_);
  return {};
}

std::string Arguments::bytes(const std::string& name) {
  const auto* found = value(name);
  if (!found) return {};
  if (found->kind != Value::Kind::kText) wrong(name + " must be one text");
  return found->text;
}

int64_t Arguments::number(const std::string& name, int64_t otherwise) {
  const auto* found = value(name);
  if (!found) return otherwise;
  auto number = base::parse_integer(found->text, kLeast, kMost);
  if (!number) wrong(name + ": " + number.error().to_string());
  return number.value_or(otherwise);
}

bool Arguments::flag(const std::string& name, bool otherwise) {
  const auto* found = value(name);
  if (!found) return otherwise;
  if (found->text != "true" && found->text != "false") wrong(name + " must be true or false");
  return found->text == "true";
}

client::RowKey Arguments::key_of(const std::string& name, const Value* value) {
  if (!value || !is_tuple(*value, 2, 2)) {
    wrong(name + " must be HASH_KEY:SORT_KEY");
    return {};
  }
  return names_.key(value->items[0].text, value->items[1].text);
}

std::vector<client::RowKey> Arguments::keys(const std::string& name) {
  std::vector<client::RowKey> out;
  if (const auto* found = value(name))
    for (const auto& item : found->items) out.push_back(key_of(name, &item));
  return out;
}

std::vector<std::string> Arguments::byte_list(const std::string& name) {
  std::vector<std::string> out;
  if (const auto* found = value(name))
    for (const auto& item : found->items) out.push_back(item.text);
  return out;
}

std::vector<client::SortValue> Arguments::rows(const std::string& name) {
  std::vector<client::SortValue> out;
  const auto* found = value(name);
  if (!found) return out;
  for (const auto& item : found->items) {
    if (is_tuple(item, 2, 2))
      out.push_back({item.items[0].text, item.items[1].text});
    else
      wrong(name + " must be [SORT_KEY:VALUE, ...]");
  }
  return out;
}

uint32_t Arguments::expiry_of(const Value* value) {
  if (!value) return 0;
  auto text = std::string_view(value->text);
  bool relative = text.starts_with("now");
  if (relative) text.remove_prefix(3);
  bool plus = text.starts_with('+');
  if (plus) text.remove_prefix(1);
  auto number = base::parse_integer(text, std::numeric_limits<int32_t>::min(),
                                    std::numeric_limits<int32_t>::max());
  if (!number) wrong("no expiry: " + value->text);
  return uint32_t(number.value_or(0)) + (relative ? now_ : 0);
}

int64_t Arguments::choice_of(const std::string& word, const std::vector<std::string_view>& words) {
  auto found = std::ranges::find(words, word);
  if (found != words.end()) return found - words.begin();
  auto number = base::parse_integer(word, std::numeric_limits<int32_t>::min(),
                                    std::numeric_limits<int32_t>::max());
  if (!number) wrong("no such word: " + word);
  return number.value_or(0);
}

int64_t Arguments::choice(const std::string& name, const std::vector<std::string_view>& words) {
  const auto* found = value(name);
  return found ? choice_of(found->text, words) : 0;
}

FilterArgument Arguments::filter(const std::string& name, bool hash_key) {
  const auto* found = value(name);
  if (!found) return {};
  if (!is_tuple(*found, 2, 2)) {
    wrong(name + " must be TYPE:PATTERN");
    return {};
  }
  FilterArgument out{
      int(choice_of(found->items[0].text, {"none", "anywhere", "prefix", "postfix"})),
      found->items[1].text};
  if (hash_key && out.type == int(client::Filter::kPrefix))
    out.pattern = names_.hash_key_prefix(out.pattern);
  return out;
}

std::string Arguments::raw_key(const std::string& name) {
  const auto* found = value(name);
  if (found && found->kind == Value::Kind::kText) return found->text;
  auto parts = key_of(name, found);
  if (!record::check_hash_key(parts.hash_key)) {
    wrong(name + ": the hash key is too long");
    return {};
  }
  return record::encode_key(parts.hash_key, parts.sort_key);
}

std::vector<client::Mutation> Arguments::mutations(const std::string& name) {
  std::vector<client::Mutation> out;
  const auto* found = value(name);
  if (!found) return out;
  for (const auto& item : found->items) {
    if (!is_tuple(item, 2, 4)) {
      wrong(name + " must be [put:SORT_KEY:VALUE:EXPIRY, delete:SORT_KEY, ...]");
      continue;
    }
    auto& mutation = out.emplace_back();
    mutation.kind = client::Mutation::Kind(choice_of(item.items[0].text, {"put", "delete"}));
    mutation.sort_key = item.items[1].text;
    if (item.items.size() > 2) mutation.value = item.items[2].text;
    if (item.items.size() > 3) mutation.expire_ts = expiry_of(&item.items[3]);
  }
  return out;
}

}  // namespace pegmove::conformance
