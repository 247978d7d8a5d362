// A table as a source and as a sink of rows.
#pragma once

#include "client/duplicate_write.h"
#include "client/join_threshold.h"
#include "client/table.h"
#include "geo/geo_key.h"
#include "rows/pump.h"
#include "rows/row_filter.h"

namespace pegmove::rows {

struct TableReadOptions {
  async::milliseconds timeout{30'000};  // of one request, retries included
  int64_t batch_bytes = 512 << 10;      // approximately, by requesting fewer or more rows
  int64_t batch_rows = 0;    // approximately, by joining replies up to batch_bytes; 0: one reply
  int32_t most_rows = 1000;  // of a scan request; servers return at most 1000
  std::vector<int32_t> partitions{};  // those that are read, one lane each; empty: all
  RowFilters filters{};               // only rows that they accept
  bool with_values = true;            // false: rows have empty values
  bool with_expiry = true;            // false: rows never expire
};

// How a partition is scanned for these options.
client::ScanOptions scan_options(const TableReadOptions& options);

// The rows of a scan with scan_options() that the filters accept. The batch's last_key and
// rows_read also count rows that are left out here, and foreign rows; rows that servers leave out
// are not seen.
// Errors: kProtocol for malformed keys.
Result<RowBatch> take_rows(client::ScanBatch batch, const TableReadOptions& options);

// One lane per partition, read by scans.
class TableSource : public RowSource {
 public:
  TableSource(std::shared_ptr<client::Table> table, TableReadOptions options = {})
      : table_(std::move(table)),
        options_(std::move(options)),
        lanes_(options_.partitions.empty() ? table_->partition_count()
                                           : int(options_.partitions.size())) {}
  // As many as at the beginning, even if the table is split meanwhile: the caller must check that.
  int lanes() const override { return lanes_; }
  // The partition that a lane reads. A lane of one that the table does not have fails with
  // kInvalidArgument.
  int32_t partition_of(int lane) const {
    return options_.partitions.empty() ? lane : options_.partitions[size_t(lane)];
  }
  std::unique_ptr<Lane> open_lane(int index, std::string after) override;

 private:
  std::shared_ptr<client::Table> table_;  // shared with the lanes
  TableReadOptions options_;
  int lanes_;
};

// How rows are written.
enum class WriteMode {
  kPlain,        // existing rows are overwritten
  kNoOverwrite,  // existing rows are kept: CHECK_AND_SET for each row
  kMultiSet,     // MULTI_PUT for all rows of a batch with the same hash key and the same expiry,
                 // neighbours or not; rows with an empty hash key go by PUT
  kGeo,          // to a pair of tables, as Pegasus's geo client does (geo/geo_key.h)
};

// The second table of the pair, beside the sink's own.
struct GeoTarget {
  std::shared_ptr<client::Table> table{};  // shared with the caller that opened it
  geo::Layout layout{};
};

struct TableWriteOptions {
  async::milliseconds timeout{30'000};  // of a batch, in parts of most_rows_at_once; of a request
                                        // in the modes other than kPlain. Retries included
  size_t max_request_bytes = 64 << 10;  // of a MULTI_PUT; far below what servers refuse
  // Through DUPLICATE instead of plain writes; max_request_bytes does not count then.
  // With kPlain only.
  std::optional<client::DuplicateWrite> duplicate{};
  WriteMode mode = WriteMode::kPlain;
  // Whether rows of one hash key go by MULTI_PUT or PUT; measured unless a benchmark fixes it. With
  // kPlain only; kMultiSet always joins them.
  client::Joins joins = client::Joins::kMeasured;
  int32_t most_rows_at_once = 0;   // in flight, of a batch; 0: all of it (kNoOverwrite, kGeo: 500)
  int32_t most_multi_sets = 20;    // in flight, of a batch
  std::optional<GeoTarget> geo{};  // with kGeo, and only then
  // How many seconds the slowest clock of the table's servers is ahead of this machine's: rows that
  // have expired by that clock are left out. nullopt: it is not known, and all rows are written;
  // writing expired rows does no harm.
  std::optional<int64_t> clock_ahead_s{};
};

// Writes each row to its partition, all partitions in parallel. Expired rows are left out
// (options.clock_ahead_s). All modes are safe to repeat. Precondition, except for kPlain: no two
// rows of a batch have the same key.
//
// kNoOverwrite: a row whose request had to be sent again without an answer to the first counts as
// kept even if that first request wrote it (client/put_if_absent.h).
// kGeo: the geo row of the old value is removed, then both rows are written with the same expiry.
// A row whose value has no latitude and longitude is written only to the common table, and counts
// as not_geo. While a row is written, readers may see it in only one of the two tables.
class TableSink : public RowSink {
 public:
  TableSink(std::shared_ptr<client::Table> table, TableWriteOptions options = {})
      : table_(std::move(table)),
        options_(std::move(options)),
        joins_(table_->cluster().client().clock(), options_.joins) {}
  Task<WriteCounts> write(const RowBatch& batch) override;
  // How this sink has sent its rows; nullopt when there was nothing to choose (DUPLICATE, and the
  // modes other than kPlain).
  std::optional<client::JoinsUsed> joins_used() const;

 private:
  // The rows must stay valid until it returns.
  Task<> write_plain(std::span<const RawRow> rows);
  Task<> write_partition(int32_t index, std::vector<RawRow> rows, Deadline deadline,
                         client::JoinThreshold::Batch& batch);
  Task<> write_live(std::vector<RawRow> rows, WriteCounts& counts);

  std::shared_ptr<client::Table> table_;
  TableWriteOptions options_;
  client::JoinThreshold joins_;
};

}  // namespace pegmove::rows
