// The operations of the case files as raw requests. The arguments are named as the fields of
// idl/data.thrift.
//
//   operation          arguments                                   fields of the answer
//   put                key=h:s value expire                        -
//   remove, get, ttl   key=h:s (or raw="..")                       get: value; ttl: ttl
//   multi_put          hash rows=[s:v] expire                      -
//   multi_remove       hash sort_keys=[..] max_count               count
//   multi_get          hash sort_keys max_kv_count max_kv_size     rows=[s:v]
//                      no_value start stop start_inclusive
//                      stop_inclusive filter=prefix:".." reverse
//   batch_get          keys=[h:s]                                  rows=[h:s:v]
//   sortkey_count      hash                                        count
//   incr               key=h:s increment expire                    new_value
//   check_and_set      hash check_sort_key check operand           check_value_returned,
//                      set_diff_sort_key set_sort_key set_value    check_value_exist, check_value
//                      expire return_check_value
//   check_and_mutate   hash check_sort_key check operand           as check_and_set
//                      mutations=[put:s:v, delete:s] return_check_value
//   query_config       (for requests with a gpid)                  -
//   get_scanner        see raw_scans.h; likewise scan, clear_scanner, scan_all
//
// The bounds of multi_get are inclusive at the start and exclusive at the stop unless said
// otherwise, as in the client library.
#pragma once

#include "arguments.h"
#include "session.h"

namespace pegmove::conformance {

// Whether carrying it out once more makes no difference.
bool is_read(std::string_view operation);
// Names of `check=`, by number.
const std::vector<std::string_view>& check_names();

// Errors: kInvalidArgument for a step that makes no sense; no answer.
Result<Answer> carry_out_raw(const Session& session, Contexts& contexts, const Step& step,
                             Arguments& arguments);

}  // namespace pegmove::conformance
