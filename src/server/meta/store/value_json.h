// Reading and writing values of the meta server's store, which are JSON objects. For .cc files.
#pragma once

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_fields.h"
#include "base/json_text.h"
#include "base/result.h"
#include "server/meta/catalog/app_record.h"
#include "server/meta/store/meta_values.h"

namespace pegmove::server::meta {

// Converts strings that are not UTF-8, such as reasons with a file's name.
inline std::string value_text(const nlohmann::json& json) {
  return base::json_text(json, -1, base::NoUtf8::kReplace);
}

// The field "partition_count".
inline Result<size_t> read_partition_count(const base::JsonFields& fields) {
  return size_t(TRY(fields.int32("partition_count", 1, kMaxPartitionCount)));
}

// What `read` returns for a value. Errors: kCorrupt, naming the path.
template <typename T>
Result<T> read_value(const std::string& path, std::string_view text,
                     Result<T> (*read)(const base::JsonFields&)) {
  const auto json = base::parse_json<nlohmann::json>(text);
  return read(TRY(base::JsonFields::of(json, path)));
}

// Whether a value is at the path that its fields say. Errors: kCorrupt.
inline Result<void> check_path(const std::string& path, const std::string& expected) {
  if (path == expected) return {};
  return fail(Code::kCorrupt, fmt::format("{} has the value of {}", path, expected));
}

// The values of a table's partitions, below its path; `partitions` must have their number. Errors:
// kCorrupt, naming the path.
template <typename T>
Result<void> read_partitions(const MetaValues& values, const std::string& path,
                             std::vector<T>& partitions,
                             Result<T> (*read)(const base::JsonFields&)) {
  const auto found = TRY(numbered_children_of(values, path));
  if (found.size() != partitions.size() || found.rbegin()->first != int64_t(found.size()) - 1)
    return fail(Code::kCorrupt, fmt::format("{} has {} partitions, which are not 0 to {}", path,
                                            found.size(), int64_t(partitions.size()) - 1));
  for (const auto& [index, text] : found)
    partitions[size_t(index)] = TRY(read_value(path_of(path, index), text, read));
  return {};
}

}  // namespace pegmove::server::meta
