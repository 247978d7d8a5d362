// The rules of a copy as JSON, as the journal keeps them.
//
//   {"partitions": [0, 3],
//    "hash_key_filter": {"match": "prefix", "pattern": "user"},
//    "sort_key_filter": {"match": "exact", "pattern_b64": "/wA="},
//    "value_filter": {...}, "values": false, "expiry": false, "mode": "geo",
//    "geo": {"min_level": 12, "latitude_index": 5, "longitude_index": 4}}
//
// A missing field has its default; patterns that are not UTF-8 are base64.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "migration/copy/copy_rules.h"

namespace pegmove::migration {

// Fields that have their default are left out.
nlohmann::json to_json(const CopyRules& rules);

// Strict: fields that are unknown, of a wrong type or out of range are errors, and so are rules
// that exclude each other. Errors: kCorrupt, naming the field.
Result<CopyRules> copy_rules_from_json(const nlohmann::json& json);

// "plain", "no_overwrite", "multi_set", "geo".
std::string_view mode_name(rows::WriteMode mode);

}  // namespace pegmove::migration
