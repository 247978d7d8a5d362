#include "store/compaction_rules.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/json_fields.h"
#include "base/json_text.h"
#include "record/expiry.h"

namespace pegmove::store {

using base::text_in;
using Json = nlohmann::json;

// Whether a row is meant.
struct CompactionRule {
  std::function<bool(const RowFacts&, uint32_t now)> matches;
};

// All rules must match.
struct CompactionOperation {
  std::vector<CompactionRule> rules;
  // The new expiry; nothing: the row goes.
  std::function<std::optional<uint32_t>(const RowFacts&, uint32_t now)> change;
};

namespace {

Json parse_object(std::string_view text) {
  auto json = base::parse_json<Json>(text);
  return json.is_object() ? json : Json::object();
}

std::optional<uint32_t> seconds_of(const Json& object, const char* name) {
  auto found = object.find(name);
  if (found == object.end() || !found->is_number_unsigned()) return std::nullopt;
  auto value = found->get<uint64_t>();
  if (value > UINT32_MAX) return std::nullopt;
  return uint32_t(value);
}

std::optional<CompactionRule> pattern_rule(const Json& params, bool of_hash_key) {
  using Match = std::function<bool(std::string_view, std::string_view)>;
  static const std::vector<std::pair<std::string, Match>> kMatches = {
      {"SMT_MATCH_ANYWHERE", [](auto text, auto pattern) { return text.contains(pattern); }},
      {"SMT_MATCH_PREFIX", [](auto text, auto pattern) { return text.starts_with(pattern); }},
      {"SMT_MATCH_POSTFIX", [](auto text, auto pattern) { return text.ends_with(pattern); }}};
  auto wanted = text_in(params, "match_type");
  auto found = std::ranges::find(kMatches, wanted, &std::pair<std::string, Match>::first);
  if (found == kMatches.end()) return std::nullopt;
  return CompactionRule{[match = found->second, pattern = text_in(params, "pattern"), of_hash_key](
                            const RowFacts& row, uint32_t) {
    return !pattern.empty() && match(of_hash_key ? row.hash_key : row.sort_key, pattern);
  }};
}

// now + start <= expiry <= now + stop; 0 and 0 mean the rows without expiry.
std::optional<CompactionRule> ttl_rule(const Json& params) {
  auto start = seconds_of(params, "start_ttl"), stop = seconds_of(params, "stop_ttl");
  if (!start || !stop) return std::nullopt;
  return CompactionRule{[start = *start, stop = *stop](const RowFacts& row, uint32_t now) {
    if (start == 0 && stop == 0 && row.expire_ts == 0) return true;
    return uint64_t(now) + start <= row.expire_ts && row.expire_ts <= uint64_t(now) + stop;
  }};
}

std::optional<CompactionRule> parse_rule(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  auto type = text_in(json, "type");
  auto params = parse_object(text_in(json, "params"));
  if (type == "FRT_HASHKEY_PATTERN") return pattern_rule(params, true);
  if (type == "FRT_SORTKEY_PATTERN") return pattern_rule(params, false);
  if (type == "FRT_TTL_RANGE") return ttl_rule(params);
  return std::nullopt;
}

using Change = decltype(CompactionOperation::change);

Change parse_ttl_change(const Json& params) {
  auto value = seconds_of(params, "value");
  auto type = text_in(params, "type");
  if (!value) return nullptr;
  if (type == "UTOT_FROM_NOW")
    return [value = *value](const RowFacts&, uint32_t now) { return now + value; };
  if (type == "UTOT_FROM_CURRENT")
    return [value = *value](const RowFacts& row, uint32_t) {
      return row.expire_ts == 0 ? 0 : row.expire_ts + value;
    };
  if (type == "UTOT_TIMESTAMP" && int64_t(*value) > record::kPegasusEpoch)
    return [at = record::pegasus_seconds(*value)](const RowFacts&, uint32_t) { return at; };
  return nullptr;
}

std::optional<CompactionOperation> parse_operation(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  CompactionOperation operation;
  auto type = text_in(json, "type");
  if (type == "COT_DELETE")
    operation.change = [](const RowFacts&, uint32_t) { return std::nullopt; };
  else if (type == "COT_UPDATE_TTL")
    operation.change = parse_ttl_change(parse_object(text_in(json, "params")));
  if (!operation.change) return std::nullopt;
  for (const auto& rule : json.value("rules", Json::array()))
    if (auto parsed = parse_rule(rule)) operation.rules.push_back(std::move(*parsed));
  if (operation.rules.empty()) return std::nullopt;
  return operation;
}

bool all_match(const std::vector<CompactionRule>& rules, const RowFacts& row, uint32_t now) {
  return std::ranges::all_of(rules, [&](const auto& rule) { return rule.matches(row, now); });
}

}  // namespace

CompactionRules::CompactionRules() = default;
CompactionRules::~CompactionRules() = default;
CompactionRules::CompactionRules(CompactionRules&&) noexcept = default;
CompactionRules& CompactionRules::operator=(CompactionRules&&) noexcept = default;

CompactionRules CompactionRules::parse(std::string_view text) {
  CompactionRules rules;
  auto json = parse_object(text);
  auto operations = json.find("ops");
  if (operations == json.end() || !operations->is_array()) return rules;
  for (const auto& operation : *operations)
    if (auto parsed = parse_operation(operation)) rules.operations_.push_back(std::move(*parsed));
  return rules;
}

CompactionRules::Verdict CompactionRules::apply(RowFacts row, uint32_t now) const {
  for (const auto& operation : operations_) {
    if (!all_match(operation.rules, row, now)) continue;
    auto expire_ts = operation.change(row, now);
    if (!expire_ts) return {.drop = true, .expire_ts = row.expire_ts};
    row.expire_ts = *expire_ts;
  }
  return {.drop = false, .expire_ts = row.expire_ts};
}

}  // namespace pegmove::store
