#include "rows/table_rows.h"

#include <fmt/format.h>

#include "async/all.h"
#include "base/bytes.h"
#include "record/expiry.h"
#include "record/hash.h"
#include "record/key.h"
#include "rows/write_modes.h"

namespace pegmove::rows {
namespace {

constexpr int32_t kFirstBatchRows = 10;   // of a mebibyte each, at worst
constexpr int32_t kMostBatchRows = 1000;  // servers return no more

int32_t most_rows(const TableReadOptions& options) {
  return std::clamp(options.most_rows, 1, kMostBatchRows);
}

int64_t size_of(const client::ScanBatch& batch) {
  int64_t size = 0;
  for (const auto& row : batch.rows) size += int64_t(row.key.size() + row.value.size());
  return size;
}

class PartitionLane : public Lane {
 public:
  PartitionLane(std::shared_ptr<client::Table> table, int32_t partition, std::string after,
                TableReadOptions options)
      : table_(std::move(table)), options_(std::move(options)) {
    auto scan = scan_options(options_);
    scan.batch_size = std::min(kFirstBatchRows, scan.batch_size);
    scanner_ = table_->scan_partition(partition, std::move(scan), std::move(after));
  }

  Task<std::optional<RowBatch>> next() override {
    auto batch = CO_TRY(co_await scan());
    while (batch && has_room(*batch)) {
      auto more = CO_TRY(co_await scan());
      if (!more) break;  // the next call sees it too
      join(*batch, std::move(*more));
    }
    co_return batch;
  }

 private:
  Task<std::optional<RowBatch>> scan() {
    auto& clock = table_->cluster().client().clock();
    auto batch = CO_TRY(co_await scanner_->next(Deadline::in(clock, options_.timeout)));
    if (!batch) co_return std::nullopt;
    fit_batch_size(size_of(*batch), int64_t(batch->rows.size()));
    last_reply_bytes_ = size_of(*batch);
    co_return CO_TRY(take_rows(std::move(*batch), options_));
  }

  // The replies of a scan have similar sizes.
  bool has_room(const RowBatch& batch) const {
    return batch.rows_read < options_.batch_rows &&
           batch.size() + last_reply_bytes_ <= options_.batch_bytes;
  }

  static void join(RowBatch& batch, RowBatch more) {
    auto both = std::make_shared<std::vector<SharedBytes>>();
    both->push_back(std::move(batch.bytes));
    both->push_back(std::move(more.bytes));
    batch.bytes = {std::move(both), {}};
    batch.rows.insert(batch.rows.end(), more.rows.begin(), more.rows.end());
    batch.rows_read += more.rows_read;
    batch.foreign += more.foreign;
    if (!more.last_key.empty()) batch.last_key = more.last_key;
  }

  // Small rows are read a thousand at a time; of large ones only as many as fit into the memory for
  // a batch.
  void fit_batch_size(int64_t bytes, int64_t rows) {
    if (rows == 0) return;
    auto most = int64_t(most_rows(options_));
    auto wanted = int32_t(std::clamp<int64_t>(options_.batch_bytes / (bytes / rows + 1), 1, most));
    auto now = scanner_->batch_size();
    if (wanted >= 2 * now || 2 * wanted <= now || (wanted == most && now < wanted))
      scanner_->set_batch_size(wanted);
  }

  std::shared_ptr<client::Table> table_;
  TableReadOptions options_;
  std::unique_ptr<client::Scanner> scanner_;
  int64_t last_reply_bytes_ = 0;
};

// The lane of a partition that does not exist.
class MissingLane : public Lane {
 public:
  explicit MissingLane(std::string what) : what_(std::move(what)) {}
  Task<std::optional<RowBatch>> next() override { co_return fail(Code::kInvalidArgument, what_); }

 private:
  std::string what_;
};

}  // namespace

client::ScanOptions scan_options(const TableReadOptions& options) {
  client::ScanOptions scan{
      .batch_size = most_rows(options),
      .no_value = !options.with_values && options.filters.value.match == Match::kAll,
      .return_expire_ts = options.with_expiry};
  options.filters.apply_to(scan);
  return scan;
}

Result<RowBatch> take_rows(client::ScanBatch batch, const TableReadOptions& options) {
  RowBatch out{.bytes = std::move(batch.bytes), .rows = {}};
  out.rows.reserve(batch.rows.size());
  for (const auto& row : batch.rows) {
    auto key = record::split_key(row.key);
    if (!key)
      return fail(Code::kProtocol,
                  fmt::format("a scan returned a malformed key: \"{}\"", base::printable(row.key)));
    if (!options.filters.accepts_rest(key->sort_key, row.value)) continue;
    out.rows.push_back({row.key, options.with_values ? row.value : std::string_view(),
                        options.with_expiry ? row.expire_ts : 0});
  }
  out.rows_read = batch.received();
  out.last_key = batch.last_key;
  for (const auto& row : batch.foreign) out.foreign.add(row);
  return out;
}

std::unique_ptr<Lane> TableSource::open_lane(int index, std::string after) {
  auto partition = partition_of(index), count = table_->partition_count();
  if (partition < 0 || partition >= count)
    return std::make_unique<MissingLane>(
        fmt::format("table '{}' has no partition {}: it has {}, counted from 0", table_->name(),
                    partition, count));
  return std::make_unique<PartitionLane>(table_, partition, std::move(after), options_);
}

std::optional<client::JoinsUsed> TableSink::joins_used() const {
  if (options_.duplicate || options_.mode != WriteMode::kPlain) return std::nullopt;
  return joins_.used();
}

Task<> TableSink::write_partition(int32_t index, std::vector<RawRow> rows, Deadline deadline,
                                  client::JoinThreshold::Batch& batch) {
  if (options_.duplicate)
    return client::duplicate_rows(*table_, index, std::move(rows), *options_.duplicate, deadline);
  return client::write_rows(*table_, index, std::move(rows), options_.max_request_bytes, deadline,
                            &batch);
}

Task<> TableSink::write_plain(std::span<const RawRow> rows) {
  std::vector<std::vector<RawRow>> by_partition(size_t(table_->partition_count()));
  for (const auto& row : rows) {
    auto hash = record::raw_key_hash(*record::split_key(row.key));
    by_partition[size_t(record::partition_index(hash, table_->partition_count()))].push_back(row);
  }
  auto deadline = Deadline::in(table_->cluster().client().clock(), options_.timeout);
  client::JoinThreshold::Batch batch(joins_);
  std::vector<Task<>> writes;
  for (size_t index = 0; index < by_partition.size(); ++index)
    if (!by_partition[index].empty())
      writes.push_back(
          write_partition(int32_t(index), std::move(by_partition[index]), deadline, batch));
  CO_TRY(co_await async::all(std::move(writes)));
  batch.written();
  co_return Result<void>();
}

Task<> TableSink::write_live(std::vector<RawRow> rows, WriteCounts& counts) {
  constexpr int32_t kMostSingleRows = 500;
  const bool all_at_once = options_.most_rows_at_once <= 0;
  const auto singles = size_t(all_at_once ? kMostSingleRows : options_.most_rows_at_once);
  switch (options_.mode) {
    case WriteMode::kPlain: {
      const auto part = all_at_once ? rows.size() : singles;
      for (std::span<const RawRow> rest(rows); !rest.empty();) {
        auto next = rest.first(std::min(part, rest.size()));
        rest = rest.subspan(next.size());
        CO_TRY(co_await write_plain(next));
      }
      break;
    }
    case WriteMode::kNoOverwrite:
      counts.kept =
          CO_TRY(co_await write_absent(*table_, std::move(rows), singles, options_.timeout));
      break;
    case WriteMode::kMultiSet:
      CO_TRY(co_await write_multi_sets(*table_, std::move(rows), options_.max_request_bytes,
                                       size_t(std::max(options_.most_multi_sets, 1)),
                                       options_.timeout));
      break;
    case WriteMode::kGeo:
      counts.not_geo = CO_TRY(
          co_await write_geo(*table_, *options_.geo, std::move(rows), singles, options_.timeout));
      break;
  }
  co_return Result<void>();
}

Task<WriteCounts> TableSink::write(const RowBatch& batch) {
  WriteCounts counts;
  std::vector<RawRow> live;
  live.reserve(batch.rows.size());
  // At time 0 nothing has expired.
  uint32_t now = 0;
  if (options_.clock_ahead_s)
    now = record::pegasus_seconds(table_->cluster().client().clock().unix_seconds() +
                                  *options_.clock_ahead_s);
  for (const auto& row : batch.rows)
    if (!record::is_expired(row.expire_ts, now)) live.push_back(row);
  const auto rows = int64_t(live.size());
  counts.expired = int64_t(batch.rows.size()) - rows;
  if (rows > 0) CO_TRY(co_await write_live(std::move(live), counts));
  counts.written = rows - counts.kept;
  co_return counts;
}

}  // namespace pegmove::rows
