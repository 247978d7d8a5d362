// The pump moves rows from a source to a sink. Every way of moving rows is a source, a sink and a
// pump.
//
// It is the one place for bounds, progress and stopping: a lane (a partition of a table, a file)
// reads the next batch while the previous one is written; lanes run in parallel; the bytes that all
// lanes together are writing are bounded, and each lane holds at most one more batch that waits.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "async/clock.h"
#include "async/semaphore.h"
#include "async/stop_signal.h"
#include "rows/row_batch.h"
#include "rows/throttler.h"

namespace pegmove::rows {

// One stream of rows. A lane's batches are written in order.
class Lane {
 public:
  virtual ~Lane() = default;
  // nullopt at the end; an empty batch means there is more.
  virtual Task<std::optional<RowBatch>> next() = 0;
};

class RowSource {
 public:
  virtual ~RowSource() = default;
  virtual int lanes() const = 0;
  // Opens a lane at its beginning, or after `after`, the last_key of an earlier batch of it.
  // Precondition: 0 <= index < lanes(); each lane is opened once.
  virtual std::unique_ptr<Lane> open_lane(int index, std::string after) = 0;
};

// What happened to the rows of a batch.
struct WriteCounts {
  int64_t written = 0;
  int64_t expired = 0;  // before they could be written: left out
  int64_t kept = 0;     // not written, since they exist in the target
  int64_t not_geo = 0;  // written, but without a geo row (WriteMode::kGeo)
};

class RowSink {
 public:
  virtual ~RowSink() = default;
  // Returns when the batch is written. Called for several lanes at the same time.
  virtual Task<WriteCounts> write(const RowBatch& batch) = 0;
};

// The position of a lane: everything up to `last_key` is written.
struct LaneState {
  std::string last_key{};  // empty: at its beginning, or the lane cannot be resumed
  int64_t rows = 0;        // written
  int64_t bytes = 0;       // of keys and values written
  int64_t expired = 0;     // rows, as in WriteCounts
  int64_t kept = 0;
  int64_t not_geo = 0;
  client::ForeignRows foreign{};  // read and left out
  bool done = false;
};

// What has been written so far; may be read at any time on the pump's executor.
struct PumpProgress {
  int64_t rows = 0;   // written, also by earlier processes when the work is resumed
  int64_t bytes = 0;  // their keys and values
  int64_t rows_expired = 0;
  int64_t rows_kept = 0;
  int64_t rows_not_geo = 0;
  client::ForeignRows foreign{};
  // By this pump alone:
  int64_t rows_written_now = 0;
  int64_t bytes_written_now = 0;
  int64_t rows_read = 0;
  int lanes_done = 0;
  std::vector<LaneState> lanes;
};

struct PumpOptions {
  int lanes_at_once = 16;  // below 1 counts as 1
  int64_t most_bytes_in_flight = 64 << 20;
  // The position at which each lane resumes; empty: all at their beginning.
  std::vector<LaneState> start{};
  Throttler* throttler = nullptr;  // must outlive the pump; nullptr: no limits
  // Called when a lane has made progress.
  std::function<void(int lane, const LaneState& state)> on_lane{};
};

class Pump {
 public:
  Pump(RowSource& source, RowSink& sink, const async::StopSignal& stop, PumpOptions options);

  // Moves everything. Ends early at the stop signal (kInterrupted: current writes are finished,
  // nothing more is read) or at the first error, which names the lane.
  Task<> run();
  const PumpProgress& progress() const { return progress_; }

 private:
  bool is_running() const { return !failed_ && !stop_.requested(); }
  Task<> run_lanes();
  Task<> run_lane(int index);
  Task<> write_counted(int index, std::optional<RowBatch> batch);
  Task<WriteCounts> write(const RowBatch& batch, int64_t size);
  void tell(int index);

  RowSource& source_;
  RowSink& sink_;
  const async::StopSignal& stop_;
  PumpOptions options_;
  async::Semaphore memory_;
  PumpProgress progress_;
  int next_lane_ = 0;
  bool failed_ = false;
};

}  // namespace pegmove::rows
