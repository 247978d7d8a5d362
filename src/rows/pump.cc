#include "rows/pump.h"

#include <algorithm>

#include "async/all.h"

namespace pegmove::rows {

Pump::Pump(RowSource& source, RowSink& sink, const async::StopSignal& stop, PumpOptions options)
    : source_(source),
      sink_(sink),
      stop_(stop),
      options_(std::move(options)),
      memory_(options_.most_bytes_in_flight) {
  progress_.lanes = std::move(options_.start);
  progress_.lanes.resize(size_t(source.lanes()));
  for (const auto& lane : progress_.lanes) {
    progress_.rows += lane.rows;
    progress_.bytes += lane.bytes;
    progress_.rows_expired += lane.expired;
    progress_.rows_kept += lane.kept;
    progress_.rows_not_geo += lane.not_geo;
    progress_.foreign += lane.foreign;
    progress_.lanes_done += lane.done;
  }
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
  while (next_lane_ < source_.lanes() && is_running()) {
    int index = next_lane_++;
    if (progress_.lanes[size_t(index)].done) continue;
    auto result = co_await run_lane(index);
    if (result) continue;
    failed_ = true;                              // the other lanes stop
    if (source_.lanes() == 1) co_return result;  // a file: no partition to name
    co_return in_context(std::move(result), "partition " + std::to_string(index));
  }
  co_return Result<void>();
}

// Reads the next batch while the last one is being written.
Task<> Pump::run_lane(int index) {
  auto lane = source_.open_lane(index, progress_.lanes[size_t(index)].last_key);
  std::optional<RowBatch> read, writing;
  bool more = true;
  while (more && is_running()) {
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
  // After a stop the last batch may not have been written.
  if (more || stop_.requested()) co_return Result<void>();
  ++progress_.lanes_done;
  progress_.lanes[size_t(index)].done = true;
  tell(index);
  co_return Result<void>();
}

Task<> Pump::write_counted(int index, std::optional<RowBatch> batch) {
  if (!batch) co_return Result<void>();
  auto& lane = progress_.lanes[size_t(index)];
  progress_.rows_read += batch->rows_read;
  if (!batch->rows.empty()) {
    auto size = batch->size();
    if (options_.throttler &&
        !co_await options_.throttler->enter(int64_t(batch->rows.size()), size))
      co_return Result<void>();  // stopping: the batch counts as not read
    auto written = co_await write(*batch, size);
    if (options_.throttler) options_.throttler->leave();
    auto counts = CO_TRY(std::move(written));
    // If only a part of a batch is written, the bytes count in proportion to the rows.
    auto bytes = size * counts.written / int64_t(batch->rows.size());
    lane.rows += counts.written;
    lane.bytes += bytes;
    lane.expired += counts.expired;
    lane.kept += counts.kept;
    lane.not_geo += counts.not_geo;
    progress_.rows += counts.written;
    progress_.bytes += bytes;
    progress_.rows_written_now += counts.written;
    progress_.bytes_written_now += bytes;
    progress_.rows_expired += counts.expired;
    progress_.rows_kept += counts.kept;
    progress_.rows_not_geo += counts.not_geo;
  }
  if (batch->foreign.rows > 0) {
    lane.foreign += batch->foreign;
    progress_.foreign += batch->foreign;
  }
  if (batch->last_key.empty()) co_return Result<void>();
  lane.last_key = batch->last_key;
  tell(index);
  co_return Result<void>();
}

Task<WriteCounts> Pump::write(const RowBatch& batch, int64_t size) {
  co_await memory_.acquire(size);  // no result
  auto written = co_await sink_.write(batch);
  memory_.release(size);
  co_return written;
}

void Pump::tell(int index) {
  if (options_.on_lane) options_.on_lane(index, progress_.lanes[size_t(index)]);
}

}  // namespace pegmove::rows
