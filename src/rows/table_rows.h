// A table as a source and as a sink of rows.
#pragma once

#include "client/duplicate_write.h"
#include "client/table.h"
#include "rows/pump.h"

namespace pegmove::rows {

struct TableReadOptions {
  async::milliseconds timeout{30'000};  // of one request, retries included
  int64_t batch_bytes = 512 << 10;      // aimed at, by asking for fewer or more rows
};

// A lane a partition, by scans.
class TableSource : public RowSource {
 public:
  TableSource(std::shared_ptr<client::Table> table, TableReadOptions options = {})
      : table_(std::move(table)), options_(options) {}
  int lanes() const override { return table_->partition_count(); }
  std::unique_ptr<Lane> open_lane(int index, std::string after) override;

 private:
  std::shared_ptr<client::Table> table_;  // shared with the lanes
  TableReadOptions options_;
};

struct TableWriteOptions {
  async::milliseconds timeout{30'000};  // of a batch, retries included
  size_t max_request_bytes = 64 << 10;  // of a MULTI_PUT; far below what servers refuse
  // Through DUPLICATE instead of plain writes; max_request_bytes does not count then.
  std::optional<client::DuplicateWrite> duplicate{};
};

// Each row to its partition, all partitions at once. Rows overwrite what stands there, unless
// options.duplicate says otherwise. Rows that have expired are left out.
class TableSink : public RowSink {
 public:
  TableSink(std::shared_ptr<client::Table> table, TableWriteOptions options = {})
      : table_(std::move(table)), options_(options) {}
  Task<WriteCounts> write(const RowBatch& batch) override;

 private:
  Task<> write_partition(int32_t index, std::vector<RawRow> rows, Deadline deadline);

  std::shared_ptr<client::Table> table_;
  TableWriteOptions options_;
};

}  // namespace pegmove::rows
