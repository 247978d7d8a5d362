#include "compare/merged_scan.h"

#include <fmt/format.h>

#include <algorithm>

#include "async/all.h"

namespace pegmove::compare {
namespace {

constexpr int64_t kBatchBytes = 256 << 10;

// For heaps with the smallest key in front.
template <typename Lane>
bool later(const Lane* a, const Lane* b) {
  return a->row().key > b->row().key;
}

}  // namespace

MergedScan::MergedScan(std::shared_ptr<client::Table> table, const std::vector<int32_t>& partitions,
                       const MergedScanOptions& options)
    : table_(std::move(table)),
      timeout_(options.timeout),
      most_batch_rows_(options.most_batch_rows) {
  for (auto index : partitions)
    lanes_.push_back({.scanner = table_->scan_partition(
                          index, {.batch_size = options.first_batch_rows, .return_expire_ts = true},
                          options.after),
                      .batch = {},
                      .last_key = options.after});
}

Task<> MergedScan::fill(Lane& lane) {
  auto& clock = table_->cluster().client().clock();
  do {
    auto batch = CO_TRY(co_await lane.scanner->next(Deadline::in(clock, timeout_)));
    lane.done = !batch;
    CO_TRY(take(lane, batch ? std::move(*batch) : client::ScanBatch{}));
  } while (!lane.done && lane.batch.rows.empty());
  if (lane.done) co_return Result<void>();
  int64_t bytes = 1;
  for (const auto& row : lane.batch.rows) bytes += int64_t(row.key.size() + row.value.size());
  auto wanted = std::clamp<int64_t>(kBatchBytes * int64_t(lane.batch.rows.size()) / bytes, 1,
                                    most_batch_rows_);
  if (auto now = lane.scanner->batch_size(); wanted >= 2 * now || 2 * wanted <= now)
    lane.scanner->set_batch_size(int32_t(wanted));
  co_return Result<void>();
}

// The rows must go on after those of the previous batch.
Result<void> MergedScan::take(Lane& lane, client::ScanBatch batch) {
  if (!lane.batch.rows.empty()) lane.last_key = lane.batch.rows.back().key;
  lane.next = 0;
  std::string_view last = lane.last_key;
  for (const auto& row : batch.rows) {
    if (!last.empty() && row.key <= last)
      return fail(Code::kProtocol,
                  fmt::format("partition {} of table '{}' returns rows out of order",
                              lane.scanner->partition_index(), table_->name()));
    last = row.key;
  }
  for (auto& row : batch.foreign) lane.foreign.push_back(std::move(row));
  lane.batch = std::move(batch);
  return {};
}

client::ForeignRows MergedScan::take_foreign(std::string_view up_to) {
  client::ForeignRows taken;
  for (auto& lane : lanes_)
    for (; !lane.foreign.empty() && lane.foreign.front().key <= up_to; lane.foreign.pop_front())
      taken.add(lane.foreign.front());
  return taken;
}

client::ForeignRows MergedScan::take_foreign() {
  client::ForeignRows taken;
  for (auto& lane : lanes_)
    for (const auto& row : std::exchange(lane.foreign, {})) taken.add(row);
  return taken;
}

Task<const wire::KeyValueView*> MergedScan::advance() {
  if (!std::exchange(started_, true)) {
    std::vector<Task<>> fills;
    for (auto& lane : lanes_) fills.push_back(fill(lane));
    CO_TRY(co_await async::all(std::move(fills)));
    for (auto& lane : lanes_)
      if (!lane.done) heap_.push_back(&lane);
    std::ranges::make_heap(heap_, later<Lane>);
    co_return take_least();
  }
  if (current_) {
    ++current_->next;
    if (!current_->is_ready()) CO_TRY(co_await fill(*current_));
  }
  co_return take_least();
}

const wire::KeyValueView* MergedScan::advance_if_ready() {
  if (!current_ || current_->done || current_->next + 1 >= current_->batch.rows.size())
    return nullptr;
  ++current_->next;
  return take_least();
}

// Puts the lane whose row was returned last back into the heap, and returns the smallest row.
const wire::KeyValueView* MergedScan::take_least() {
  if (current_ && !current_->done) {
    heap_.push_back(current_);
    std::ranges::push_heap(heap_, later<Lane>);
  }
  current_ = nullptr;
  if (heap_.empty()) return nullptr;
  std::ranges::pop_heap(heap_, later<Lane>);
  current_ = heap_.back();
  heap_.pop_back();
  return &current_->row();
}

}  // namespace pegmove::compare
