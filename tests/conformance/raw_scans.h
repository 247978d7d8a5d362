// Scans as raw requests.
//
//   operation      arguments                                      fields of the answer
//   get_scanner    start stop (h:s, or raw bytes)                 rows=[h:s:v] (with
//                  start_inclusive stop_inclusive batch_size      return_expire_ts h:s:v:expire),
//                  no_value hash_filter sort_filter               context: more, end or none;
//                  validate_partition_hash return_expire_ts       kv_count
//                  full_scan only_return_count save=c
//   scan           context=$c or a number; save=c; at=h           as above
//   clear_scanner  context=$c; at=h                               -
//   scan_all       as get_scanner                                 all rows, or the sum of kv_count
//
// `rows` holds the case's own rows only. `stop` is, unless given, the end of the start's hash key.
// `save=c` keeps the context of the answer under a name.
#pragma once

#include "arguments.h"
#include "session.h"

namespace pegmove::conformance {

bool is_scan(std::string_view operation);
// As carry_out_raw().
Result<Answer> carry_out_scan(const Session& session, Contexts& contexts, const Step& step,
                              Arguments& arguments);

}  // namespace pegmove::conformance
