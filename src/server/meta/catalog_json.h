// The text of the catalog's file: JSON, made to be read by people too.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "server/meta/app_record.h"

namespace pegmove::server::meta {

// "lively" for fl_lively; empty for fl_invalid and for numbers that are no level.
std::string_view level_name(wire::meta_function_level level);

// All texts of the state must be UTF-8; it throws otherwise.
std::string encode_catalog(const CatalogState& state);

// Reads the version that is written and the one before it, which had no function level.
// Checks everything: fields and their types, ranges, ids, counts, and that no two available tables
// share a name.
// Errors: kCorrupt, naming the table and the field; kUnsupported for a later version of the format.
Result<CatalogState> decode_catalog(std::string_view text);

}  // namespace pegmove::server::meta
