// The rows of a table are read by scans and written to another table.
#pragma once

#include <functional>
#include <optional>

#include "async/stop_signal.h"
#include "compare/live_verification.h"
#include "migration/copy/prepare_copy.h"

namespace pegmove::migration {

// The progress of a copy, reported once a second.
struct CopyStatus {
  const rows::PumpProgress& progress;
  async::milliseconds elapsed;
  int32_t partitions = 0;                // of the source
  std::optional<int64_t> expected_rows;  // row_estimate.h; becomes exact as partitions end
  std::string waits_for;                 // what the copy waits for now; "" for nothing
  std::string why_slow;                  // why the copy is throttled; "" when it is not
  std::optional<client::JoinsUsed> joins{};
};
using CopyListener = std::function<void(const CopyStatus&)>;

struct CopyReport {
  int64_t rows = 0;
  int64_t bytes = 0;              // keys and values
  int64_t rows_expired = 0;       // during the copy, so not written
  int64_t rows_kept = 0;          // not written, since they existed in the target
  int64_t rows_not_geo = 0;       // written without a geo row: no latitude and longitude
  client::ForeignRows foreign{};  // not written, since they are no rows of the table
  // Since this process began or resumed the copy:
  int64_t rows_written_now = 0;
  int64_t bytes_written_now = 0;
  int64_t rows_read = 0;  // from the source
  std::optional<client::JoinsUsed> joins{};
  async::milliseconds elapsed{};
  int32_t source_app_id = 0;
  int32_t source_partitions = 0;
  int32_t target_app_id = 0;
  int32_t target_partitions = 0;
  std::vector<int64_t> partition_rows;            // of the chosen source partitions
  std::optional<compare::LiveVerification> live;  // of a live copy
};

// Copies every row of the table, with its expiry as an absolute second. Rows that exist only in the
// target are kept. Writes to the source during the copy may or may not be copied. Safe to repeat;
// stopped by the signal it fails with kInterrupted, and what was written stays. A server that is
// down or refuses requests is tried again for options.retry_for. With options.pump.start it resumes
// there. Errors: all of client/table.h; kRefused when a table is split meanwhile.
Task<CopyReport> copy_rows(PreparedCopy copy, const async::StopSignal& stop, CopyListener listener);

}  // namespace pegmove::migration
