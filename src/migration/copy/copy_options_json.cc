#include "migration/copy/copy_options_json.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/bytes.h"

namespace pegmove::migration {
namespace {

using nlohmann::json;
using rows::Match;
using rows::RowFilter;
using rows::WriteMode;

constexpr std::array<std::string_view, 4> kModeNames = {"plain", "no_overwrite", "multi_set",
                                                        "geo"};

std::unexpected<Error> wrong(std::string_view field, std::string_view what) {
  return fail(Code::kCorrupt,
              "rules of a copy: field '" + std::string(field) + "' " + std::string(what));
}

json to_json(const RowFilter& filter) {
  json out{{"match", rows::match_name(filter.match)}};
  if (base::is_utf8(filter.pattern))
    out["pattern"] = filter.pattern;
  else
    out["pattern_b64"] = base::to_base64(filter.pattern);
  return out;
}

// Checks that the object has no other fields.
Result<void> check_fields(const json& object, std::string_view name,
                          std::initializer_list<std::string_view> known) {
  if (!object.is_object()) return wrong(name, "is not an object");
  for (const auto& [key, value] : object.items())
    if (std::ranges::find(known, key) == known.end())
      return wrong(base::printable(key), "is unknown");
  return {};
}

Result<std::string> read_pattern(const json& object, std::string_view name) {
  auto plain = object.find("pattern"), coded = object.find("pattern_b64");
  if ((plain == object.end()) == (coded == object.end()))
    return wrong(name, "needs one of pattern and pattern_b64");
  const auto& found = plain != object.end() ? *plain : *coded;
  if (!found.is_string()) return wrong(name, "has a pattern that is not a string");
  if (plain != object.end()) return found.get<std::string>();
  auto bytes = base::from_base64(found.get_ref<const std::string&>());
  if (!bytes) return wrong(name, "has a pattern_b64 that is not base64");
  return *std::move(bytes);
}

Result<void> read_filter(const json& object, const char* name, RowFilter& filter) {
  auto found = object.find(name);
  if (found == object.end()) return {};
  TRY(check_fields(*found, name, {"match", "pattern", "pattern_b64"}));
  auto match = found->find("match");
  if (match == found->end() || !match->is_string()) return wrong(name, "needs the string match");
  auto parsed = rows::parse_match(match->get_ref<const std::string&>());
  if (!parsed) return wrong(name, "has an unknown match");
  filter = {*parsed, TRY(read_pattern(*found, name))};
  return {};
}

Result<void> read_flag(const json& object, const char* name, bool& flag) {
  auto found = object.find(name);
  if (found == object.end()) return {};
  if (!found->is_boolean()) return wrong(name, "is neither true nor false");
  flag = found->get<bool>();
  return {};
}

Result<int32_t> read_number(const json& value, std::string_view name) {
  constexpr int64_t kMost = 65535;  // partitions of a table; far more than fields of a value
  // Numbers above 2^63 are unsigned in JSON and would become negative.
  if (!value.is_number_integer() || (value.is_number_unsigned() && value.get<uint64_t>() > kMost) ||
      value.get<int64_t>() < 0)
    return wrong(name, "is not a number from 0 to " + std::to_string(kMost));
  return int32_t(value.get<int64_t>());
}

Result<void> read_partitions(const json& object, std::vector<int32_t>& partitions) {
  auto found = object.find("partitions");
  if (found == object.end()) return {};
  if (!found->is_array()) return wrong("partitions", "is not a list");
  for (const auto& each : *found) partitions.push_back(TRY(read_number(each, "partitions")));
  return {};
}

Result<void> read_mode(const json& object, WriteMode& mode) {
  auto found = object.find("mode");
  if (found == object.end()) return {};
  if (!found->is_string()) return wrong("mode", "is not a string");
  auto place = std::ranges::find(kModeNames, found->get_ref<const std::string&>());
  if (place == kModeNames.end()) return wrong("mode", "is unknown");
  mode = WriteMode(place - kModeNames.begin());
  return {};
}

Result<void> read_layout(const json& object, geo::Layout& layout) {
  auto found = object.find("geo");
  if (found == object.end()) return {};
  TRY(check_fields(*found, "geo", {"min_level", "latitude_index", "longitude_index"}));
  for (auto [name, field] : {std::pair{"min_level", &layout.min_level},
                             std::pair{"latitude_index", &layout.latitude_index},
                             std::pair{"longitude_index", &layout.longitude_index}})
    if (auto number = found->find(name); number != found->end())
      *field = TRY(read_number(*number, name));
  return {};
}

}  // namespace

std::string_view mode_name(WriteMode mode) { return kModeNames[size_t(mode)]; }

json to_json(const CopyRules& rules) {
  json out = json::object();
  if (!rules.partitions.empty()) out["partitions"] = rules.partitions;
  for (auto [name, filter] : {std::pair{"hash_key_filter", &rules.filters.hash_key},
                              std::pair{"sort_key_filter", &rules.filters.sort_key},
                              std::pair{"value_filter", &rules.filters.value}})
    if (filter->match != Match::kAll) out[name] = to_json(*filter);
  if (!rules.with_values) out["values"] = false;
  if (!rules.with_expiry) out["expiry"] = false;
  if (rules.mode != WriteMode::kPlain) out["mode"] = mode_name(rules.mode);
  if (rules.mode == WriteMode::kGeo)
    out["geo"] = {{"min_level", rules.geo_layout.min_level},
                  {"latitude_index", rules.geo_layout.latitude_index},
                  {"longitude_index", rules.geo_layout.longitude_index}};
  return out;
}

Result<CopyRules> copy_rules_from_json(const json& object) {
  TRY(check_fields(object, "(all)",
                   {"partitions", "hash_key_filter", "sort_key_filter", "value_filter", "values",
                    "expiry", "mode", "geo"}));
  CopyRules rules;
  TRY(read_partitions(object, rules.partitions));
  TRY(read_filter(object, "hash_key_filter", rules.filters.hash_key));
  TRY(read_filter(object, "sort_key_filter", rules.filters.sort_key));
  TRY(read_filter(object, "value_filter", rules.filters.value));
  TRY(read_flag(object, "values", rules.with_values));
  TRY(read_flag(object, "expiry", rules.with_expiry));
  TRY(read_mode(object, rules.mode));
  TRY(read_layout(object, rules.geo_layout));
  if (object.contains("geo") && rules.mode != WriteMode::kGeo)
    return wrong("geo", "is allowed only with the mode geo");
  if (auto checked = check_copy_rules(rules, false); !checked)
    return fail(Code::kCorrupt, "rules of a copy: " + checked.error().message());
  return rules;
}

}  // namespace pegmove::migration
