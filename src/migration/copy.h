// Method one: a table's rows are read by scans and written to another table.
#pragma once

#include <functional>
#include <optional>

#include "async/stop_signal.h"
#include "client/duplicate_write.h"
#include "client/table.h"
#include "rows/pump.h"

namespace pegmove::migration {

struct CopyOptions {
  std::string table{};
  std::string to_table{};               // empty: the same name
  bool create = false;                  // make the target table; it must not exist then
  std::optional<int32_t> partitions{};  // of a table to be made; the source's count by default
  async::milliseconds timeout{30'000};  // of one request, retries included
  rows::PumpOptions pump{};
  // Write to the target through DUPLICATE: see its contract.
  std::optional<client::DuplicateWrite> duplicate{};
};

// How far a copy is, once a second.
struct CopyStatus {
  const rows::PumpProgress& progress;
  async::milliseconds elapsed;
  int32_t partitions = 0;                // of the source
  std::optional<int64_t> expected_rows;  // an estimate; grows exact as partitions end
};
using CopyListener = std::function<void(const CopyStatus&)>;

struct CopyReport {
  int64_t rows = 0;
  int64_t bytes = 0;  // keys and values
  async::milliseconds elapsed{};
  int32_t source_app_id = 0;
  int32_t source_partitions = 0;
  int32_t target_app_id = 0;
  int32_t target_partitions = 0;
  std::vector<int64_t> partition_rows;  // by source partition
};

// A copy that has passed its checks: both tables are open, and the target has been made if asked.
struct PreparedCopy {
  CopyOptions options;
  std::shared_ptr<client::Table> source;
  std::shared_ptr<client::Table> target;
};

// Checks everything that can be wrong before the first row is written, then makes the target table
// if asked. Errors: kNotFound (no such table), kInvalidArgument (the target is the source itself),
// kAlreadyExists (create, and it exists), and all of client/cluster.h.
Task<PreparedCopy> prepare_copy(std::shared_ptr<client::Cluster> source,
                                std::shared_ptr<client::Cluster> target, CopyOptions options);

// Copies every row of the table; a row's expiry goes along as the absolute second it is. Rows of
// the target that the source has not stay. Writes to the source during the copy may or may not be
// seen. Safe to repeat; stopped by the signal it fails with kInterrupted, and what was written
// stays. Errors: all of client/table.h.
Task<CopyReport> copy_rows(PreparedCopy copy, const async::StopSignal& stop, CopyListener listener);

// Both, one after the other.
Task<CopyReport> copy_table(std::shared_ptr<client::Cluster> source,
                            std::shared_ptr<client::Cluster> target, CopyOptions options,
                            const async::StopSignal& stop, CopyListener listener);

// True when both handles mean one and the same table, under whatever names their clusters were
// given.
bool is_same_table(client::Table& a, client::Table& b);

}  // namespace pegmove::migration
