#include "migration/copy.h"

#include <algorithm>
#include <boost/asio/this_coro.hpp>

#include "async/task_group.h"
#include "migration/progress.h"
#include "rows/table_rows.h"

namespace pegmove::migration {
namespace {

using async::milliseconds;
using std::chrono::duration_cast;

constexpr milliseconds kCreateTimeout{60'000};

Task<> create_target(client::Cluster& source, client::Cluster& target, const CopyOptions& options) {
  auto& clock = target.client().clock();
  auto info =
      CO_TRY(co_await source.table_info(options.table, Deadline::in(clock, options.timeout)));
  client::CreateOptions create{.partition_count = options.partitions.value_or(info.partition_count),
                               .replica_count = info.replica_count};
  auto deadline = Deadline::in(clock, kCreateTimeout);
  auto created = co_await target.create_table(options.to_table, create, deadline);
  if (!created && created.error().code() == Code::kAlreadyExists)
    co_return fail(Code::kAlreadyExists, "table '" + options.to_table + "' exists on cluster " +
                                             target.name() +
                                             " already; leave out --create to copy into it");
  CO_TRY(std::move(created));
  co_return co_await target.wait_until_ready(options.to_table, {}, deadline);
}

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
  for (size_t i = 0; i < progress.lane_rows.size(); ++i)
    if (progress.lane_done[i]) known += progress.lane_rows[i];
  auto open = int64_t(progress.lane_rows.size()) - progress.lanes_done;
  int64_t of_one = progress.lanes_done > 0 ? known / progress.lanes_done : rows_of_one;
  if (of_one < 0) return std::nullopt;
  return std::max(known + open * of_one, progress.rows);
}

}  // namespace

bool is_same_table(client::Table& a, client::Table& b) {
  if (a.app_id() != b.app_id() || a.partition_count() != b.partition_count()) return false;
  // One node serves a partition of one cluster only.
  for (int index = 0; index < a.partition_count(); ++index) {
    auto *of_a = a.router().primary_channel(index), *of_b = b.router().primary_channel(index);
    if (of_a && of_b) return of_a->address() == of_b->address();
  }
  return a.cluster().meta_list() == b.cluster().meta_list();
}

Task<PreparedCopy> prepare_copy(std::shared_ptr<client::Cluster> source,
                                std::shared_ptr<client::Cluster> target, CopyOptions options) {
  auto& clock = source->client().clock();
  auto deadline = [&] { return Deadline::in(clock, options.timeout); };
  if (options.to_table.empty()) options.to_table = options.table;
  PreparedCopy copy{.options = options, .source = nullptr, .target = nullptr};
  copy.source = CO_TRY(co_await client::Table::open(source, options.table, deadline()));
  if (options.create) CO_TRY(co_await create_target(*source, *target, options));
  auto opened = co_await client::Table::open(target, options.to_table, deadline());
  if (!opened && opened.error().code() == Code::kNotFound)
    co_return fail(Code::kNotFound,
                   opened.error().message() +
                       "; --create makes it, --partitions says with how many partitions");
  copy.target = CO_TRY(std::move(opened));
  if (is_same_table(*copy.source, *copy.target))
    co_return fail(Code::kInvalidArgument,
                   "table '" + options.to_table + "' on cluster " + target->name() +
                       " is the source itself; name another table or cluster");
  co_return copy;
}

Task<CopyReport> copy_table(std::shared_ptr<client::Cluster> source,
                            std::shared_ptr<client::Cluster> target, CopyOptions options,
                            const async::StopSignal& stop, CopyListener listener) {
  auto prepared =
      CO_TRY(co_await prepare_copy(std::move(source), std::move(target), std::move(options)));
  co_return co_await copy_rows(std::move(prepared), stop, std::move(listener));
}

Task<CopyReport> copy_rows(PreparedCopy copy, const async::StopSignal& stop,
                           CopyListener listener) {
  const auto& options = copy.options;
  rows::TableSource from(copy.source, {.timeout = options.timeout});
  rows::TableSink to(copy.target, {.timeout = options.timeout, .duplicate = options.duplicate});
  rows::Pump pump(from, to, stop, options.pump);

  auto& clock = copy.source->cluster().client().clock();
  const auto start = clock.now();
  auto elapsed = [&] { return duration_cast<milliseconds>(clock.now() - start); };
  async::StopSignal copied;
  int64_t rows_of_one = -1;
  async::TaskGroup beside(co_await asio::this_coro::executor);
  beside.spawn(estimate_rows(copy.source, copied, options.timeout, rows_of_one));
  if (listener)
    beside.spawn(tell_each_second(clock, beside, [&] {
      listener({pump.progress(), elapsed(), copy.source->partition_count(),
                expected_rows(pump.progress(), rows_of_one)});
    }));
  auto moved = co_await pump.run();
  copied.request();
  beside.stop();
  co_await beside.join();  // no result
  CO_TRY(in_context(std::move(moved), "copying table '" + options.table + "'"));

  co_return CopyReport{.rows = pump.progress().rows,
                       .bytes = pump.progress().bytes,
                       .elapsed = elapsed(),
                       .source_app_id = copy.source->app_id(),
                       .source_partitions = copy.source->partition_count(),
                       .target_app_id = copy.target->app_id(),
                       .target_partitions = copy.target->partition_count(),
                       .partition_rows = pump.progress().lane_rows};
}

}  // namespace pegmove::migration
