// The texts of a backup: its options in the journal, the progress line, and the report.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json_fields.h"
#include "base/json_text.h"
#include "base/units.h"
#include "migration/cold_backup/back_up.h"

namespace pegmove::migration {
namespace {

using async::milliseconds;
using Json = nlohmann::ordered_json;

Result<BackupRequest> read_backup_request(const nlohmann::json& json) {
  const auto in = TRY(base::JsonFields::of(json, "the journal's options of a backup"));
  BackupRequest request{.from_metas = TRY(in.text("from_metas")),
                        .table = TRY(in.text("table")),
                        .provider = TRY(in.text("provider")),
                        .path = TRY(in.text("path")),
                        .finish = TRY(in.boolean("finish", false)),
                        .timeout = TRY(in.milliseconds("timeout_ms"))};
  // Earlier versions did not have it.
  if (in.has("end_within_ms")) request.end_within = TRY(in.milliseconds("end_within_ms"));
  return request;
}

}  // namespace

std::string to_json(const BackupRequest& request) {
  return base::json_text(Json{{"from_metas", request.from_metas},
                              {"table", request.table},
                              {"provider", request.provider},
                              {"path", request.path},
                              {"end_within_ms", request.end_within.count()},
                              {"finish", request.finish},
                              {"timeout_ms", request.timeout.count()}});
}

Result<BackupRequest> backup_request_from_json(std::string_view text) {
  return read_backup_request(base::parse_json<nlohmann::json>(text));
}

std::string transfer_text(int64_t done, int64_t all, milliseconds elapsed) {
  const auto size = [](int64_t bytes) {
    return base::format_size(uint64_t(std::max<int64_t>(bytes, 0)));
  };
  std::string text = fmt::format("{} of {}", size(done), size(all));
  if (all > 0) text += fmt::format(", {}%", done * 100 / all);
  if (elapsed.count() <= 0 || done <= 0) return text;
  const auto rate = double(done) * 1000 / double(elapsed.count());
  text += fmt::format(", {}/s", size(int64_t(rate)));
  if (done < all)
    text +=
        ", ETA " + base::format_duration(milliseconds(int64_t(double(all - done) / rate * 1000)));
  return text;
}

std::string to_line(const BackupProgress& progress) {
  std::string text = "backing up: ";
  if (progress.done_bytes && progress.all_bytes)
    text += transfer_text(*progress.done_bytes, *progress.all_bytes, progress.elapsed) + ", ";
  if (progress.partitions_done)
    text += fmt::format("partitions {}/{}", *progress.partitions_done, progress.partitions);
  else
    text += "in progress";
  text += ", " + base::format_duration(progress.elapsed);
  if (!progress.waits_for.empty()) text += "; " + progress.waits_for;
  return text;
}

std::string to_json(const BackupReport& report) {
  Json out{{"backup_id", report.place.backup_id},
           {"app_id", report.place.app_id},
           {"table", report.place.table},
           {"provider", report.provider},
           {"root", report.place.root},
           {"folder", report.place.table_folder()},
           {"partitions", report.partitions},
           {"elapsed_ms", report.elapsed.count()},
           {"app_envs_kept", report.has_envs},
           {"ended_by_cluster", report.ended_by_cluster},
           {"notes", report.notes}};
  if (report.bytes >= 0) out["bytes"] = report.bytes;
  return base::json_text(out, 2);
}

std::string to_text(const BackupReport& report) {
  const auto& place = report.place;
  std::string text =
      fmt::format("Backed up table {} ({} partitions", place.table, report.partitions);
  if (report.bytes >= 0) text += ", " + base::format_size(uint64_t(report.bytes));
  text += fmt::format(") in {}: backup {} in {}:/{}\n", base::format_duration(report.elapsed),
                      place.backup_id, report.provider, place.backup_folder());
  for (const auto& note : report.notes) text += "Note: " + note + ".\n";
  return text;
}

}  // namespace pegmove::migration
