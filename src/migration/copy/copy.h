// The rows of a table are read by scans and written to another table.
#pragma once

#include <functional>
#include <optional>

#include "async/stop_signal.h"
#include "compare/live_verification.h"
#include "migration/copy/prepare_copy.h"

namespace pegmove::migration {

// How far a copy is, once a second.
struct CopyStatus {
  const rows::PumpProgress& progress;
  async::milliseconds elapsed;
  int32_t partitions = 0;                // of the source
  std::optional<int64_t> expected_rows;  // an estimate; grows exact as partitions end
  std::string waits_for;                 // what stands in its way now; "" for nothing
  std::string why_slow;                  // why it goes slower than it could; "" for nothing
};
using CopyListener = std::function<void(const CopyStatus&)>;

struct CopyReport {
  int64_t rows = 0;
  int64_t bytes = 0;         // keys and values
  int64_t rows_expired = 0;  // on the way, so not written
  int64_t rows_kept = 0;     // not written, since the target had them already
  int64_t rows_not_geo = 0;  // written without a geo row: their values have no point
  // Since the copy last began or went on:
  int64_t rows_written_now = 0;
  int64_t bytes_written_now = 0;
  int64_t rows_read = 0;  // from the source
  async::milliseconds elapsed{};
  int32_t source_app_id = 0;
  int32_t source_partitions = 0;
  int32_t target_app_id = 0;
  int32_t target_partitions = 0;
  std::vector<int64_t> partition_rows;            // by source partition, of those that were chosen
  std::optional<compare::LiveVerification> live;  // of a live copy
};

// Copies every row of the table; a row's expiry goes along as the absolute second it is. Rows of
// the target that the source has not stay. Writes to the source during the copy may or may not be
// seen. Safe to repeat; stopped by the signal it fails with kInterrupted, and what was written
// stays. A server that is away or refuses is tried again for options.retry_for. With
// options.pump.start it goes on there. Errors: all of client/table.h.
Task<CopyReport> copy_rows(PreparedCopy copy, const async::StopSignal& stop, CopyListener listener);

}  // namespace pegmove::migration
