#include "rows/table_rows.h"

#include "async/all.h"
#include "base/bytes.h"
#include "record/expiry.h"
#include "record/hash.h"
#include "record/key.h"

namespace pegmove::rows {
namespace {

constexpr int32_t kFirstBatchRows = 10;   // of a mebibyte each, at worst
constexpr int32_t kMostBatchRows = 1000;  // servers give no more

class PartitionLane : public Lane {
 public:
  PartitionLane(std::shared_ptr<client::Table> table, int index, std::string after,
                TableReadOptions options)
      : table_(std::move(table)),
        options_(options),
        scanner_(table_->scan_partition(
            index, {.batch_size = kFirstBatchRows, .return_expire_ts = true}, std::move(after))) {}

  Task<std::optional<RowBatch>> next() override {
    auto& clock = table_->cluster().client().clock();
    auto batch = CO_TRY(co_await scanner_->next(Deadline::in(clock, options_.timeout)));
    if (!batch) co_return std::nullopt;
    RowBatch out{.bytes = std::move(batch->bytes), .rows = {}};
    out.rows.reserve(batch->rows.size());
    for (const auto& row : batch->rows) {
      if (!record::split_key(row.key))
        co_return fail(Code::kProtocol,
                       "a scan returned a malformed key: \"" + base::printable(row.key) + "\"");
      out.rows.push_back({row.key, row.value, row.expire_ts});
    }
    out.rows_read = int64_t(batch->rows.size());
    if (!batch->rows.empty()) out.last_key = batch->rows.back().key;
    fit_batch_size(out);
    co_return out;
  }

 private:
  // Small rows come a thousand at a time; of large ones only as many as fit the memory meant for
  // them.
  void fit_batch_size(const RowBatch& batch) {
    if (batch.rows.empty()) return;
    auto row_size = batch.size() / int64_t(batch.rows.size()) + 1;
    auto wanted = int32_t(std::clamp<int64_t>(options_.batch_bytes / row_size, 1, kMostBatchRows));
    auto now = scanner_->batch_size();
    if (wanted >= 2 * now || 2 * wanted <= now) scanner_->set_batch_size(wanted);
  }

  std::shared_ptr<client::Table> table_;
  TableReadOptions options_;
  std::unique_ptr<client::Scanner> scanner_;
};

}  // namespace

std::unique_ptr<Lane> TableSource::open_lane(int index, std::string after) {
  return std::make_unique<PartitionLane>(table_, index, std::move(after), options_);
}

Task<> TableSink::write_partition(int32_t index, std::vector<RawRow> rows, Deadline deadline) {
  if (options_.duplicate)
    return client::duplicate_rows(*table_, index, std::move(rows), *options_.duplicate, deadline);
  return client::write_rows(*table_, index, std::move(rows), options_.max_request_bytes, deadline);
}

Task<WriteCounts> TableSink::write(const RowBatch& batch) {
  auto& clock = table_->cluster().client().clock();
  const auto now = record::pegasus_seconds(clock.unix_seconds());
  WriteCounts counts;
  std::vector<std::vector<RawRow>> by_partition(size_t(table_->partition_count()));
  for (const auto& row : batch.rows) {
    if (record::is_expired(row.expire_ts, now)) {
      ++counts.expired;
      continue;
    }
    ++counts.written;
    auto hash = record::raw_key_hash(*record::split_key(row.key));
    by_partition[size_t(record::partition_index(hash, table_->partition_count()))].push_back(row);
  }
  auto deadline = Deadline::in(clock, options_.timeout);
  std::vector<Task<>> writes;
  for (size_t index = 0; index < by_partition.size(); ++index)
    if (!by_partition[index].empty())
      writes.push_back(write_partition(int32_t(index), std::move(by_partition[index]), deadline));
  CO_TRY(co_await async::all(std::move(writes)));
  co_return counts;
}

}  // namespace pegmove::rows
