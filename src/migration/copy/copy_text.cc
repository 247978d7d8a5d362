#include "migration/copy/copy_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/units.h"
#include "migration/copy/row_estimate.h"
#include "rows/foreign_rows_text.h"
#include "rows/joins_text.h"

namespace pegmove::migration {
namespace {

using async::milliseconds;
using base::format_count;
using base::format_duration;
using base::format_size;

double per_second(int64_t count, milliseconds time) {
  return time.count() > 0 ? double(count) * 1000 / double(time.count()) : 0;
}

std::string rates(int64_t rows, int64_t bytes, milliseconds time) {
  return format_count(uint64_t(per_second(rows, time))) + " rows/s, " +
         format_size(uint64_t(per_second(bytes, time))) + "/s";
}

nlohmann::ordered_json to_json(const compare::LiveVerification& live) {
  return {{"source_is_there", live.source_is_there()},
          {"repaired", live.repaired.repaired()},
          {"differ", live.repaired.differ_now},
          {"not_settled", live.found.not_settled + live.repaired.not_settled},
          {"extra", live.repaired.extra_left}};
}

std::string to_text(const compare::LiveVerification& live) {
  auto count = [](int64_t rows) { return format_count(uint64_t(rows)); };
  return std::string(live.source_is_there()
                         ? "Verified live: every row of the source is in the target"
                         : "NOT EQUAL after the live verification") +
         "; repaired " + count(live.repaired.repaired()) + ", still different " +
         count(live.repaired.differ_now) + ", kept changing " +
         count(live.found.not_settled + live.repaired.not_settled) + ", only in the target " +
         count(live.repaired.extra_left) +
         (live.source_is_there() ? ".\n" : "; continue with `pegmove repair --live`.\n");
}

}  // namespace

double CopySpeed::recent_speed(Seen now) {
  constexpr size_t kKept = 10;
  const auto before = seen_.front();
  seen_.push_back(now);
  if (seen_.size() > kKept) seen_.pop_front();
  return per_second(now.rows - before.rows, now.at - before.at);
}

journal::Progress CopySpeed::progress_of(const CopyStatus& status) {
  const auto& progress = status.progress;
  if (!first_rows_) {
    // Rows that an earlier process has written do not count for this one's speed.
    first_rows_ = progress.rows - progress.rows_written_now;
    rows_ = *first_rows_;
    bytes_ = progress.bytes - progress.bytes_written_now;
    seen_.push_back({.rows = rows_handled(progress) - progress.rows_written_now});
  }
  journal::Progress out{.unit = "rows", .done = progress.rows};
  auto text =
      fmt::format("copying: {} rows, {}", format_count(uint64_t(progress.rows)),
                  rates(progress.rows - rows_, progress.bytes - bytes_, status.elapsed - at_));
  if (status.joins) text += " " + rows::joins_now(*status.joins);
  out.per_second = int64_t(per_second(progress.rows - *first_rows_, status.elapsed));
  const auto handled = rows_handled(progress);
  const auto speed = recent_speed({.at = status.elapsed, .rows = handled});
  if (status.expected_rows && *status.expected_rows > 0) {
    out.total = *status.expected_rows;
    const bool is_done = progress.lanes_done == int(progress.lanes.size());
    text += fmt::format(", {}%", std::min<int64_t>(is_done ? 100 : 99, handled * 100 / out.total));
    if (const auto left = out.total - handled; left > 0 && speed > 0) {
      out.eta_ms = int64_t(double(left) * 1000 / speed);
      text += ", ETA " + format_duration(milliseconds(out.eta_ms));
    }
  }
  text += fmt::format(", partitions {}/{}", progress.lanes_done, progress.lanes.size());
  if (!status.waits_for.empty()) text += "; waits: " + status.waits_for;
  if (!status.why_slow.empty()) text += "; " + status.why_slow;
  out.line = std::move(text);
  rows_ = progress.rows;
  bytes_ = progress.bytes;
  at_ = status.elapsed;
  return out;
}

nlohmann::ordered_json to_json(const CopyReport& report, const std::string& run,
                               const CopyEnds& ends) {
  nlohmann::ordered_json out{{"id", run},
                             {"rows", report.rows},
                             {"bytes", report.bytes},
                             {"rows_read", report.rows_read},
                             {"rows_expired", report.rows_expired},
                             {"rows_kept", report.rows_kept},
                             {"rows_not_geo", report.rows_not_geo},
                             {"elapsed_ms", report.elapsed.count()},
                             {"from", ends.from},
                             {"table", ends.table},
                             {"source_app_id", report.source_app_id},
                             {"source_partitions", report.source_partitions},
                             {"to", ends.to},
                             {"to_table", ends.to_table},
                             {"target_app_id", report.target_app_id},
                             {"target_partitions", report.target_partitions},
                             {"partition_rows", report.partition_rows}};
  rows::add_foreign(out, report.foreign);
  if (report.joins) out["requests"] = rows::to_json(*report.joins);
  if (report.live) out["live"] = to_json(*report.live);
  return out;
}

std::string to_text(const CopyReport& report, const CopyEnds& ends) {
  std::string text = fmt::format(
      "Copied {} rows ({}) of table {} on {} ({} partitions) to table {} on {} ({} partitions) in "
      "{}: {}.\n",
      format_count(uint64_t(report.rows)), format_size(uint64_t(report.bytes)), ends.table,
      ends.from, report.source_partitions, ends.to_table, ends.to, report.target_partitions,
      format_duration(report.elapsed),
      rates(report.rows_written_now, report.bytes_written_now, report.elapsed));
  if (report.rows_written_now < report.rows)
    text += "Of these, " + format_count(uint64_t(report.rows - report.rows_written_now)) +
            " were copied before the run was resumed.\n";
  if (report.joins) text += rows::to_text(*report.joins);
  if (report.rows_expired > 0)
    text += format_count(uint64_t(report.rows_expired)) +
            " rows expired during the copy and were left out.\n";
  if (report.rows_kept > 0)
    text += format_count(uint64_t(report.rows_kept)) +
            " rows existed in the target and were not overwritten.\n";
  if (report.rows_not_geo > 0)
    text += format_count(uint64_t(report.rows_not_geo)) +
            " rows have no latitude and longitude in their values: they are in the table, but not "
            "in its geo table.\n";
  text +=
      rows::foreign_text(report.foreign, fmt::format("of table {} on {}", ends.table, ends.from));
  if (report.live) text += to_text(*report.live);
  return text;
}

}  // namespace pegmove::migration
