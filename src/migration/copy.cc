#include "migration/copy.h"

#include <algorithm>
#include <boost/asio/this_coro.hpp>

#include "async/task_group.h"
#include "migration/latency.h"
#include "migration/progress.h"
#include "rows/table_rows.h"

namespace pegmove::migration {
namespace {

using async::milliseconds;
using std::chrono::duration_cast;

// How many rows the source has, from one partition: hashing spreads hash keys evenly over them.
Routine<> estimate_rows(std::shared_ptr<client::Table> table, const async::StopSignal& stop,
                        milliseconds timeout, int64_t& rows_of_one) {
  int64_t rows = 0;
  auto scanner = table->scan_partition(0, {.batch_size = 1000, .only_count = true});
  while (!stop.requested()) {
    auto batch = co_await scanner->next(Deadline::in(table->cluster().client().clock(), timeout));
    if (!batch) co_return;  // no estimate; the copy itself reports what is wrong
    if (!*batch) break;
    rows += (*batch)->count;
  }
  if (!stop.requested()) rows_of_one = rows;
}

std::optional<int64_t> expected_rows(const rows::PumpProgress& progress, int64_t rows_of_one) {
  int64_t known = 0;
  for (const auto& lane : progress.lanes)
    if (lane.done) known += lane.rows + lane.expired + lane.kept;
  auto open = int64_t(progress.lanes.size()) - progress.lanes_done;
  int64_t of_one = progress.lanes_done > 0 ? known / progress.lanes_done : rows_of_one;
  if (of_one < 0) return std::nullopt;
  return std::max(known + open * of_one, progress.rows);
}

std::string what_it_waits_for(const PreparedCopy& copy) {
  for (auto [table, name] :
       {std::pair(copy.source.get(), "source: "), {copy.target.get(), "target: "}})
    if (const auto& waits = table->router().waits(); waits.calls > 0) return name + waits.reason;
  return "";
}

CopyReport report_of(const PreparedCopy& copy, const rows::PumpProgress& progress,
                     milliseconds elapsed) {
  CopyReport report{.rows = progress.rows,
                    .bytes = progress.bytes,
                    .rows_expired = progress.rows_expired,
                    .rows_kept = progress.rows_kept,
                    .rows_not_geo = progress.rows_not_geo,
                    .rows_written_now = progress.rows_written_now,
                    .bytes_written_now = progress.bytes_written_now,
                    .rows_read = progress.rows_read,
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

Task<CopyReport> copy_table(std::shared_ptr<client::Cluster> source,
                            std::shared_ptr<client::Cluster> target, CopyOptions options,
                            const async::StopSignal& stop, CopyListener listener) {
  auto prepared =
      CO_TRY(co_await prepare_copy(std::move(source), std::move(target), std::move(options)));
  auto report = CO_TRY(co_await copy_rows(prepared, stop, std::move(listener)));
  CO_TRY(co_await finish_target(*prepared.target, envs_after_copy(prepared),
                                prepared.options.timeout));
  co_return report;
}

Task<CopyReport> copy_rows(PreparedCopy copy, const async::StopSignal& stop,
                           CopyListener listener) {
  const auto& options = copy.options;
  auto writing = CO_TRY(co_await write_options(options.rules, options.duplicate, *copy.source,
                                               *copy.target, options.retry_for));
  // A server that hangs is to be noticed long before the time to retry is over.
  for (auto* table :
       {copy.source.get(), copy.target.get(), writing.geo ? writing.geo->table.get() : nullptr}) {
    if (!table) continue;
    table->router().set_attempt_timeout(options.timeout / 3);
    table->router().set_stop(&stop);
  }
  rows::TableSource from(copy.source, read_options(options.rules, options.retry_for));
  rows::TableSink to(copy.target, std::move(writing));
  rows::Pump pump(from, to, stop, options.pump);

  auto& clock = copy.source->cluster().client().clock();
  const auto start = clock.now();
  auto elapsed = [&] { return duration_cast<milliseconds>(clock.now() - start); };
  async::StopSignal copied;
  int64_t rows_of_one = -1;
  async::TaskGroup beside(co_await asio::this_coro::executor);
  if (options.rules.filters == rows::RowFilters{})
    beside.spawn(estimate_rows(copy.source, copied, options.timeout, rows_of_one));
  if (auto* pace = options.pump.pace) {
    beside.spawn(feel_latency(copy.source, *pace, beside));
    beside.spawn(feel_latency(copy.target, *pace, beside));
  }
  if (listener)
    beside.spawn(tell_each_second(clock, beside, [&] {
      listener({pump.progress(), elapsed(), copy.source->partition_count(),
                expected_rows(pump.progress(), rows_of_one), what_it_waits_for(copy),
                options.pump.pace ? options.pump.pace->why_slow() : ""});
    }));
  auto moved = co_await pump.run();
  copied.request();
  beside.stop();
  co_await beside.join();  // no result
  for (auto* table : {copy.source.get(), copy.target.get()}) table->router().set_stop(nullptr);
  CO_TRY(in_context(std::move(moved), "copying table '" + options.table + "'"));
  co_return report_of(copy, pump.progress(), elapsed());
}

}  // namespace pegmove::migration
