#include "migration/split/split_json.h"

#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/json_fields.h"
#include "base/json_text.h"
#include "migration/copy/copy_options_json.h"
#include "rows/foreign_rows_text.h"

namespace pegmove::migration {
namespace {

using splitter::RowCounts;
using splitter::SplitPlan;
using splitter::Unit;
using splitter::UnitResult;
using SortedJson = nlohmann::json;

constexpr int64_t kMostBytes = int64_t{1} << 60;
constexpr int32_t kMostPartitions = 65'536;

constexpr std::pair<const char*, int64_t RowCounts::*> kCounts[] = {
    {"read", &RowCounts::read},
    {"written", &RowCounts::written},
    {"bytes", &RowCounts::bytes},
    {"expired", &RowCounts::expired},
    {"filtered", &RowCounts::filtered}};

SortedJson to_json(const RowCounts& counts) {
  SortedJson out;
  for (const auto& [name, field] : kCounts) out[name] = counts.*field;
  return out;
}

Result<RowCounts> read_counts(const base::JsonFields& in) {
  RowCounts counts;
  for (const auto& [name, field] : kCounts) counts.*field = TRY(in.integer(name, 0, kMostBytes));
  counts.foreign = TRY(rows::foreign_from_journal(TRY(in.text("foreign", ""))));
  // Older versions counted them, and nothing else.
  if (in.has("misplaced")) counts.foreign.rows = TRY(in.integer("misplaced", 0, kMostBytes));
  return counts;
}

Result<Unit> read_unit(const base::JsonFields& in) {
  return Unit{.which = int32_t(TRY(in.integer("class", 0, kMostPartitions))),
              .from = TRY(in.base64("from")),
              .to = TRY(in.base64("to")),
              .rows = TRY(in.integer("rows", 0, kMostBytes))};
}

Result<void> read_head(const base::JsonFields& in, SplitPlan& plan) {
  plan.rules.now_ts = uint32_t(TRY(in.integer("now_ts", 0, UINT32_MAX)));
  plan.rules.most_file_bytes = TRY(in.integer("most_file_bytes", 1, kMostBytes));
  return {};
}

SortedJson json_of(const Unit& unit) {
  return {{"class", unit.which},
          {"from", base::to_base64(unit.from)},
          {"to", base::to_base64(unit.to)},
          {"rows", unit.rows}};
}

Result<void> read_plan(const base::JsonFields& in, SplitPlan& plan) {
  TRY(read_head(in, plan));
  for (const auto& each : TRY(in.objects("units"))) plan.units.push_back(TRY(read_unit(each)));
  return {};
}

// Runs of versions without Spark do not have these fields.
Result<SparkOptions> read_spark(const base::JsonFields& in) {
  if (!in.has("spark_master")) return SparkOptions{};
  return SparkOptions{.master = TRY(in.text("spark_master")),
                      .submit = TRY(in.text("spark_submit")),
                      .properties = TRY(in.text("spark_properties")),
                      .conf = TRY(in.texts("spark_conf"))};
}

Result<SplitRequest> read_request(const base::JsonFields& in) {
  const auto partitions = [&in](const char* name) { return in.integer(name, 1, kMostPartitions); };
  return SplitRequest{
      .from_store = TRY(in.text("from_store")),
      .from_metas = TRY(in.text("from_metas")),
      .from = {.root = TRY(in.text("from_root")),
               .backup_id = TRY(in.integer("backup_id", 0, INT64_MAX)),
               .table = TRY(in.text("table")),
               .app_id = int32_t(TRY(in.integer("app_id", 1, INT32_MAX)))},
      .from_partitions = int32_t(TRY(partitions("from_partitions"))),
      .to_store = TRY(in.text("to_store")),
      .to = {.root = TRY(in.text("to_root")),
             .cluster = TRY(in.text("to_cluster")),
             .table = TRY(in.text("to_table"))},
      .to_app_id = int32_t(TRY(in.integer("to_app_id", 1, INT32_MAX))),
      .to_partitions = int32_t(TRY(partitions("to_partitions"))),
      .data_version = int(TRY(in.integer("data_version", 0, 1))),
      .filters = TRY(copy_rules_from_json(*TRY(in.any("filters")))).filters,
      .most_file_bytes = TRY(in.integer("most_file_bytes", 1, kMostBytes)),
      // Splits of versions without filters do not have this field.
      .for_old_servers = in.has("for_old_servers") && TRY(in.boolean("for_old_servers")),
      .limits = {.units_at_once = int(TRY(in.integer("units_at_once", 1, 1024))),
                 .memory_bytes = TRY(in.integer("memory_bytes", 1, kMostBytes)),
                 .disk_bytes = TRY(in.integer("disk_bytes", 1, kMostBytes)),
                 .work_folder = TRY(in.text("work_folder"))},
      .spark = TRY(read_spark(in))};
}

}  // namespace

std::string to_json(const SplitRequest& request) {
  return base::json_text(SortedJson{{"from_store", request.from_store},
                                    {"from_metas", request.from_metas},
                                    {"from_root", request.from.root},
                                    {"backup_id", request.from.backup_id},
                                    {"table", request.from.table},
                                    {"app_id", request.from.app_id},
                                    {"from_partitions", request.from_partitions},
                                    {"to_store", request.to_store},
                                    {"to_root", request.to.root},
                                    {"to_cluster", request.to.cluster},
                                    {"to_table", request.to.table},
                                    {"to_app_id", request.to_app_id},
                                    {"to_partitions", request.to_partitions},
                                    {"data_version", request.data_version},
                                    {"filters", to_json(CopyRules{.filters = request.filters})},
                                    {"most_file_bytes", request.most_file_bytes},
                                    {"for_old_servers", request.for_old_servers},
                                    {"units_at_once", request.limits.units_at_once},
                                    {"memory_bytes", request.limits.memory_bytes},
                                    {"disk_bytes", request.limits.disk_bytes},
                                    {"work_folder", request.limits.work_folder},
                                    {"spark_master", request.spark.master},
                                    {"spark_submit", request.spark.submit},
                                    {"spark_properties", request.spark.properties},
                                    {"spark_conf", request.spark.conf}});
}

Result<SplitRequest> split_request_from_json(std::string_view text) {
  const auto json = base::parse_json<SortedJson>(text);
  return read_request(TRY(base::JsonFields::of(json, "the journal's options of a split")));
}

splitter::SplitRules rules_of(const SplitRequest& request, uint32_t now_ts) {
  return {.shape = {.sources = request.from_partitions, .targets = request.to_partitions},
          .data_version = request.data_version,
          .now_ts = now_ts,
          .filters = request.filters,
          .most_file_bytes = request.most_file_bytes,
          .for_old_servers = request.for_old_servers};
}

std::string to_json(const SplitPlan& plan) {
  SortedJson units = SortedJson::array();
  for (const auto& unit : plan.units) units.push_back(json_of(unit));
  return base::json_text(SortedJson{{"now_ts", plan.rules.now_ts},
                                    {"most_file_bytes", plan.rules.most_file_bytes},
                                    {"units", std::move(units)}});
}

std::string to_json(const Unit& unit) { return base::json_text(json_of(unit)); }

std::string head_to_json(const SplitPlan& plan) {
  return base::json_text(
      SortedJson{{"now_ts", plan.rules.now_ts}, {"most_file_bytes", plan.rules.most_file_bytes}});
}

Result<SplitPlan> plan_from_json(std::string_view head, const std::vector<std::string>& units,
                                 const SplitRequest& request) {
  SplitPlan plan{.rules = rules_of(request, 0), .units = {}};
  const auto json = base::parse_json<SortedJson>(head);
  TRY(read_head(TRY(base::JsonFields::of(json, "the plan of a split")), plan));
  for (const auto& unit : units) {
    const auto each = base::parse_json<SortedJson>(unit);
    plan.units.push_back(TRY(read_unit(TRY(base::JsonFields::of(each, "a unit of a split")))));
  }
  return plan;
}

Result<SplitPlan> plan_from_json(std::string_view text, const SplitRequest& request) {
  SplitPlan plan{.rules = rules_of(request, 0), .units = {}};
  const auto json = base::parse_json<SortedJson>(text);
  TRY(read_plan(TRY(base::JsonFields::of(json, "the plan of a split")), plan));
  return plan;
}

std::string to_json(const UnitResult& result) {
  SortedJson files = SortedJson::array();
  for (const auto& each : result.files)
    files.push_back({{"partition", each.partition},
                     {"name", each.file.name},
                     {"size", each.file.size},
                     {"md5", each.file.md5},
                     {"rows", each.rows},
                     {"digest", each.digest}});
  auto counts = to_json(result.counts);
  counts["foreign"] = rows::foreign_to_journal(result.counts.foreign);
  return base::json_text(SortedJson{{"counts", std::move(counts)}, {"files", std::move(files)}});
}

Result<UnitResult> unit_result_from_json(std::string_view text) {
  const auto json = base::parse_json<SortedJson>(text);
  const auto in = TRY(base::JsonFields::of(json, "the result of a unit"));
  UnitResult result{.counts = TRY(read_counts(TRY(in.object("counts")))), .files = {}};
  for (const auto& each : TRY(in.objects("files")))
    result.files.push_back({.partition = TRY(each.int32("partition", 0, kMostPartitions)),
                            .file = {.name = TRY(each.text("name")),
                                     .size = TRY(each.integer("size", 0, kMostBytes)),
                                     .md5 = TRY(each.text("md5"))},
                            .rows = TRY(each.integer("rows", 0, kMostBytes)),
                            .digest = TRY(each.text("digest"))});
  return result;
}

std::string to_json(const SplitReport& report) {
  nlohmann::ordered_json json{
      {"store", report.store},           {"folder", report.place.table_folder()},
      {"cluster", report.place.cluster}, {"table", report.place.table},
      {"partitions", report.partitions}, {"empty_partitions", report.empty_partitions},
      {"files", report.files},           {"file_bytes", report.file_bytes},
      {"rows", to_json(report.counts)},  {"elapsed_ms", report.elapsed.count()}};
  rows::add_foreign(json, report.counts.foreign);
  return base::json_text(json, 2);
}

}  // namespace pegmove::migration
