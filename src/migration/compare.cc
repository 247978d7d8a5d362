#include "migration/compare.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <numeric>

#include "async/all.h"
#include "async/task_group.h"
#include "base/bytes.h"
#include "migration/merged_scan.h"
#include "migration/progress.h"
#include "record/expiry.h"
#include "record/key.h"

namespace pegmove::migration {
namespace {

using async::milliseconds;
using wire::KeyValueView;

// A row that expires while both sides are read may be seen on one of them only.
constexpr uint32_t kExpiryMargin = 5;

void add_row(RowSum& sum, const KeyValueView& row) {
  uint32_t sizes[3] = {uint32_t(row.key.size()), uint32_t(row.value.size()), row.expire_ts};
  auto seed = XXH3_64bits(sizes, sizeof sizes);
  auto key = XXH3_128bits_withSeed(row.key.data(), row.key.size(), seed);
  auto whole = XXH3_128bits_withSeed(row.value.data(), row.value.size(), key.low64 ^ key.high64);
  auto low = sum.low + whole.low64;
  sum.high += whole.high64 + (low < sum.low ? 1 : 0);
  sum.low = low;
}

// One gcd class: the partitions of both sides whose rows can be the same.
class ClassComparison {
 public:
  ClassComparison(MergedScan source, MergedScan target, CompareReport& report, size_t most_listed,
                  Clock& clock, const async::StopSignal& stop)
      : source_(std::move(source)),
        target_(std::move(target)),
        report_(report),
        most_listed_(most_listed),
        clock_(clock),
        stop_(stop) {}

  Task<> run() {
    const auto* left = CO_TRY(co_await source_.advance());
    const auto* right = CO_TRY(co_await target_.advance());
    while (left || right) {
      if (stop_.requested()) co_return fail(Code::kInterrupted, "stopped on request");
      int order = !left ? 1 : !right ? -1 : left->key.compare(right->key);
      if (order < 0) note_single(DifferenceKind::kMissing, *left);
      if (order > 0) note_single(DifferenceKind::kExtra, *right);
      if (order == 0) compare_values(*left, *right);
      if (order <= 0) left = CO_TRY(co_await next_source(*left));
      if (order >= 0) right = CO_TRY(co_await next_target(*right));
    }
    co_return Result<void>();
  }

 private:
  Task<const KeyValueView*> next_source(const KeyValueView& row) {
    ++report_.source_rows;
    add_row(report_.source_sum, row);
    if (const auto* ready = source_.advance_if_ready()) co_return ready;
    co_return co_await source_.advance();
  }
  Task<const KeyValueView*> next_target(const KeyValueView& row) {
    ++report_.target_rows;
    add_row(report_.target_sum, row);
    if (const auto* ready = target_.advance_if_ready()) co_return ready;
    co_return co_await target_.advance();
  }

  void note_single(DifferenceKind kind, const KeyValueView& row) {
    auto now = record::pegasus_seconds(clock_.unix_seconds());
    if (record::is_expired(row.expire_ts, now + kExpiryMargin)) return;
    note(kind, row);
  }
  void compare_values(const KeyValueView& source, const KeyValueView& target) {
    if (source.value != target.value)
      note(DifferenceKind::kValue, source);
    else if (source.expire_ts != target.expire_ts)
      note(DifferenceKind::kExpiry, source);
  }
  void note(DifferenceKind kind, const KeyValueView& row) {
    switch (kind) {
      case DifferenceKind::kMissing: ++report_.missing; break;
      case DifferenceKind::kExtra: ++report_.extra; break;
      case DifferenceKind::kValue: ++report_.value_differs; break;
      case DifferenceKind::kExpiry: ++report_.expiry_differs; break;
    }
    if (report_.differences.size() >= most_listed_) return;
    auto parts = record::split_key(row.key).value_or(record::KeyParts{row.key, {}});
    report_.differences.push_back({kind, std::string(parts.hash_key), std::string(parts.sort_key)});
  }

  MergedScan source_;
  MergedScan target_;
  CompareReport& report_;
  size_t most_listed_;
  Clock& clock_;
  const async::StopSignal& stop_;
};

struct Comparison {
  std::shared_ptr<client::Table> source;
  std::shared_ptr<client::Table> target;
  const CompareOptions& options;
  const async::StopSignal& stop;
  CompareReport report;
  int classes = 0;
  int next_class = 0;

  static std::vector<int32_t> partitions_of_class(int number, int classes, int partition_count) {
    std::vector<int32_t> partitions;
    for (int index = number; index < partition_count; index += classes) partitions.push_back(index);
    return partitions;
  }

  Task<> run_classes() {
    while (next_class < classes) {
      int number = next_class++;
      MergedScan left(source, partitions_of_class(number, classes, source->partition_count()),
                      options.timeout);
      MergedScan right(target, partitions_of_class(number, classes, target->partition_count()),
                       options.timeout);
      ClassComparison comparison(std::move(left), std::move(right), report, options.most_listed,
                                 source->cluster().client().clock(), stop);
      CO_TRY(co_await comparison.run());
    }
    co_return Result<void>();
  }
};

}  // namespace

std::string_view to_string(DifferenceKind kind) {
  switch (kind) {
    case DifferenceKind::kMissing: return "missing";
    case DifferenceKind::kExtra: return "extra";
    case DifferenceKind::kValue: return "value";
    case DifferenceKind::kExpiry: return "expiry";
  }
  return "unknown";
}

std::string RowSum::to_hex() const {
  std::string bytes;
  base::append_big_endian(bytes, high);
  base::append_big_endian(bytes, low);
  return base::to_hex(bytes);
}

Task<CompareReport> compare_tables(std::shared_ptr<client::Cluster> source,
                                   std::shared_ptr<client::Cluster> target, CompareOptions options,
                                   const async::StopSignal& stop, CompareListener listener) {
  if (options.to_table.empty()) options.to_table = options.table;
  auto& clock = source->client().clock();
  auto deadline = [&] { return Deadline::in(clock, options.timeout); };
  Comparison comparison{
      .source = CO_TRY(co_await client::Table::open(source, options.table, deadline())),
      .target = CO_TRY(co_await client::Table::open(target, options.to_table, deadline())),
      .options = options,
      .stop = stop,
      .report = {}};
  comparison.classes =
      std::gcd(comparison.source->partition_count(), comparison.target->partition_count());

  const auto start = clock.now();
  auto elapsed = [&] { return std::chrono::duration_cast<milliseconds>(clock.now() - start); };
  async::TaskGroup beside(co_await asio::this_coro::executor);
  if (listener)
    beside.spawn(tell_each_second(clock, beside, [&] { listener(comparison.report, elapsed()); }));
  std::vector<Task<>> workers;
  for (int i = 0; i < std::clamp(options.classes_at_once, 1, comparison.classes); ++i)
    workers.push_back(comparison.run_classes());
  auto compared = co_await async::all(std::move(workers));
  beside.stop();
  co_await beside.join();  // no result
  CO_TRY(in_context(std::move(compared), "comparing table '" + options.table + "'"));
  comparison.report.elapsed = elapsed();
  co_return std::move(comparison.report);
}

}  // namespace pegmove::migration
