// The pump: rows flow from a source to a sink. Every way of moving rows is a source, a sink and
// this.
//
// It is the one place for bounds, progress and stopping: a lane (a partition of a table, a file) is
// read ahead by one batch while the one before is written; lanes run side by side; the bytes that
// all lanes together are writing are bounded, and each lane holds at most one more batch that
// waits.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "async/clock.h"
#include "async/semaphore.h"
#include "async/stop_signal.h"
#include "rows/pace.h"
#include "rows/row_batch.h"

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
  // A lane from its beginning, or behind `after`, the last_key of an earlier batch of it.
  // Precondition: 0 <= index < lanes(); each lane is opened once.
  virtual std::unique_ptr<Lane> open_lane(int index, std::string after) = 0;
};

// What became of a batch's rows.
struct WriteCounts {
  int64_t written = 0;
  int64_t expired = 0;  // on the way: not written
  int64_t kept = 0;     // not written, since something stands in their place that is to stay
  int64_t not_geo = 0;  // of those written: they have no geo row (WriteMode::kGeo)
};

class RowSink {
 public:
  virtual ~RowSink() = default;
  // Returns when the batch is where it belongs. Called for several lanes at once.
  virtual Task<WriteCounts> write(const RowBatch& batch) = 0;
};

// How far a lane is: everything up to `last_key` is where it belongs.
struct LaneState {
  std::string last_key{};  // empty: at its beginning, or a lane that cannot be gone on with
  int64_t rows = 0;        // written
  int64_t bytes = 0;       // of keys and values written
  int64_t expired = 0;     // rows, as WriteCounts has them
  int64_t kept = 0;
  bool done = false;
};

// What has been written so far; read it at any time from the pump's executor.
struct PumpProgress {
  int64_t rows = 0;   // written, in earlier runs too when this one goes on
  int64_t bytes = 0;  // their keys and values
  int64_t rows_expired = 0;
  int64_t rows_kept = 0;
  // By this pump alone:
  int64_t rows_written_now = 0;
  int64_t bytes_written_now = 0;
  int64_t rows_read = 0;
  int64_t rows_not_geo = 0;
  int lanes_done = 0;
  std::vector<LaneState> lanes;
};

struct PumpOptions {
  int lanes_at_once = 16;  // below 1 counts as 1
  int64_t most_bytes_in_flight = 64 << 20;
  // Where each lane goes on; empty: all at their beginning.
  std::vector<LaneState> start{};
  Pace* pace = nullptr;  // outlives the pump; nullptr: as fast as it goes
  // Called whenever a lane has got further.
  std::function<void(int lane, const LaneState& state)> on_lane{};
};

class Pump {
 public:
  Pump(RowSource& source, RowSink& sink, const async::StopSignal& stop, PumpOptions options);

  // Moves everything, or until the stop signal (kInterrupted: what was being written is finished,
  // nothing more is read) or the first error, which says the lane.
  Task<> run();
  const PumpProgress& progress() const { return progress_; }

 private:
  bool goes_on() const { return !failed_ && !stop_.requested(); }
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
