#include "migration/copy/copy.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <numeric>

#include "async/report_each_second.h"
#include "async/task_group.h"
#include "migration/copy/latency_probe.h"
#include "migration/copy/row_estimate.h"
#include "rows/table_rows.h"

namespace pegmove::migration {
namespace {

using async::milliseconds;
using std::chrono::duration_cast;

std::string what_it_waits_for(const PreparedCopy& copy) {
  for (auto [table, name] :
       {std::pair(copy.source.get(), "source: "), {copy.target.get(), "target: "}})
    if (const auto& waits = table->router().waits(); waits.calls > 0) return name + waits.reason;
  return "";
}

// Partitions of both tables.
struct Counts {
  int32_t source = 0;
  int32_t target = 0;

  static Counts of(const PreparedCopy& copy) {
    return {copy.source->partition_count(), copy.target->partition_count()};
  }
};

// Large enough for a full request to each target partition that the rows of one source partition
// can belong to.
int64_t batch_rows(const Counts& counts) {
  constexpr int64_t kRowsARequest = 500;
  return kRowsARequest * (counts.target / std::gcd(counts.source, counts.target));
}

// A partition split moves rows to the new partition, and a scan of the parent no longer sees them;
// and a DUPLICATE request that was made for the parent may contain rows of the child.
Task<> check_not_split(const PreparedCopy& copy, Counts before) {
  auto deadline = Deadline::in(copy.source->cluster().client().clock(), copy.options.timeout);
  CO_TRY(co_await copy.source->router().check_still_whole(before.source, deadline));
  if (!copy.options.duplicate) co_return Result<void>();
  co_return co_await copy.target->router().check_still_whole(before.target, deadline);
}

// The time of the servers' slowest clock; nullopt when one is not known.
std::optional<int64_t> clock_ahead_s(const inspect::SideFacts& side) {
  constexpr int64_t kSecond = 1'000'000;
  std::optional<int64_t> least_us;
  for (const auto& node : side.nodes) {
    if (!node.clock) return std::nullopt;
    least_us = std::min(least_us.value_or(node.clock->low_us), node.clock->low_us);
  }
  if (!least_us) return std::nullopt;
  return *least_us >= 0 ? *least_us / kSecond : (*least_us - kSecond + 1) / kSecond;
}

CopyReport report_of(const PreparedCopy& copy, const rows::PumpProgress& progress,
                     std::optional<client::JoinsUsed> joins, milliseconds elapsed) {
  CopyReport report{.rows = progress.rows,
                    .bytes = progress.bytes,
                    .rows_expired = progress.rows_expired,
                    .rows_kept = progress.rows_kept,
                    .rows_not_geo = progress.rows_not_geo,
                    .foreign = progress.foreign,
                    .rows_written_now = progress.rows_written_now,
                    .bytes_written_now = progress.bytes_written_now,
                    .rows_read = progress.rows_read,
                    .joins = std::move(joins),
                    .elapsed = elapsed,
                    .source_app_id = copy.source->app_id(),
                    .source_partitions = copy.source->partition_count(),
                    .target_app_id = copy.target->app_id(),
                    .target_partitions = copy.target->partition_count(),
                    .partition_rows = {},
                    .live = {}};
  for (const auto& lane : progress.lanes) report.partition_rows.push_back(lane.rows);
  return report;
}

}  // namespace

Task<CopyReport> copy_rows(PreparedCopy copy, const async::StopSignal& stop,
                           CopyListener listener) {
  const auto& options = copy.options;
  auto writing = CO_TRY(co_await write_options(options.rules, options.duplicate, *copy.source,
                                               *copy.target, options.retry_for));
  // A server that hangs must be noticed long before the time to retry is over.
  for (auto* table :
       {copy.source.get(), copy.target.get(), writing.geo ? writing.geo->table.get() : nullptr}) {
    if (!table) continue;
    table->router().set_attempt_timeout(options.timeout / 3);
    table->router().set_stop(&stop);
  }
  writing.clock_ahead_s = clock_ahead_s(copy.inspection.target);
  const Counts counts = Counts::of(copy);
  auto reading = read_options(options.rules, options.retry_for);
  if (options.duplicate) reading.batch_rows = batch_rows(counts);
  rows::TableSource from(copy.source, std::move(reading));
  rows::TableSink to(copy.target, std::move(writing));
  rows::Pump pump(from, to, stop, options.pump);

  auto& clock = copy.source->cluster().client().clock();
  const auto start = clock.now();
  auto elapsed = [&] { return duration_cast<milliseconds>(clock.now() - start); };
  RowEstimate estimate(copy.source, options.timeout);
  async::TaskGroup beside(co_await asio::this_coro::executor);
  if (options.rules.filters == rows::RowFilters{}) beside.spawn(estimate.run(from, pump, beside));
  if (auto* throttler = options.pump.throttler) {
    beside.spawn(probe_latency(copy.source, *throttler, beside));
    beside.spawn(probe_latency(copy.target, *throttler, beside));
  }
  if (listener)
    beside.spawn(async::report_each_second(clock, beside, [&] {
      listener({pump.progress(), elapsed(), copy.source->partition_count(),
                estimate.expected(pump.progress()), what_it_waits_for(copy),
                options.pump.throttler ? options.pump.throttler->why_slow() : "", to.joins_used()});
    }));
  auto moved = co_await pump.run();
  beside.stop();
  co_await beside.join();  // no result
  for (auto* table : {copy.source.get(), copy.target.get()}) table->router().set_stop(nullptr);
  CO_TRY(in_context(std::move(moved), fmt::format("copying table '{}'", options.table)));
  CO_TRY(co_await check_not_split(copy, counts));
  co_return report_of(copy, pump.progress(), to.joins_used(), elapsed());
}

}  // namespace pegmove::migration
