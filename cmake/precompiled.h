// Compiled once and put before the source files (PegmovePrecompiled.cmake): what most of them
// include and what takes longest to read. No source may rely on it: each includes what it uses.
#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <deque>
#include <expected>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <ostream>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <thrift/TBase.h>
#include <thrift/protocol/TProtocol.h>

#include "base/result.h"

// What follows of templates is what nearly every source would instantiate again.
inline std::map<std::string, std::string> precompiled_std(std::map<std::string, std::string> map,
                                                          std::optional<std::string> text,
                                                          std::optional<int64_t> number) {
  std::map<std::string, std::string> copy = map;
  if (auto found = copy.find("a"); found != copy.end()) copy.erase(found);
  copy["a"] = text.value_or("");
  copy.emplace(fmt::format("{}", *number), fmt::format("{} {}", copy["a"], copy.size()));
  std::vector<std::string> texts{*text};
  texts.push_back(std::to_string(texts.size()));
  map = std::move(copy);
  return map;
}

// Not for the client library alone.
#if __has_include(<rocksdb/db.h>)
#include <rocksdb/db.h>
#include <rocksdb/sst_file_writer.h>
#endif

#if __has_include(<nlohmann/json.hpp>)
#include <nlohmann/json.hpp>

template <typename Json>
Json precompiled_json(const std::string& text) {
  Json json{{"a", text}, {"b", 1}, {"c", int64_t(1)}, {"d", uint64_t(1)}, {"e", true}, {"f", 0.5}};
  json["a"] = text;
  json["b"] = 1;
  json["c"] = int64_t(1);
  json["d"] = uint64_t(1);
  json["e"] = true;
  json["g"] = Json::array();
  json["g"].push_back(json);
  for (const auto& [name, value] : json.items())
    if (value.is_string() && value.template get<std::string>() == name) return value;
  for (const auto& value : json)
    if (value.is_boolean() && value.template get<bool>()) return value;
  if (json.contains("a") && json["b"].template get<int64_t>() == 1) return json.value("a", "");
  return json;
}
inline void precompiled_json(const std::string& text) {
  precompiled_json<nlohmann::json>(text);
  precompiled_json<nlohmann::ordered_json>(text);
}
#endif
