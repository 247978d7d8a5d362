// Writes many rows through DUPLICATE, as a cluster that duplicates to this one does: hundreds of
// rows per request, with any hash keys, and each row with a time that the caller chooses.
#pragma once

#include "client/bulk_write.h"

namespace pegmove::client {

// The cluster id and the time with which rows are written.
struct DuplicateWrite {
  // 1 to 127: the id of another cluster in the target's [duplication-group].
  int8_t cluster_id = 0;
  // Unix time of every row. A REAL SERVER ABORTS, with all its tables, on a time later than its own
  // clock: give one that is minutes in the past. Alarms on lagging duplicated writes may be
  // triggered.
  int64_t timestamp_us = 0;
  // A row that exists in the target with the same or a later time, and has not expired, is kept.
  // Without it every row overwrites. Rows that INCR, CHECK_AND_SET or CHECK_AND_MUTATE wrote have
  // the time 0 and are overwritten; removed rows reappear.
  bool verify_timetag = false;
};

// Writes all rows, in requests of at most 1000 rows and (except for a single row) 512 KiB. All of
// them are in flight at the same time; a failed one is sent again by itself until the deadline.
// Returns when every row is written or kept, or with the first error that a retry cannot fix; some
// rows may be written then. Safe to repeat. Of rows with the same key the last one counts, with
// verify_timetag the first. Precondition: all rows belong to the partition. Errors: as
// write_rows(); kInvalidArgument with the server's hint when the cluster's [duplication-group] does
// not have `cluster_id`, or `cluster_id` is its own. A REAL SERVER THAT IS IN NO GROUP ABORTS on
// such a request: check the group first (migration/copy/write_method.h).
Task<> duplicate_rows(Table& table, int32_t partition_index, std::vector<RawRow> rows,
                      DuplicateWrite how, Deadline deadline);

}  // namespace pegmove::client
