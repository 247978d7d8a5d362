// How values of the meta server's store are read that are JSON objects. For .cc files.
#pragma once

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_text.h"
#include "base/result.h"
#include "server/meta/app_record.h"
#include "server/meta/store/meta_values.h"

namespace pegmove::server::meta {

// The value whose name in `names` the text is. Throws a JSON exception for other names.
template <typename Enum, size_t N>
Enum read_name(const nlohmann::json& json, const std::string_view (&names)[N]) {
  const auto& text = json.get_ref<const std::string&>();
  const auto found = std::ranges::find(names, std::string_view(text));
  if (found == std::end(names))
    throw nlohmann::json::other_error::create(599, "unknown name " + text, &json);
  return Enum(found - std::begin(names));
}

// The field "partition_count". Throws a JSON exception when it is none.
inline size_t read_partition_count(const nlohmann::json& json) {
  const auto& field = json.at("partition_count");
  const auto count = field.get<int64_t>();
  if (count < 1 || count > kMaxPartitionCount)
    throw nlohmann::json::other_error::create(599, "no partition count: " + base::json_text(field),
                                              &json);
  return size_t(count);
}

inline std::string value_text(const nlohmann::json& json) {
  return base::json_text(json, -1, base::NoUtf8::kReplace);
}

// What `read` makes of a value. It may throw the library's exceptions, which are thrown where a
// field is missing or of another kind; here they become errors. Errors: kCorrupt, naming the path.
template <typename T>
Result<T> read_value(const std::string& path, std::string_view text,
                     T (*read)(const nlohmann::json&)) {
  const auto json = base::parse_json<nlohmann::json>(text);
  if (json.is_discarded()) return fail(Code::kCorrupt, path + ": not JSON");
  try {
    return read(json);
  } catch (const nlohmann::json::exception& wrong) {
    return fail(Code::kCorrupt, path + ": " + wrong.what());
  }
}

// Whether a value stands where its own fields say. Errors: kCorrupt.
inline Result<void> check_path(const std::string& path, const std::string& expected) {
  if (path == expected) return {};
  return fail(Code::kCorrupt, path + " holds the value of " + expected);
}

// The values of a table's partitions, below its path; `partitions` has their number. Errors:
// kCorrupt, naming the path.
template <typename T>
Result<void> read_partitions(const MetaValues& values, const std::string& path,
                             std::vector<T>& partitions, T (*read)(const nlohmann::json&)) {
  const auto found = TRY(numbered_children_of(values, path));
  if (found.size() != partitions.size() || found.rbegin()->first != int64_t(found.size()) - 1)
    return fail(Code::kCorrupt, path + " has " + std::to_string(found.size()) +
                                    " partitions, and they are not 0 to " +
                                    std::to_string(int64_t(partitions.size()) - 1));
  for (const auto& [index, text] : found)
    partitions[size_t(index)] = TRY(read_value(path_of(path, index), text, read));
  return {};
}

}  // namespace pegmove::server::meta
