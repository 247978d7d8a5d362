#include "migration/copy/copy_options_json.h"

#include <array>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/json_fields.h"

namespace pegmove::migration {
namespace {

using nlohmann::json;
using Fields = base::JsonFields;
using rows::Match;
using rows::RowFilter;
using rows::WriteMode;

constexpr int64_t kMostNumber = 65535;  // partitions of a table; far more than fields of a value
constexpr std::array<std::string_view, 4> kModeNames = {"plain", "no_overwrite", "multi_set",
                                                        "geo"};

json to_json(const RowFilter& filter) {
  json out{{"match", rows::match_name(filter.match)}};
  if (base::is_utf8(filter.pattern))
    out["pattern"] = filter.pattern;
  else
    out["pattern_b64"] = base::to_base64(filter.pattern);
  return out;
}

Result<RowFilter> read_filter(const Fields& in, const char* name) {
  if (!in.has(name)) return RowFilter{};
  const auto filter = TRY(in.object(name));
  TRY(filter.only({"match", "pattern", "pattern_b64"}));
  const auto match = rows::parse_match(TRY(filter.text("match")));
  if (!match) return filter.must_be("match", "a known kind of match");
  return RowFilter{*match, TRY(filter.text_or_base64("pattern"))};
}

Result<geo::Layout> read_layout(const Fields& in, geo::Layout layout) {
  if (!in.has("geo")) return layout;
  const auto fields = TRY(in.object("geo"));
  TRY(fields.only({"min_level", "latitude_index", "longitude_index"}));
  for (auto [name, field] : {std::pair{"min_level", &layout.min_level},
                             std::pair{"latitude_index", &layout.latitude_index},
                             std::pair{"longitude_index", &layout.longitude_index}})
    *field = int32_t(TRY(fields.integer(name, 0, kMostNumber, *field)));
  return layout;
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
  const auto in = TRY(Fields::of(object, "rules of a copy"));
  TRY(in.only({"partitions", "hash_key_filter", "sort_key_filter", "value_filter", "values",
               "expiry", "mode", "geo"}));
  CopyRules rules;
  if (in.has("partitions"))
    for (const auto each : TRY(in.integers("partitions", 0, kMostNumber)))
      rules.partitions.push_back(int32_t(each));
  rules.filters.hash_key = TRY(read_filter(in, "hash_key_filter"));
  rules.filters.sort_key = TRY(read_filter(in, "sort_key_filter"));
  rules.filters.value = TRY(read_filter(in, "value_filter"));
  rules.with_values = TRY(in.boolean("values", rules.with_values));
  rules.with_expiry = TRY(in.boolean("expiry", rules.with_expiry));
  if (in.has("mode")) rules.mode = WriteMode(TRY(in.choice("mode", kModeNames)));
  rules.geo_layout = TRY(read_layout(in, rules.geo_layout));
  if (in.has("geo") && rules.mode != WriteMode::kGeo)
    return in.wrong("'geo' is only for the mode geo");
  if (auto checked = check_copy_rules(rules, false); !checked)
    return in.wrong(checked.error().message());
  return rules;
}

}  // namespace pegmove::migration
