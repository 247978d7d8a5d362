// Which rows a copy takes and how it writes them: the filters and modes of `pegmove copy` and of
// the shell's copy_data.
#pragma once

#include <optional>
#include <vector>

#include "client/duplicate_write.h"
#include "client/table.h"
#include "rows/table_rows.h"

namespace pegmove::migration {

struct CopyRules {
  std::vector<int32_t> partitions{};  // of the source; empty: all. One lane each, in this order
  rows::RowFilters filters{};
  bool with_values = true;  // false: keys with empty values
  bool with_expiry = true;  // false: copied rows never expire, or get the target's default_ttl
  rows::WriteMode mode = rows::WriteMode::kPlain;
  geo::Layout geo_layout{};  // with kGeo

  bool operator==(const CopyRules&) const = default;
};

// Checks that the rules can be combined, also with how rows are sent. Errors: kInvalidArgument.
Result<void> check_copy_rules(const CopyRules& rules, bool through_duplicate);

// True when the copy makes every row of the source equal in the target, so that a comparison of the
// tables can prove the copy. Not so for kNoOverwrite: different rows may stay in the target.
bool copies_everything(const CopyRules& rules);

rows::TableReadOptions read_options(const CopyRules& rules, async::milliseconds timeout);

// With kGeo the geo table, "TARGET_geo", is opened. Errors: kNotFound when it does not exist;
// kInvalidArgument when it is the source itself; those of client::Table::open.
Task<rows::TableWriteOptions> write_options(CopyRules rules,
                                            std::optional<client::DuplicateWrite> duplicate,
                                            client::Table& source, client::Table& target,
                                            async::milliseconds timeout);

}  // namespace pegmove::migration
