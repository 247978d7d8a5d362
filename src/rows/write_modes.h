// The modes in which a TableSink writes rows, besides the plain one. All write live rows with
// different keys, return when every row is written or with the first error, and are safe to repeat.
// `timeout` is that of each request, retries included. Arguments by reference must outlive the
// call.
#pragma once

#include "rows/table_rows.h"

namespace pegmove::rows {

// Returns how many rows were not written, since they exist in the target.
Task<int64_t> write_absent(client::Table& table, std::vector<RawRow> rows, size_t at_once,
                           async::milliseconds timeout);

// `at_once` counts requests.
Task<> write_multi_sets(client::Table& table, std::vector<RawRow> rows, size_t max_request_bytes,
                        size_t at_once, async::milliseconds timeout);

// Returns how many rows have no geo row, since their value has no latitude and longitude. `at_once`
// counts rows, each of which is up to four requests, two at a time.
Task<int64_t> write_geo(client::Table& common, const GeoTarget& geo, std::vector<RawRow> rows,
                        size_t at_once, async::milliseconds timeout);

}  // namespace pegmove::rows
