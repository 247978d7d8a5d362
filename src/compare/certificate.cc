#include "compare/certificate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "base/units.h"
#include "compare/difference_file.h"
#include "rows/foreign_rows_text.h"

namespace pegmove::compare {
namespace {

using Json = nlohmann::ordered_json;

// The app envs that make servers drop, keep or hide rows.
constexpr std::array<std::string_view, 5> kEnvsThatMatter = {
    "default_ttl", "user_specified_compaction", "replica.split.validate_partition_hash",
    "replica.deny_client_request", "rocksdb.usage_scenario"};

std::string utc(int64_t unix_ms) {
  const std::chrono::sys_time<std::chrono::milliseconds> time{std::chrono::milliseconds(unix_ms)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - day));
  char text[32];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02dZ", int(date.year()),
                unsigned(date.month()), unsigned(date.day()), int(clock.hours().count()),
                int(clock.minutes().count()), int(clock.seconds().count()));
  return text;
}

Json to_json(const TableFacts& facts, int64_t rows, const RowSum& sum,
             const client::ForeignRows& foreign) {
  Json json{{"cluster", facts.cluster},
            {"meta_servers", facts.metas},
            {"table", facts.table},
            {"app_id", facts.app_id},
            {"partitions", facts.partitions},
            {"envs", facts.envs},
            {"rows", rows},
            {"sum", sum.to_hex()}};
  rows::add_foreign(json, foreign);
  return json;
}

Json options_json(const CompareReport& report) {
  const auto& options = report.options;
  Json json{{"expiry_tolerance_s", options.expiry_tolerance_s}};
  if (options.live)
    json["live"] = {{"lag_ms", options.live->lag.count()},
                    {"reads", options.live->reads},
                    {"settle_for_ms", options.live->settle_for.count()}};
  if (options.sample)
    json["sample"] = {{"share", options.sample->share}, {"seed", options.sample->seed}};
  return json;
}

std::string what_was_compared(const CompareReport& report) {
  const auto tolerance = report.options.expiry_tolerance_s;
  return "keys, values and expiry of " +
         std::string(report.options.sample ? "a sample of" : "all") + " rows" +
         (tolerance == 0 ? std::string(", exactly")
                         : fmt::format("; expiries that differ by at most {} s count as equal: "
                                       "rows were compared, not sums",
                                       tolerance));
}

Json counts_json(const CompareReport& report) {
  return {{"source_rows", report.source_rows},
          {"target_rows", report.target_rows},
          {"missing", report.missing},
          {"extra", report.extra},
          {"value", report.value_differs},
          {"expiry", report.expiry_differs},
          {"not_settled", report.not_settled},
          {"source_sum", report.source_sum.to_hex()},
          {"target_sum", report.target_sum.to_hex()},
          {"foreign_rows", report.source_foreign.rows + report.target_foreign.rows}};
}

Json differences_json(const std::vector<Difference>& differences) {
  Json list = Json::array();
  for (const auto& difference : differences)
    list.push_back(base::parse_json<Json>(difference_json(difference)));
  return list;
}

Json repair_json(const RepairReport& repaired) {
  return {{"looked_at", repaired.looked_at},   {"agreed_before", repaired.agreed_before},
          {"missing", repaired.missing},       {"value", repaired.value},
          {"expiry", repaired.expiry},         {"extra_deleted", repaired.extra_deleted},
          {"extra_left", repaired.extra_left}, {"agree_now", repaired.agree_now},
          {"differ_now", repaired.differ_now}, {"not_settled", repaired.not_settled}};
}

Json certificate_json(const CertificateFacts& facts, const TableFacts& source,
                      const TableFacts& target, const CompareReport& report) {
  Json json{
      {"verdict", verdict(report)},
      {"equal", report.equal()},
      {"id", facts.run_id},
      {"pegmove", facts.version},
      {"from", facts.from},
      {"to", facts.to},
      {"table", source.table},
      {"to_table", target.table},
      {"compared", what_was_compared(report)},
      {"began", utc(facts.began_unix_ms)},
      {"ended", utc(facts.ended_unix_ms)},
      {"elapsed_ms", report.elapsed.count()},
      {"options", options_json(report)},
      {"source", to_json(source, report.source_rows, report.source_sum, report.source_foreign)},
      {"target", to_json(target, report.target_rows, report.target_sum, report.target_foreign)},
      {"suspects", report.suspects}};
  json.update(counts_json(report));
  if (report.options.sample)
    json["sample"] = {{"share", report.options.sample->share},
                      {"seed", report.options.sample->seed},
                      {"slices", report.slices},
                      {"rows_compared", std::max(report.source_rows, report.target_rows)},
                      {"proves", what_a_sample_proves(report)}};
  json["differences"] = differences_json(report.differences);
  return json;
}

}  // namespace

Task<TableFacts> describe(client::Table& table, Deadline deadline) {
  auto& cluster = table.cluster();
  auto info = CO_TRY(co_await cluster.table_info(table.name(), deadline));
  std::erase_if(info.envs, [](const auto& env) {
    return std::ranges::find(kEnvsThatMatter, env.first) == kEnvsThatMatter.end();
  });
  co_return TableFacts{.cluster = cluster.name(),
                       .metas = cluster.meta_list(),
                       .table = table.name(),
                       .app_id = table.app_id(),
                       .partitions = table.partition_count(),
                       .envs = std::move(info.envs)};
}

std::string verdict(const CompareReport& report) {
  if (report.differing() > 0) return "different";
  if (report.not_settled > 0) return "not settled";
  return report.options.sample ? "sample equal" : "equal";
}

std::string what_a_sample_proves(const CompareReport& report) {
  const auto rows = std::max(report.source_rows, report.target_rows);
  if (rows == 0) return "no row was compared: nothing is proven";
  return base::format_count(uint64_t(rows)) + " rows were compared, in " +
         base::format_count(uint64_t(report.slices)) +
         " slices of neighbouring keys; nothing is proven about the others";
}

std::string summary(const CompareReport& report) {
  Json json{{"verdict", verdict(report)}, {"equal", report.equal()}};
  json.update(counts_json(report));
  rows::add_foreign(json, report.source_foreign, "source_");
  rows::add_foreign(json, report.target_foreign, "target_");
  return base::json_text(json);
}

std::string certificate(const CertificateFacts& facts, const TableFacts& source,
                        const TableFacts& target, const CompareReport& report) {
  return base::json_text(certificate_json(facts, source, target, report), 2);
}

std::string verdict(const LiveVerification& live) {
  if (live.repaired.differ_now + live.repaired.extra_left > 0) return "different";
  if (live.found.not_settled + live.repaired.not_settled > 0) return "not settled";
  return "equal";
}

std::string certificate(const CertificateFacts& facts, const TableFacts& source,
                        const TableFacts& target, const LiveVerification& live) {
  auto json = certificate_json(facts, source, target, live.found);
  json["verdict"] = verdict(live);
  json["equal"] = live.equal();
  json["found"] = verdict(live.found);
  json["repair"] = repair_json(live.repaired);
  json["differences"] = differences_json(live.repaired.left);
  return base::json_text(json, 2);
}

}  // namespace pegmove::compare
