#include "migration/copy/row_estimate.h"

#include <algorithm>

namespace pegmove::migration {
namespace {

using async::milliseconds;

constexpr milliseconds kBetweenCounts{1000};

// What is known of all lanes together.
struct Known {
  int64_t rows = 0;
  int64_t lanes = 0;
  int64_t mean() const { return lanes > 0 ? rows / lanes : 0; }
};

bool is_counted(const CountedLanes& counted, size_t lane) {
  const auto found = counted.find(int(lane));
  return found != counted.end() && found->second >= 0;
}

Known known_rows(const rows::PumpProgress& progress, const CountedLanes& counted) {
  Known known;
  for (size_t i = 0; i < progress.lanes.size(); ++i) {
    const auto& lane = progress.lanes[i];
    const bool has_count = is_counted(counted, i);
    if (!lane.done && !has_count) continue;
    ++known.lanes;
    // While it is open, clients may add rows.
    known.rows += lane.done ? rows_handled(lane) : std::max(counted.at(int(i)), rows_handled(lane));
  }
  return known;
}

std::optional<int> lane_over(const rows::PumpProgress& progress, const CountedLanes& counted,
                             int64_t mean) {
  for (size_t i = 0; i < progress.lanes.size(); ++i) {
    const auto& lane = progress.lanes[i];
    if (!lane.done && !is_counted(counted, i) && rows_handled(lane) > mean) return int(i);
  }
  return std::nullopt;
}

}  // namespace

int64_t rows_handled(const rows::LaneState& lane) { return lane.rows + lane.expired + lane.kept; }
int64_t rows_handled(const rows::PumpProgress& progress) {
  return progress.rows + progress.rows_expired + progress.rows_kept;
}

std::optional<int64_t> expected_rows(const rows::PumpProgress& progress,
                                     const CountedLanes& counted) {
  const auto known = known_rows(progress, counted);
  if (known.lanes == 0 || lane_over(progress, counted, known.mean())) return std::nullopt;
  return known.rows + (int64_t(progress.lanes.size()) - known.lanes) * known.mean();
}

std::optional<int> lane_to_count(const rows::PumpProgress& progress, const CountedLanes& counted) {
  const auto known = known_rows(progress, counted);
  if (known.lanes == 0) return std::nullopt;
  auto lane = lane_over(progress, counted, known.mean());
  return lane && counted.contains(*lane) ? std::nullopt : lane;
}

Routine<std::optional<int64_t>> RowEstimate::count(int32_t partition, std::string after,
                                                   async::TaskGroup& group) const {
  int64_t rows = 0;
  auto scanner =
      table_->scan_partition(partition, {.batch_size = 1000, .only_count = true}, std::move(after));
  while (!group.stopped()) {
    auto batch = co_await scanner->next(Deadline::in(table_->cluster().client().clock(), timeout_));
    if (!batch) co_return std::nullopt;  // the copy itself reports the error
    if (!*batch) co_return rows;
    rows += (*batch)->count;
  }
  co_return std::nullopt;
}

Routine<> RowEstimate::run(const rows::TableSource& source, const rows::Pump& pump,
                           async::TaskGroup& group) {
  const auto& lanes = pump.progress().lanes;
  std::optional<int> lane;
  if (!lanes.empty() && !lanes[0].done) lane = 0;
  bool is_first = true;
  while (!group.stopped()) {
    if (lane) {
      const auto& state = lanes[size_t(*lane)];
      const auto before = is_first ? 0 : rows_handled(state);
      auto after = is_first ? std::string() : state.last_key;
      const auto rest = co_await count(source.partition_of(*lane), std::move(after), group);
      counted_[*lane] = rest ? before + *rest : -1;
    } else {
      co_await table_->cluster().client().clock().sleep_for(kBetweenCounts);  // no result
    }
    is_first = false;
    lane = lane_to_count(pump.progress(), counted_);
  }
}

}  // namespace pegmove::migration
