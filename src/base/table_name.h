// The rule for names of new tables: for the meta server of the embedded cluster, which refuses
// others, and for clients, which check before they ask (real meta servers accept any name).
// Pegasus: replication_ddl_client::validate_app_name in src/client/replication_ddl_client.cpp.
//
// Tables with other names exist on real clusters, since Pegasus's Java and Go clients do not check:
// whoever reads a table, or writes into one that exists, accepts every name.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/result.h"

namespace pegmove::base {

// In bytes. A backup keeps a table in the folder NAME_ID, and file systems allow 255 bytes: 10 are
// the digits of the highest id. Pegasus has no limit.
inline constexpr size_t kMaxTableNameSize = 244;

// Errors: kInvalidArgument with the rule, without the name (callers add it): in Pegasus's words for
// a character that is not valid; also for "." and "..", which are no folders, and for a name that
// is too long.
Result<void> check_table_name(std::string_view name);
// The same, for whoever asks for a new table: the error also quotes the name.
Result<void> check_new_table(std::string_view name);

}  // namespace pegmove::base
