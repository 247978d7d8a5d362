// How values of the meta server's store are read that are JSON objects. For .cc files.
#pragma once

#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_fields.h"
#include "server/meta/app_record.h"
#include "server/meta/store/meta_values.h"

namespace pegmove::server::meta {

// The value whose name in `names` the field is.
template <typename Enum, size_t N>
Result<Enum> read_name(const base::JsonFields& fields, const char* field,
                       const std::string_view (&names)[N]) {
  return Enum(TRY(fields.choice(field, names)));
}

// Unix milliseconds, sizes, numbers that a clock gave.
inline Result<int64_t> read_natural(const base::JsonFields& fields, const char* field) {
  return fields.integer(field, 0, std::numeric_limits<int64_t>::max());
}

inline Result<int32_t> read_app_id(const base::JsonFields& fields) {
  return fields.int32("app_id", 1, std::numeric_limits<int32_t>::max());
}

inline Result<size_t> read_partition_count(const base::JsonFields& fields) {
  return size_t(TRY(fields.integer("partition_count", 1, kMaxPartitionCount)));
}

inline std::string value_text(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// What `read` makes of the fields of a value. Errors: kCorrupt, naming the path.
template <typename T>
Result<T> read_value(const std::string& path, std::string_view text,
                     Result<T> (*read)(const base::JsonFields&)) {
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  return read(TRY(base::JsonFields::of(json, path)));
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
                             std::vector<T>& partitions,
                             Result<T> (*read)(const base::JsonFields&)) {
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
