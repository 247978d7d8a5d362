#include "rows/foreign_rows_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/json_fields.h"
#include "base/json_text.h"
#include "base/units.h"
#include "record/key.h"

namespace pegmove::rows {
namespace {

using client::ForeignRows;

constexpr size_t kMostShown = 10;

record::KeyParts parts_of(std::string_view raw_key) {
  return record::split_key(raw_key).value_or(record::KeyParts{raw_key, {}});
}

void put_key(nlohmann::ordered_json& to, const std::string& name, std::string_view bytes) {
  if (base::is_utf8(bytes))
    to[name] = bytes;
  else
    to[name + "_b64"] = base::to_base64(bytes);
}

std::string count_text(int64_t count) { return base::format_count(uint64_t(count)); }

}  // namespace

void add_foreign(nlohmann::ordered_json& result, const ForeignRows& foreign,
                 std::string_view prefix) {
  const std::string before(prefix);
  result[before + "foreign_rows"] = foreign.rows;
  if (foreign.rows == 0) return;
  result[before + "foreign_rows_read"] = foreign.read;
  result[before + "stray_rows"] = foreign.strays;
  auto& keys = result[before + "stray_keys"] = nlohmann::ordered_json::array();
  for (const auto& raw_key : foreign.stray_keys) {
    auto& key = keys.emplace_back(nlohmann::ordered_json::object());
    const auto parts = parts_of(raw_key);
    put_key(key, "hash_key", parts.hash_key);
    put_key(key, "sort_key", parts.sort_key);
  }
}

std::string foreign_text(const ForeignRows& foreign, std::string_view where) {
  if (foreign.rows == 0) return "";
  auto text = fmt::format(
      "Left out: {} foreign rows {}. They are in partitions to which their keys do not belong, so "
      "no request for a key finds them (left by a partition split, or misplaced by a "
      "duplication).\n",
      count_text(foreign.rows), where);
  if (foreign.read < foreign.rows)
    text += fmt::format("{} of their keys were read in their own partitions.\n",
                        count_text(foreign.read));
  if (foreign.strays == 0) return text;
  text += fmt::format(
      "Of these, {} have no row in the partition to which they belong: they may be writes that "
      "were "
      "misplaced. {}:\n",
      count_text(foreign.strays),
      size_t(foreign.strays) > kMostShown ? fmt::format("The first {}", kMostShown) : "They are");
  for (size_t i = 0; i < std::min(kMostShown, foreign.stray_keys.size()); ++i) {
    const auto parts = parts_of(foreign.stray_keys[i]);
    text += fmt::format("stray    \"{}\" : \"{}\"\n", base::printable(parts.hash_key),
                        base::printable(parts.sort_key));
  }
  return text;
}

std::string foreign_to_journal(const ForeignRows& foreign) {
  if (foreign.rows == 0) return "";
  auto keys = nlohmann::json::array();
  for (const auto& key : foreign.stray_keys) keys.push_back(base::to_base64(key));
  return base::json_text(nlohmann::json{{"rows", foreign.rows},
                                        {"read", foreign.read},
                                        {"strays", foreign.strays},
                                        {"stray_keys", std::move(keys)}});
}

Result<ForeignRows> foreign_from_journal(std::string_view text) {
  ForeignRows foreign;
  if (text.empty()) return foreign;
  const auto json = base::parse_json<nlohmann::json>(text);
  const auto in = TRY(base::JsonFields::of(json, "the journal's foreign rows"));
  foreign.rows = TRY(in.integer("rows", 0, INT64_MAX));
  foreign.read = TRY(in.integer("read", 0, INT64_MAX));
  foreign.strays = TRY(in.integer("strays", 0, INT64_MAX));
  for (const auto& key : TRY(in.texts("stray_keys")))
    foreign.stray_keys.push_back(TRY(base::from_base64(key)));
  return foreign;
}

}  // namespace pegmove::rows
