#include "base/json_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/bytes.h"

namespace pegmove::base {
namespace {

// Compared in its own type: a large number is unsigned and would turn negative.
template <typename Json>
bool is_within(const Json& value, int64_t least, int64_t most) {
  if (!value.is_number_integer()) return false;
  if (value.is_number_unsigned())
    return most >= 0 && value.template get<uint64_t>() <= uint64_t(most) &&
           (least <= 0 || value.template get<uint64_t>() >= uint64_t(least));
  return value.template get<int64_t>() >= least && value.template get<int64_t>() <= most;
}

std::string_view as_view(const char* text) { return text; }

std::string integer_from(int64_t least, int64_t most) {
  return fmt::format("an integer from {} to {}", least, most);
}

}  // namespace

template <typename Json>
Result<JsonFieldsOf<Json>> JsonFieldsOf<Json>::of(const Json& object, std::string document,
                                                  Code code) {
  if (!object.is_object()) return fail(code, document + ": it is not a JSON object");
  return JsonFieldsOf(object, std::make_shared<const Document>(std::move(document), code), "");
}

template <typename Json>
std::unexpected<Error> JsonFieldsOf<Json>::error(const std::string& text) const {
  return fail(document_->code, fmt::format("{}: {}", document_->name, text));
}

template <typename Json>
std::unexpected<Error> JsonFieldsOf<Json>::wrong(std::string_view what) const {
  if (path_.empty()) return error(std::string(what));
  return error(fmt::format("'{}': {}", path_.substr(0, path_.size() - 1), what));
}

template <typename Json>
std::unexpected<Error> JsonFieldsOf<Json>::must_be(const char* name, std::string_view what) const {
  const auto* verb = has(name) ? "must be" : "is missing; it must be";
  return error(fmt::format("'{}{}' {} {}", path_, name, verb, what));
}

template <typename Json>
const Json* JsonFieldsOf<Json>::find(const char* name) const {
  const auto found = object_->find(name);
  return found == object_->end() ? nullptr : &*found;
}

template <typename Json>
bool JsonFieldsOf<Json>::has(const char* name) const {
  return find(name) != nullptr;
}

template <typename Json>
Result<void> JsonFieldsOf<Json>::only(std::initializer_list<const char*> names) const {
  for (const auto& [name, value] : object_->items())
    if (std::ranges::find(names, std::string_view(name), as_view) == names.end())
      return error(fmt::format("'{}{}' is not known", path_, printable(name)));
  return {};
}

template <typename Json>
Result<void> JsonFieldsOf<Json>::exactly(size_t count) const {
  if (object_->size() == count) return {};
  return wrong(fmt::format("it has {} fields instead of {}", object_->size(), count));
}

template <typename Json>
Result<int64_t> JsonFieldsOf<Json>::integer(const char* name, int64_t least, int64_t most) const {
  const auto* value = find(name);
  if (value && is_within(*value, least, most)) return value->template get<int64_t>();
  return must_be(name, integer_from(least, most));
}

template <typename Json>
Result<int64_t> JsonFieldsOf<Json>::integer(const char* name, int64_t least, int64_t most,
                                            int64_t otherwise) const {
  if (!has(name)) return otherwise;
  return integer(name, least, most);
}

template <typename Json>
Result<int32_t> JsonFieldsOf<Json>::int32(const char* name, int32_t least, int32_t most) const {
  return int32_t(TRY(integer(name, least, most)));
}

template <typename Json>
Result<uint64_t> JsonFieldsOf<Json>::unsigned_integer(const char* name) const {
  const auto* value = find(name);
  if (value && value->is_number_unsigned()) return value->template get<uint64_t>();
  return must_be(name, "an unsigned 64-bit integer");
}

template <typename Json>
Result<double> JsonFieldsOf<Json>::number(const char* name, double least, double most) const {
  const auto* value = find(name);
  if (value && value->is_number() && value->template get<double>() >= least &&
      value->template get<double>() <= most)
    return value->template get<double>();
  return must_be(name, fmt::format("a number from {} to {}", least, most));
}

template <typename Json>
Result<std::chrono::milliseconds> JsonFieldsOf<Json>::milliseconds(const char* name) const {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max() / 1'000'000;  // in nanoseconds
  return std::chrono::milliseconds(TRY(integer(name, 0, kMost)));
}

template <typename Json>
Result<bool> JsonFieldsOf<Json>::boolean(const char* name) const {
  const auto* value = find(name);
  if (value && value->is_boolean()) return value->template get<bool>();
  return must_be(name, "true or false");
}

template <typename Json>
Result<bool> JsonFieldsOf<Json>::boolean(const char* name, bool otherwise) const {
  if (!has(name)) return otherwise;
  return boolean(name);
}

template <typename Json>
Result<std::string> JsonFieldsOf<Json>::text(const char* name) const {
  const auto* value = find(name);
  if (value && value->is_string()) return value->template get<std::string>();
  return must_be(name, "a string");
}

template <typename Json>
Result<std::string> JsonFieldsOf<Json>::text(const char* name, std::string otherwise) const {
  if (!has(name)) return otherwise;
  return text(name);
}

template <typename Json>
Result<std::string> JsonFieldsOf<Json>::base64(const char* name) const {
  const auto* value = find(name);
  if (value && value->is_string())
    if (auto bytes = from_base64(value->template get_ref<const std::string&>())) return bytes;
  return must_be(name, "a base64 string");
}

template <typename Json>
Result<std::string> JsonFieldsOf<Json>::text_or_base64(const char* name) const {
  const auto coded = std::string(name) + "_b64";
  if (has(name) == has(coded.c_str()))
    return error(fmt::format("one of '{0}{1}' and '{0}{2}' must be present", path_, name, coded));
  return has(name) ? text(name) : base64(coded.c_str());
}

template <typename Json>
Result<size_t> JsonFieldsOf<Json>::choice(const char* name,
                                          std::span<const std::string_view> texts) const {
  const auto* value = find(name);
  if (value && value->is_string()) {
    const std::string_view text = value->template get_ref<const std::string&>();
    const auto found = std::ranges::find(texts, text);
    if (found != texts.end()) return size_t(found - texts.begin());
  }
  return must_be(name, fmt::format("one of {}", fmt::join(texts, ", ")));
}

template <typename Json>
template <typename IsGood>
Result<const Json*> JsonFieldsOf<Json>::list(const char* name, std::string_view what,
                                             IsGood is_good) const {
  const auto* value = find(name);
  if (value && value->is_array() && std::ranges::all_of(*value, is_good)) return value;
  return must_be(name, fmt::format("a list of {}", what));
}

template <typename Json>
Result<std::vector<std::string>> JsonFieldsOf<Json>::texts(const char* name) const {
  const auto* found = TRY(list(name, "strings", [](const Json& each) { return each.is_string(); }));
  return found->template get<std::vector<std::string>>();
}

template <typename Json>
Result<std::vector<int64_t>> JsonFieldsOf<Json>::integers(const char* name, int64_t least,
                                                          int64_t most) const {
  const auto* found = TRY(list(name, fmt::format("integers from {} to {}", least, most),
                               [&](const Json& each) { return is_within(each, least, most); }));
  return found->template get<std::vector<int64_t>>();
}

template <typename Json>
Result<std::map<std::string, std::string>> JsonFieldsOf<Json>::text_map(const char* name) const {
  const auto* value = find(name);
  if (!value || !value->is_object()) return must_be(name, "an object of strings");
  std::map<std::string, std::string> texts;
  for (const auto& [key, text] : value->items()) {
    if (!text.is_string())
      return error(fmt::format("'{}{}.{}' must be a string", path_, name, printable(key)));
    texts.emplace(key, text.template get<std::string>());
  }
  return texts;
}

template <typename Json>
Result<JsonFieldsOf<Json>> JsonFieldsOf<Json>::object(const char* name) const {
  const auto* value = find(name);
  if (value && value->is_object())
    return JsonFieldsOf(*value, document_, fmt::format("{}{}.", path_, name));
  return must_be(name, "an object");
}

template <typename Json>
Result<std::vector<JsonFieldsOf<Json>>> JsonFieldsOf<Json>::objects(const char* name) const {
  const auto* found = TRY(list(name, "objects", [](const Json& each) { return each.is_object(); }));
  std::vector<JsonFieldsOf> all;
  for (const auto& each : *found)
    all.push_back(JsonFieldsOf(each, document_, fmt::format("{}{}[{}].", path_, name, all.size())));
  return all;
}

template <typename Json>
Result<const Json*> JsonFieldsOf<Json>::any(const char* name) const {
  if (const auto* value = find(name)) return value;
  return error(fmt::format("'{}{}' is missing", path_, name));
}

template class JsonFieldsOf<nlohmann::json>;
template class JsonFieldsOf<nlohmann::ordered_json>;

}  // namespace pegmove::base
