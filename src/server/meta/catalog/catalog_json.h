// The catalog as values of the meta server's store, each a JSON object, and as one readable text.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "meta_types.h"
#include "server/meta/catalog/app_record.h"
#include "server/meta/store/meta_values.h"

namespace pegmove::server::meta {

// "lively" for fl_lively; empty for fl_invalid and for numbers that are not a level.
std::string_view level_name(wire::meta_function_level level);

// What the remote command meta.dump writes. All strings of the state must be UTF-8; throws
// otherwise.
std::string encode_catalog(const CatalogState& state);

// /apps: the next id and the function level.
void put_catalog(MetaBatch& batch, const CatalogState& state);
// /apps/<id> and its partitions: what differs from `before`, everything when that is null.
void put_app(MetaBatch& batch, const AppRecord& app, const AppRecord* before);

// Checks everything: fields and their types, ranges, ids, counts, and that no two available tables
// share a name. Errors: kCorrupt, naming the path of the value and the field.
Result<CatalogState> read_catalog(const MetaValues& values);

}  // namespace pegmove::server::meta
