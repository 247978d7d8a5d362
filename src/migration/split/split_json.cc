#include "migration/split/split_json.h"

#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "migration/copy/copy_options_json.h"
#include "migration/journal_fields.h"

namespace pegmove::migration {
namespace {

using splitter::RowCounts;
using splitter::SplitPlan;
using splitter::Unit;
using splitter::UnitResult;
using Json = nlohmann::json;

constexpr int64_t kMostBytes = int64_t{1} << 60;
constexpr int32_t kMostPartitions = 65'536;

constexpr std::pair<const char*, int64_t RowCounts::*> kCounts[] = {
    {"read", &RowCounts::read},           {"written", &RowCounts::written},
    {"bytes", &RowCounts::bytes},         {"expired", &RowCounts::expired},
    {"misplaced", &RowCounts::misplaced}, {"filtered", &RowCounts::filtered}};

Json to_json(const RowCounts& counts) {
  Json out;
  for (const auto& [name, field] : kCounts) out[name] = counts.*field;
  return out;
}

Result<RowCounts> read_counts(const Json& in) {
  RowCounts counts;
  for (const auto& [name, field] : kCounts)
    counts.*field = TRY(read_integer(in, name, 0, kMostBytes));
  return counts;
}

Result<Unit> read_unit(const Json& in) {
  if (!in.is_object()) return fail(Code::kCorrupt, "a unit is no object");
  return Unit{.which = int32_t(TRY(read_integer(in, "class", 0, kMostPartitions))),
              .from = TRY(base::from_base64(TRY(read_text(in, "from")))),
              .to = TRY(base::from_base64(TRY(read_text(in, "to")))),
              .rows = TRY(read_integer(in, "rows", 0, kMostBytes))};
}

Result<void> read_head(const Json& in, SplitPlan& plan) {
  if (!in.is_object()) return fail(Code::kCorrupt, "it is no JSON object");
  plan.rules.now_ts = uint32_t(TRY(read_integer(in, "now_ts", 0, UINT32_MAX)));
  plan.rules.most_file_bytes = TRY(read_integer(in, "most_file_bytes", 1, kMostBytes));
  return {};
}

Json json_of(const Unit& unit) {
  return {{"class", unit.which},
          {"from", base::to_base64(unit.from)},
          {"to", base::to_base64(unit.to)},
          {"rows", unit.rows}};
}

Result<void> read_plan(const Json& in, SplitPlan& plan) {
  TRY(read_head(in, plan));
  if (!in.contains("units") || !in["units"].is_array())
    return fail(Code::kCorrupt, "'units' must be a list");
  for (const auto& each : in["units"]) plan.units.push_back(TRY(read_unit(each)));
  return {};
}

// Runs of before there was Spark have none of it.
Result<SparkOptions> read_spark(const Json& in) {
  if (!in.contains("spark_master")) return SparkOptions{};
  return SparkOptions{.master = TRY(read_text(in, "spark_master")),
                      .submit = TRY(read_text(in, "spark_submit")),
                      .properties = TRY(read_text(in, "spark_properties")),
                      .conf = TRY(read_texts(in, "spark_conf"))};
}

Result<SplitRequest> read_request(const Json& in) {
  if (!in.is_object()) return fail(Code::kCorrupt, "they are no JSON object");
  const auto partitions = [&in](const char* name) {
    return read_integer(in, name, 1, kMostPartitions);
  };
  if (!in.contains("filters")) return fail(Code::kCorrupt, "'filters' must be an object");
  return SplitRequest{
      .from_store = TRY(read_text(in, "from_store")),
      .from_metas = TRY(read_text(in, "from_metas")),
      .from = {.root = TRY(read_text(in, "from_root")),
               .backup_id = TRY(read_integer(in, "backup_id", 0, INT64_MAX)),
               .table = TRY(read_text(in, "table")),
               .app_id = int32_t(TRY(read_integer(in, "app_id", 1, INT32_MAX)))},
      .from_partitions = int32_t(TRY(partitions("from_partitions"))),
      .to_store = TRY(read_text(in, "to_store")),
      .to = {.root = TRY(read_text(in, "to_root")),
             .cluster = TRY(read_text(in, "to_cluster")),
             .table = TRY(read_text(in, "to_table"))},
      .to_app_id = int32_t(TRY(read_integer(in, "to_app_id", 1, INT32_MAX))),
      .to_partitions = int32_t(TRY(partitions("to_partitions"))),
      .data_version = int(TRY(read_integer(in, "data_version", 0, 1))),
      .filters = TRY(copy_rules_from_json(in["filters"])).filters,
      .most_file_bytes = TRY(read_integer(in, "most_file_bytes", 1, kMostBytes)),
      // Splits that began before there was a choice have none.
      .for_old_servers = in.contains("for_old_servers") && TRY(read_flag(in, "for_old_servers")),
      .limits = {.units_at_once = int(TRY(read_integer(in, "units_at_once", 1, 1024))),
                 .memory_bytes = TRY(read_integer(in, "memory_bytes", 1, kMostBytes)),
                 .disk_bytes = TRY(read_integer(in, "disk_bytes", 1, kMostBytes)),
                 .work_folder = TRY(read_text(in, "work_folder"))},
      .spark = TRY(read_spark(in))};
}

}  // namespace

std::string to_json(const SplitRequest& request) {
  return Json{{"from_store", request.from_store},
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
              {"spark_conf", request.spark.conf}}
      .dump();
}

Result<SplitRequest> split_request_from_json(std::string_view text) {
  return in_context(read_request(Json::parse(text, nullptr, false)),
                    "the journal's options of a split");
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
  Json units = Json::array();
  for (const auto& unit : plan.units) units.push_back(json_of(unit));
  return Json{{"now_ts", plan.rules.now_ts},
              {"most_file_bytes", plan.rules.most_file_bytes},
              {"units", std::move(units)}}
      .dump();
}

std::string to_json(const Unit& unit) { return json_of(unit).dump(); }

std::string head_to_json(const SplitPlan& plan) {
  return Json{{"now_ts", plan.rules.now_ts}, {"most_file_bytes", plan.rules.most_file_bytes}}
      .dump();
}

Result<SplitPlan> plan_from_json(std::string_view head, const std::vector<std::string>& units,
                                 const SplitRequest& request) {
  SplitPlan plan{.rules = rules_of(request, 0), .units = {}};
  TRY(read_head(Json::parse(head, nullptr, false), plan));
  for (const auto& unit : units)
    plan.units.push_back(TRY(read_unit(Json::parse(unit, nullptr, false))));
  return plan;
}

Result<SplitPlan> plan_from_json(std::string_view text, const SplitRequest& request) {
  SplitPlan plan{.rules = rules_of(request, 0), .units = {}};
  TRY(read_plan(Json::parse(text, nullptr, false), plan));
  return plan;
}

std::string to_json(const UnitResult& result) {
  Json files = Json::array();
  for (const auto& each : result.files)
    files.push_back({{"partition", each.partition},
                     {"name", each.file.name},
                     {"size", each.file.size},
                     {"md5", each.file.md5},
                     {"rows", each.rows},
                     {"digest", each.digest}});
  return Json{{"counts", to_json(result.counts)}, {"files", std::move(files)}}.dump();
}

Result<UnitResult> unit_result_from_json(std::string_view text) {
  const auto in = Json::parse(text, nullptr, false);
  if (!in.is_object() || !in.contains("counts") || !in.contains("files") || !in["files"].is_array())
    return fail(Code::kCorrupt, "it does not tell what a unit has made");
  UnitResult result{.counts = TRY(read_counts(in["counts"])), .files = {}};
  for (const auto& each : in["files"])
    result.files.push_back(
        {.partition = int32_t(TRY(read_integer(each, "partition", 0, kMostPartitions))),
         .file = {.name = TRY(read_text(each, "name")),
                  .size = TRY(read_integer(each, "size", 0, kMostBytes)),
                  .md5 = TRY(read_text(each, "md5"))},
         .rows = TRY(read_integer(each, "rows", 0, kMostBytes)),
         .digest = TRY(read_text(each, "digest"))});
  return result;
}

std::string to_json(const SplitReport& report) {
  return nlohmann::ordered_json{
      {"store", report.store},           {"folder", report.place.table_folder()},
      {"cluster", report.place.cluster}, {"table", report.place.table},
      {"partitions", report.partitions}, {"empty_partitions", report.empty_partitions},
      {"files", report.files},           {"file_bytes", report.file_bytes},
      {"rows", to_json(report.counts)},  {"elapsed_ms", report.elapsed.count()}}
      .dump(2);
}

}  // namespace pegmove::migration
