#include "compare/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <numeric>

#include "async/all.h"
#include "async/report_each_second.h"
#include "async/task_group.h"

namespace pegmove::compare {
namespace {

using async::milliseconds;

struct Comparison {
  ResidueClassContext context;
  const async::StopSignal& stop;
  std::vector<ResidueClassState> states;
  int next_class = 0;

  CompareCounts counts() const {
    CompareCounts sum;
    for (const auto& state : states) sum += state.counts;
    return sum;
  }

  Task<> run_classes() {
    while (next_class < context.classes) {
      int number = next_class++;
      ResidueClassComparison comparison(context, number, states[size_t(number)], stop);
      CO_TRY(co_await comparison.run());
    }
    co_return Result<void>();
  }

  Task<> run(int at_once) {
    std::vector<Task<>> workers;
    for (int i = 0; i < std::clamp(at_once, 1, context.classes); ++i)
      workers.push_back(run_classes());
    co_return co_await async::all(std::move(workers));
  }
};

// `counted`: the partitions of both when the comparison began.
Task<> check_still_whole(TablePair tables, std::pair<int32_t, int32_t> counted,
                         milliseconds timeout) {
  const auto deadline = Deadline::in(tables.source->cluster().client().clock(), timeout);
  CO_TRY(co_await tables.source->router().check_still_whole(counted.first, deadline));
  co_return co_await tables.target->router().check_still_whole(counted.second, deadline);
}

CompareReport report_of(const Comparison& comparison, CompareOptions options,
                        milliseconds elapsed) {
  CompareReport report;
  static_cast<CompareCounts&>(report) = comparison.counts();
  report.classes = comparison.context.classes;
  report.elapsed = elapsed;
  for (const auto& state : comparison.states)
    for (const auto& difference : state.listed)
      if (report.differences.size() < options.most_listed) report.differences.push_back(difference);
  options.start.clear();
  report.options = std::move(options);
  return report;
}

}  // namespace

int TablePair::classes() const {
  return std::gcd(source->partition_count(), target->partition_count());
}

Task<TablePair> open_tables(std::shared_ptr<client::Cluster> source,
                            std::shared_ptr<client::Cluster> target, std::string table,
                            std::string to_table, Deadline deadline) {
  if (to_table.empty()) to_table = table;
  co_return TablePair{
      .source = CO_TRY(co_await client::Table::open(source, std::move(table), deadline)),
      .target = CO_TRY(co_await client::Table::open(target, std::move(to_table), deadline))};
}

Task<CompareReport> compare(TablePair tables, CompareOptions options, const async::StopSignal& stop,
                            CompareEvents events) {
  auto& clock = tables.source->cluster().client().clock();
  const auto name = tables.source->name();
  const std::pair counted(tables.source->partition_count(), tables.target->partition_count());
  Comparison comparison{.context = {.source = tables.source,
                                    .target = tables.target,
                                    .classes = tables.classes(),
                                    .rule = {.expiry_tolerance_s = options.expiry_tolerance_s},
                                    .sample = options.sample,
                                    .live = options.live,
                                    .most_listed = options.most_listed,
                                    .timeout = options.timeout,
                                    .note_every = options.note_every,
                                    .sink = events.sink,
                                    .on_state = events.on_class},
                        .stop = stop,
                        .states = options.start};
  comparison.states.resize(size_t(comparison.context.classes));

  const auto start = clock.now();
  auto elapsed = [&] { return std::chrono::duration_cast<milliseconds>(clock.now() - start); };
  async::TaskGroup beside(co_await asio::this_coro::executor);
  if (events.on_progress)
    beside.spawn(report_each_second(clock, beside,
                                    [&] { events.on_progress(comparison.counts(), elapsed()); }));
  auto compared = co_await comparison.run(options.classes_at_once);
  beside.stop();
  co_await beside.join();  // no result
  if (compared) compared = co_await check_still_whole(tables, counted, options.timeout);
  CO_TRY(in_context(std::move(compared), fmt::format("comparing table '{}'", name)));
  co_return report_of(comparison, std::move(options), elapsed());
}

}  // namespace pegmove::compare
