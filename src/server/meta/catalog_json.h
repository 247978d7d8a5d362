// The text of the catalog's file: JSON, made to be read by people too.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "server/meta/app_record.h"

namespace pegmove::server::meta {

// All texts of the state must be UTF-8; it throws otherwise.
std::string encode_catalog(const CatalogState& state);

// Checks everything: fields and their types, ranges, ids, counts, and that no two available tables
// share a name.
// Errors: kCorrupt, naming the table and the field; kUnsupported for a later version of the format.
Result<CatalogState> decode_catalog(std::string_view text);

}  // namespace pegmove::server::meta
