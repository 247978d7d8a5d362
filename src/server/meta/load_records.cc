#include "server/meta/load_records.h"

#include "server/meta/store/value_json.h"

namespace pegmove::server::meta {
namespace {

using Fields = base::JsonFields;
using Json = nlohmann::json;

constexpr std::string_view kLoads = "/bulk_load";

constexpr std::string_view kStatusNames[] = {"BLS_INVALID",   "BLS_DOWNLOADING", "BLS_DOWNLOADED",
                                             "BLS_INGESTING", "BLS_SUCCEED",     "BLS_FAILED",
                                             "BLS_PAUSING",   "BLS_PAUSED",      "BLS_CANCELED"};

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

// Its partitions are read by themselves.
Result<LoadRecord> read_record(const Fields& in) {
  return LoadRecord{.app_id = TRY(read_app_id(in)),
                    .table = TRY(in.text("table")),
                    .provider = TRY(in.text("provider")),
                    .place = {.root = TRY(in.text("root")),
                              .cluster = TRY(in.text("cluster")),
                              .table = TRY(in.text("place_table"))},
                    .behind = TRY(in.boolean("behind")),
                    .load = TRY(read_natural(in, "load")),
                    .end_ms = TRY(read_natural(in, "end_ms")),
                    .status = TRY(read_name<wire::bulk_load_status>(in, "status", kStatusNames)),
                    .partitions = std::vector(TRY(read_partition_count(in)), wire::BLS_INVALID),
                    .error = wire::error_from_name(TRY(in.text("error"))),
                    .reason = TRY(in.text("reason")),
                    .writes_held_us = TRY(read_natural(in, "writes_held_us")),
                    .is_over = TRY(in.boolean("is_over"))};
}

Result<wire::bulk_load_status> read_partition(const Fields& in) {
  return read_name<wire::bulk_load_status>(in, "status", kStatusNames);
}

}  // namespace

std::string_view status_name(wire::bulk_load_status status) {
  return size_t(status) < std::size(kStatusNames) ? kStatusNames[size_t(status)] : "BLS_INVALID";
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
    TRY(read_partitions(values, path, record.partitions, read_partition));
    state[record.app_id] = std::move(record);
  }
  return state;
}

}  // namespace pegmove::server::meta
