// Writing many rows through DUPLICATE, as a cluster that duplicates to this one would: hundreds of
// rows a request, whatever their hash keys, and each row with a time of the caller's choosing.
#pragma once

#include "client/bulk_write.h"

namespace pegmove::client {

// As whom, and as of when, rows are written.
struct DuplicateWrite {
  // 1 to 127: the id of another cluster in the target's [duplication-group].
  int8_t cluster_id = 0;
  // Unix time of every row. A REAL SERVER ABORTS, with all its tables, on a time later than its own
  // clock: give one that lies minutes in the past. Alarms on lagging duplicated writes may go off.
  int64_t timestamp_us = 0;
  // A row that stands in the target with the same or a later time, and has not expired, is left as
  // it is. Without it every row overwrites. Rows that INCR, CHECK_AND_SET or CHECK_AND_MUTATE wrote
  // have the time 0 and are overwritten; rows that were removed come back.
  bool verify_timetag = false;
};

// Writes all rows, in requests of at most 1000 rows and (but for a single row) 512 KiB. All of them
// are in flight at once; one that fails is sent again by itself until the deadline. Returns when
// every row is written or left alone, or with the first error that a retry cannot mend; some rows
// may be written then. Safe to repeat. Of rows with the same key the last one counts, with
// verify_timetag the first. Precondition: all rows belong to the partition.
// Errors: as write_rows(); kInvalidArgument with the server's hint when the cluster's
// [duplication-group] is without `cluster_id`, or `cluster_id` is its own. A REAL SERVER THAT IS IN
// NO GROUP ABORTS on such a request: know the group before (migration/copy/write_method.h).
Task<> duplicate_rows(Table& table, int32_t partition_index, std::vector<RawRow> rows,
                      DuplicateWrite how, Deadline deadline);

}  // namespace pegmove::client
