#include "server/meta/load/load_records.h"

#include <limits>

#include "server/meta/store/value_json.h"

namespace pegmove::server::meta {
namespace {

using Json = nlohmann::json;

constexpr int64_t kMostLoadInt64 = std::numeric_limits<int64_t>::max();
constexpr std::string_view kLoads = "/bulk_load";

constexpr std::string_view kLoadStatusNames[] = {
    "BLS_INVALID", "BLS_DOWNLOADING", "BLS_DOWNLOADED", "BLS_INGESTING", "BLS_SUCCEED",
    "BLS_FAILED",  "BLS_PAUSING",     "BLS_PAUSED",     "BLS_CANCELED"};

Json to_json(const LoadRecord& record) {
  return {{"app_id", record.app_id},
          {"table", record.table},
          {"provider", record.provider},
          {"root", record.place.root},
          {"cluster", record.place.cluster},
          {"place_table", record.place.table},
          {"behind", record.behind},
          {"load", record.load},
          {"end_ms", record.end_ms},
          {"status", status_name(record.status)},
          {"partition_count", record.partitions.size()},
          {"error", wire::error_name(record.error)},
          {"reason", record.reason},
          {"writes_held_us", record.writes_held_us},
          {"is_over", record.is_over}};
}

// Its partitions are read separately.
Result<LoadRecord> read_record(const base::JsonFields& fields) {
  return LoadRecord{
      .app_id = TRY(fields.int32("app_id", 1, std::numeric_limits<int32_t>::max())),
      .table = TRY(fields.text("table")),
      .provider = TRY(fields.text("provider")),
      .place = {.root = TRY(fields.text("root")),
                .cluster = TRY(fields.text("cluster")),
                .table = TRY(fields.text("place_table"))},
      .behind = TRY(fields.boolean("behind")),
      .load = TRY(fields.integer("load", 0, kMostLoadInt64)),
      .end_ms = TRY(fields.integer("end_ms", 0, kMostLoadInt64)),
      .status = wire::bulk_load_status(TRY(fields.choice("status", kLoadStatusNames))),
      .partitions = std::vector(TRY(read_partition_count(fields)), wire::BLS_INVALID),
      .error = wire::error_from_name(TRY(fields.text("error"))),
      .reason = TRY(fields.text("reason")),
      .writes_held_us = TRY(fields.integer("writes_held_us", 0, kMostLoadInt64)),
      .is_over = TRY(fields.boolean("is_over"))};
}

Result<wire::bulk_load_status> read_partition_status(const base::JsonFields& fields) {
  return wire::bulk_load_status(TRY(fields.choice("status", kLoadStatusNames)));
}

}  // namespace

LoadRecord* find_load(LoadState& loads, int32_t app_id) {
  const auto found = loads.find(app_id);
  return found == loads.end() ? nullptr : &found->second;
}

const LoadRecord* find_load(const LoadState& loads, int32_t app_id) {
  const auto found = loads.find(app_id);
  return found == loads.end() ? nullptr : &found->second;
}

bool is_final(wire::bulk_load_status status) {
  return status == wire::BLS_SUCCEED || status == wire::BLS_FAILED || status == wire::BLS_CANCELED;
}

std::string_view status_name(wire::bulk_load_status status) {
  return size_t(status) < std::size(kLoadStatusNames) ? kLoadStatusNames[size_t(status)]
                                                      : "BLS_INVALID";
}

void put_load(MetaBatch& batch, const LoadRecord& record) {
  batch.put(path_of(kLoads, record.app_id), value_text(to_json(record)));
}

void put_loaded_partition(MetaBatch& batch, const LoadRecord& record, size_t partition) {
  batch.put(path_of(kLoads, record.app_id, partition),
            value_text({{"status", status_name(record.partitions[partition])}}));
}

void put_whole_load(MetaBatch& batch, const LoadRecord& record) {
  remove_load(batch, record.app_id);
  put_load(batch, record);
  for (size_t i = 0; i < record.partitions.size(); ++i) put_loaded_partition(batch, record, i);
}

void remove_load(MetaBatch& batch, int32_t app_id) { batch.remove(path_of(kLoads, app_id)); }

Result<LoadState> read_loads(const MetaValues& values) {
  LoadState state;
  for (const auto& [app_id, text] : TRY(numbered_children_of(values, kLoads))) {
    const auto path = path_of(kLoads, app_id);
    auto record = TRY(read_value(path, text, read_record));
    TRY(check_path(path, path_of(kLoads, record.app_id)));
    TRY(read_partitions(values, path, record.partitions, read_partition_status));
    state[record.app_id] = std::move(record);
  }
  return state;
}

}  // namespace pegmove::server::meta
