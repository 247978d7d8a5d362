// Foreign rows (client/foreign_rows.h) in results, for programs and for people, and in the journal.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "client/foreign_rows.h"

namespace pegmove::rows {

// Adds "foreign_rows" to a result and, when there are any, "foreign_rows_read" (how many of their
// keys were read in the partitions to which they belong), "stray_rows" and "stray_keys": those that
// are not there, and the first of them, as {"hash_key", "sort_key"} (or ..._b64). `prefix` is put
// in front of each name.
void add_foreign(nlohmann::ordered_json& result, const client::ForeignRows& foreign,
                 std::string_view prefix = {});

// Sentences that end with a newline; "" when there are none. `where`: "of table 't' on A".
std::string foreign_text(const client::ForeignRows& foreign, std::string_view where);

// What the journal keeps; "" when there are none.
std::string foreign_to_journal(const client::ForeignRows& foreign);
// Its reverse. Errors: kCorrupt.
Result<client::ForeignRows> foreign_from_journal(std::string_view text);

}  // namespace pegmove::rows
