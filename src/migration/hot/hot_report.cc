#include "migration/hot/hot_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json_fields.h"
#include "base/json_text.h"
#include "base/text.h"
#include "base/units.h"
#include "compare/live_verification.h"
#include "migration/hot/hot_request.h"

namespace pegmove::migration::hot {
namespace {

using ReportJson = nlohmann::ordered_json;

std::string amount(int64_t number) {
  return base::format_count(uint64_t(std::max<int64_t>(number, 0)));
}

ReportJson json_of(const HotVerification& verification) {
  return {{"rows", verification.rows},           {"ranges", verification.ranges},
          {"repaired", verification.repaired},   {"differ", verification.differ},
          {"unsettled", verification.unsettled}, {"ended_ms", verification.ended_ms},
          {"took_ms", verification.took_ms},     {"certificate", verification.certificate}};
}

ReportJson json_of(const std::optional<ServedRate>& rate) {
  return base::parse_json<ReportJson>(to_json(rate));
}

ReportJson json_of(const HotSwitch& done) {
  return {{"back", done.goes_back},
          {"version", done.version},
          {"held_ms", done.held_ms},
          {"ended_ms", done.ended_ms},
          {"served_before", json_of(done.served_before)}};
}

// Under the names that the servers have for them.
ReportJson serving_json(const HotReport& report) {
  return {{"source_before", json_of(report.served_before)},
          {"target_now", json_of(report.serves_now)},
          {"target",
           {{kFailedReads, report.failed_reads},
            {kFailedWrites, report.failed_writes},
            {kRefusedAtomic, report.refused_by_target}}},
          {"source", ReportJson::object({{kRefusedAtomic, report.refused_by_source}})}};
}

std::string serving_text(const HotReport& report) {
  return fmt::format(
      "Requests of the table: {} on the source before the cutover, {} on the target now.\n"
      "While it was watched: {} failed reads and {} failed writes on the target's servers ({}, "
      "{}); "
      "atomic writes refused ({}): {} by the target, {} by the source.\n",
      to_text(report.served_before), to_text(report.serves_now), amount(report.failed_reads),
      amount(report.failed_writes), kFailedReads, kFailedWrites, kRefusedAtomic,
      amount(report.refused_by_target), amount(report.refused_by_source));
}

Result<int64_t> count_in(const base::JsonFields& in, const char* name) {
  return in.integer(name, 0, INT64_MAX);
}

}  // namespace

HotVerification summary_of(const compare::LiveVerification& live, int64_t ended_ms,
                           int64_t took_ms) {
  return {.rows = live.found.source_rows,
          .ranges = live.found.classes,
          .repaired = live.repaired.repaired(),
          .differ = live.repaired.differ_now + live.repaired.extra_left,
          .unsettled = live.found.not_settled + live.repaired.not_settled,
          .ended_ms = ended_ms,
          .took_ms = took_ms};
}

std::string to_json(const HotVerification& verification) {
  return base::json_text(json_of(verification));
}

Result<HotVerification> hot_verification_from_json(std::string_view text) {
  const auto json = base::parse_json<nlohmann::json>(text);
  const auto in = TRY(base::JsonFields::of(json, "the journal's verification"));
  HotVerification verification{.rows = TRY(count_in(in, "rows")),
                               .repaired = TRY(count_in(in, "repaired")),
                               .differ = TRY(count_in(in, "differ")),
                               .unsettled = TRY(count_in(in, "unsettled")),
                               .ended_ms = TRY(count_in(in, "ended_ms")),
                               .took_ms = TRY(count_in(in, "took_ms"))};
  // Journals of earlier versions have neither.
  if (in.has("ranges")) verification.ranges = TRY(count_in(in, "ranges"));
  if (in.has("certificate")) verification.certificate = TRY(in.text("certificate"));
  return verification;
}

std::string to_text(const HotVerification& verification) {
  auto text =
      fmt::format("{} rows compared, {} repaired, {} still different", amount(verification.rows),
                  amount(verification.repaired), amount(verification.differ));
  if (verification.unsettled > 0)
    text += fmt::format(", {} changed too often to be compared", amount(verification.unsettled));
  return text;
}

std::string certificate_text(const HotVerification& verification) {
  const auto& file = verification.certificate;
  return fmt::format("{}: {} in {} ranges, {} UTC",
                     file.empty() ? "verified" : "certificate " + file, to_text(verification),
                     amount(verification.ranges), base::utc_date_time(verification.ended_ms));
}

std::string to_json(const HotSwitch& done) { return base::json_text(json_of(done)); }

Result<HotSwitch> hot_switch_from_json(std::string_view text) {
  const auto json = base::parse_json<nlohmann::json>(text);
  const auto in = TRY(base::JsonFields::of(json, "the journal's cutover"));
  HotSwitch done{.goes_back = TRY(in.boolean("back")),
                 .version = TRY(in.int32("version", 0, INT32_MAX)),
                 .held_ms = TRY(count_in(in, "held_ms")),
                 .ended_ms = TRY(count_in(in, "ended_ms"))};
  // Journals of earlier versions have none.
  if (in.has("served_before"))
    done.served_before = TRY(served_rate_from_json(base::json_text(*TRY(in.any("served_before")))));
  return done;
}

nlohmann::ordered_json to_json(const HotReport& report, const HotRequest& request) {
  ReportJson out{
      {"from", request.source.cluster},
      {"to", request.target.cluster},
      {"table", request.source.table},
      {"verification", report.verification ? json_of(*report.verification) : ReportJson()},
      {"cutover", report.last_switch ? json_of(*report.last_switch) : ReportJson()},
      {"requests", serving_json(report)},
      {"source_dropped", report.dropped_source},
      {"notes", report.notes}};
  return out;
}

std::string to_text(const HotReport& report, const HotRequest& request) {
  std::string text =
      fmt::format("Table {} has moved from cluster {} to cluster {}.\n", request.source.table,
                  request.source.cluster, request.target.cluster);
  if (report.verification)
    text += fmt::format("Before the cutover: {}.\n", certificate_text(*report.verification));
  if (report.last_switch)
    text +=
        fmt::format("Cutover: node version {}, {} waited for {}.\n", report.last_switch->version,
                    request.fence == FenceKind::kAll ? "requests" : "writes",
                    base::format_duration(async::milliseconds(report.last_switch->held_ms)));
  text += serving_text(report);
  text += report.dropped_source
              ? fmt::format("The table on cluster {} is dropped.\n", request.source.cluster)
              : fmt::format("The table on cluster {} stays, and denies its clients.\n",
                            request.source.cluster);
  for (const auto& note : report.notes) text += "Note: " + note + ".\n";
  return text;
}

}  // namespace pegmove::migration::hot
