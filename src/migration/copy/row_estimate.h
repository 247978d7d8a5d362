// How many rows a copy will move, while it moves them.
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "async/task_group.h"
#include "client/table.h"
#include "rows/pump.h"
#include "rows/table_rows.h"

namespace pegmove::migration {

// What counting has found: the rows of a lane; -1 for one that could not be counted.
using CountedLanes = std::map<int, int64_t>;

// Those that are written, expired or kept.
int64_t rows_handled(const rows::LaneState& lane);
int64_t rows_handled(const rows::PumpProgress& progress);

// The rows of all lanes. Those of lanes that are done or counted are known; hashing spreads hash
// keys evenly, so each other lane counts with the mean of these. nullopt: nothing is known, or a
// lane already has more rows than that: one hash key may have most of the table's.
std::optional<int64_t> expected_rows(const rows::PumpProgress& progress,
                                     const CountedLanes& counted);
// The first such lane, which must be counted.
std::optional<int> lane_to_count(const rows::PumpProgress& progress, const CountedLanes& counted);

// Counts lanes beside the copy: the first, and those that have more rows than the others let
// expect. On the pump's executor.
class RowEstimate {
 public:
  // The request's timeout, retries included.
  RowEstimate(std::shared_ptr<client::Table> table, async::milliseconds timeout)
      : table_(std::move(table)), timeout_(timeout) {}

  // Runs in `group` until that is stopped; pump and source must outlive it.
  Routine<> run(const rows::TableSource& source, const rows::Pump& pump, async::TaskGroup& group);
  std::optional<int64_t> expected(const rows::PumpProgress& progress) const {
    return expected_rows(progress, counted_);
  }

 private:
  Routine<std::optional<int64_t>> count(int32_t partition, std::string after,
                                        async::TaskGroup& group) const;

  std::shared_ptr<client::Table> table_;  // shared with the copy
  async::milliseconds timeout_;
  CountedLanes counted_;
};

}  // namespace pegmove::migration
