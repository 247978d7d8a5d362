#include "rows/pump.h"

#include <algorithm>

#include "async/all.h"

namespace pegmove::rows {

Pump::Pump(RowSource& source, RowSink& sink, const async::StopSignal& stop, PumpOptions options)
    : source_(source),
      sink_(sink),
      stop_(stop),
      options_(options),
      memory_(options.most_bytes_in_flight) {
  progress_.lane_rows.resize(size_t(source.lanes()));
  progress_.lane_done.resize(size_t(source.lanes()));
}

Task<> Pump::run() {
  std::vector<Task<>> workers;
  for (int i = 0; i < std::clamp(options_.lanes_at_once, 1, std::max(1, source_.lanes())); ++i)
    workers.push_back(run_lanes());
  CO_TRY(co_await async::all(std::move(workers)));
  if (stop_.requested()) co_return fail(Code::kInterrupted, "stopped on request");
  co_return Result<void>();
}

Task<> Pump::run_lanes() {
  while (next_lane_ < source_.lanes() && goes_on()) {
    int index = next_lane_++;
    auto result = co_await run_lane(index);
    if (result) continue;
    failed_ = true;                              // the other lanes need not go on
    if (source_.lanes() == 1) co_return result;  // a file, or there is nothing to tell apart
    co_return in_context(std::move(result), "partition " + std::to_string(index));
  }
  co_return Result<void>();
}

// Reads the next batch while the last one is being written.
Task<> Pump::run_lane(int index) {
  auto lane = source_.open_lane(index);
  std::optional<RowBatch> read, writing;
  bool more = true;
  while (more && goes_on()) {
    std::vector<Task<>> steps;
    steps.push_back(write_counted(index, std::move(writing)));
    auto read_next = [](Lane& lane, std::optional<RowBatch>& into, bool& more) -> Task<> {
      into = CO_TRY(co_await lane.next());
      more = into.has_value();
      co_return Result<void>();
    };
    steps.push_back(read_next(*lane, read, more));
    CO_TRY(co_await async::all(std::move(steps)));
    writing = std::exchange(read, std::nullopt);
  }
  CO_TRY(co_await write_counted(index, std::move(writing)));
  if (more) co_return Result<void>();
  ++progress_.lanes_done;
  progress_.lane_done[size_t(index)] = true;
  co_return Result<void>();
}

Task<> Pump::write_counted(int index, std::optional<RowBatch> batch) {
  if (!batch || batch->rows.empty()) co_return Result<void>();
  auto size = batch->size();
  co_await memory_.acquire(size);  // no result
  auto written = co_await sink_.write(*batch);
  memory_.release(size);
  CO_TRY(std::move(written));
  progress_.rows += int64_t(batch->rows.size());
  progress_.bytes += size;
  progress_.lane_rows[size_t(index)] += int64_t(batch->rows.size());
  co_return Result<void>();
}

}  // namespace pegmove::rows
