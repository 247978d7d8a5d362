#include "apps/copy_view.h"

#include <algorithm>

#include "base/units.h"

namespace pegmove::apps {
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
          {"repaired", live.repaired.mended()},
          {"differ", live.repaired.differ_now},
          {"not_settled", live.found.not_settled + live.repaired.not_settled},
          {"extra", live.repaired.extra_left}};
}

std::string to_text(const compare::LiveVerification& live) {
  auto count = [](int64_t rows) { return format_count(uint64_t(rows)); };
  return std::string(live.source_is_there() ? "Verified live: every row of the source is there"
                                            : "NOT EQUAL after the live verification") +
         "; mended " + count(live.repaired.mended()) + ", still different " +
         count(live.repaired.differ_now) + ", not settled " +
         count(live.found.not_settled + live.repaired.not_settled) + ", in the target alone " +
         count(live.repaired.extra_left) +
         (live.source_is_there() ? ".\n" : "; `pegmove repair --live` goes on.\n");
}

// What was written since the line before, and since this process began.
struct Speed {
  std::optional<int64_t> first_rows;
  int64_t rows = 0, bytes = 0;
  milliseconds at{0};
};

std::string progress_text(const migration::CopyStatus& status, const Speed& before) {
  const auto& progress = status.progress;
  std::string text =
      format_count(uint64_t(progress.rows)) + " rows, " +
      rates(progress.rows - before.rows, progress.bytes - before.bytes, status.elapsed - before.at);
  if (status.expected_rows && *status.expected_rows > 0) {
    auto left = std::max<int64_t>(*status.expected_rows - progress.rows, 0);
    auto speed = per_second(progress.rows - *before.first_rows, status.elapsed);
    text += ", " +
            std::to_string(std::min<int64_t>(100, progress.rows * 100 / *status.expected_rows)) +
            "%";
    if (speed > 0)
      text += ", ETA " + format_duration(milliseconds(int64_t(double(left) * 1000 / speed)));
  }
  text += ", partitions " + std::to_string(progress.lanes_done) + "/" +
          std::to_string(progress.lanes.size());
  if (!status.waits_for.empty()) text += "; waits: " + status.waits_for;
  if (!status.why_slow.empty()) text += "; " + status.why_slow;
  return text;
}

}  // namespace

migration::CopyListener show_copy_on(ProgressLine& line) {
  return [&line, before = Speed{}](const migration::CopyStatus& status) mutable {
    const auto& progress = status.progress;
    if (!before.first_rows) {
      // What a run of before has written is not this one's speed.
      before.first_rows = progress.rows - progress.rows_written_now;
      before.rows = *before.first_rows;
      before.bytes = progress.bytes - progress.bytes_written_now;
    }
    line.show("copying: " + progress_text(status, before));
    before.rows = progress.rows;
    before.bytes = progress.bytes;
    before.at = status.elapsed;
  };
}

nlohmann::ordered_json to_json(const migration::CopyReport& report, const std::string& run,
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
  if (report.live) out["live"] = to_json(*report.live);
  return out;
}

std::string to_text(const migration::CopyReport& report, const CopyEnds& ends) {
  std::string text =
      "Copied " + format_count(uint64_t(report.rows)) + " rows (" +
      format_size(uint64_t(report.bytes)) + ") of table " + ends.table + " on " + ends.from + " (" +
      std::to_string(report.source_partitions) + " partitions) to table " + ends.to_table + " on " +
      ends.to + " (" + std::to_string(report.target_partitions) + " partitions) in " +
      format_duration(report.elapsed) + ": " +
      rates(report.rows_written_now, report.bytes_written_now, report.elapsed) + ".\n";
  if (report.rows_written_now < report.rows)
    text += "Of them " + format_count(uint64_t(report.rows - report.rows_written_now)) +
            " were copied before this run went on.\n";
  if (report.rows_expired > 0)
    text += format_count(uint64_t(report.rows_expired)) +
            " rows expired on the way and were left out.\n";
  if (report.rows_kept > 0)
    text +=
        format_count(uint64_t(report.rows_kept)) + " rows were left as they stand in the target.\n";
  if (report.rows_not_geo > 0)
    text += format_count(uint64_t(report.rows_not_geo)) +
            " rows have no point in their values: they are in the table, not in its geo table.\n";
  if (report.live) text += to_text(*report.live);
  return text;
}

}  // namespace pegmove::apps
