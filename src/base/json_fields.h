// Fields of JSON that came from outside: a file, the journal, another program.
//
// The strict form, JsonFieldsOf, reads what this program or a server has written, which must be
// valid. The lenient form, at the end, reads answers for people, in which anything may be missing.
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace pegmove::base {

// The fields of one object, which outlives this, and of those in it. A field must be present, have
// its type and be within its bounds; one that is read with `otherwise` may be missing. Errors:
// kCorrupt, or the given code, naming the document and the field: "the journal's options of a copy:
// 'timeout_ms' must be an integer from 0 to 86400000", "bulk_load_metadata: 'files[3].size' must be
// ...".
//
// For nlohmann::json (JsonFields) and nlohmann::ordered_json (OrderedJsonFields). Cheap to copy.
template <typename Json>
class JsonFieldsOf {
 public:
  // `document`: what errors call it. Text that is not JSON, parsed without exceptions, is not an
  // object. `code`: of errors; kInvalidArgument for what a person has written.
  static Result<JsonFieldsOf> of(const Json& object, std::string document,
                                 Code code = Code::kCorrupt);

  bool has(const char* name) const;
  Result<void> only(std::initializer_list<const char*> names) const;  // no other fields
  // It has `count` fields: once that many were read, there are no others.
  Result<void> exactly(size_t count) const;

  Result<int64_t> integer(const char* name, int64_t least, int64_t most) const;
  Result<int64_t> integer(const char* name, int64_t least, int64_t most, int64_t otherwise) const;
  Result<int32_t> int32(const char* name, int32_t least, int32_t most) const;
  Result<uint64_t> unsigned_integer(const char* name) const;  // of all 64 bits
  Result<double> number(const char* name, double least, double most) const;
  Result<std::chrono::milliseconds> milliseconds(const char* name) const;  // fits a clock
  Result<bool> boolean(const char* name) const;
  Result<bool> boolean(const char* name, bool otherwise) const;
  Result<std::string> text(const char* name) const;
  Result<std::string> text(const char* name, std::string otherwise) const;
  Result<std::string> base64(const char* name) const;  // the bytes
  // Bytes: NAME is text or, where they are not UTF-8, NAME_b64 is base64. One of the two must be
  // present.
  Result<std::string> text_or_base64(const char* name) const;
  // Which of these texts it is: its index.
  Result<size_t> choice(const char* name, std::span<const std::string_view> texts) const;

  Result<std::vector<std::string>> texts(const char* name) const;
  Result<std::vector<int64_t>> integers(const char* name, int64_t least, int64_t most) const;
  Result<std::map<std::string, std::string>> text_map(const char* name) const;
  Result<JsonFieldsOf> object(const char* name) const;
  Result<std::vector<JsonFieldsOf>> objects(const char* name) const;  // a list of them

  // For other rules: the value as it is, and the errors.
  Result<const Json*> any(const char* name) const;
  // "DOCUMENT: WHAT", of an object in it "DOCUMENT: 'files[3]': WHAT".
  std::unexpected<Error> wrong(std::string_view what) const;
  // "DOCUMENT: 'NAME' must be WHAT"; says so when it is missing.
  std::unexpected<Error> must_be(const char* name, std::string_view what) const;

 private:
  struct Document {
    std::string name;
    Code code;
  };
  JsonFieldsOf(const Json& object, std::shared_ptr<const Document> document, std::string path)
      : object_(&object), document_(std::move(document)), path_(std::move(path)) {}
  const Json* find(const char* name) const;  // null: there is none
  std::unexpected<Error> error(const std::string& text) const;
  // The list, each element of which must satisfy `is_good`; `what` describes them in errors.
  template <typename IsGood>
  Result<const Json*> list(const char* name, std::string_view what, IsGood is_good) const;

  const Json* object_;
  std::shared_ptr<const Document> document_;  // shared by the fields of all objects in it
  std::string path_;                          // of the object in the document: "", "files[3]."
};

using JsonFields = JsonFieldsOf<nlohmann::json>;
using OrderedJsonFields = JsonFieldsOf<nlohmann::ordered_json>;

extern template class JsonFieldsOf<nlohmann::json>;
extern template class JsonFieldsOf<nlohmann::ordered_json>;

// Lenient: what is missing, or of another type, reads as nothing.
template <typename Json>
std::string text_in(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->template get<std::string>() : "";
}

// -1: there is none.
template <typename Json>
int64_t number_in(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number_integer()) return -1;
  const auto number = found->template get<int64_t>();
  return found->is_number_unsigned() && number < 0 ? -1 : number;  // it does not fit
}

}  // namespace pegmove::base
