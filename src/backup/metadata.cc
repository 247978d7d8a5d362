#include "backup/metadata.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/check.h"
#include "base/units.h"
#include "blockstore/pegasus_json.h"

namespace pegmove::backup {
namespace {

using blockstore::dump;
using blockstore::fields_of;
using blockstore::read_count;
using blockstore::read_flag;
using Json = blockstore::PegasusJson;

constexpr int32_t kMostPartitions = 65'536;
constexpr const char* kAvailable = "app_status::AS_AVAILABLE";
constexpr int kAlive = 1, kDeleting = 2;  // backup_info_status

constexpr const char* kInfo = "backup_info";

// The fields of both kinds of backup.
Result<BackupInfo> read_times(const blockstore::PegasusFields& fields) {
  BackupInfo info{.backup_id = TRY(read_count(fields, "backup_id")),
                  .start_time_ms = TRY(read_count(fields, "start_time_ms")),
                  .end_time_ms = TRY(read_count(fields, "end_time_ms")),
                  .tables = {}};
  if (info.backup_id == 0) return fields.wrong("no backup id");
  return info;
}

Result<BackupInfo> read_one_time(const Json& json) {
  const auto fields = TRY(
      fields_of(json, kInfo, {"backup_id", "start_time_ms", "end_time_ms", "app_id", "app_name"}));
  auto info = TRY(read_times(fields));
  const auto app_id = TRY(fields.integer("app_id", 1, INT32_MAX, 0));
  if (app_id == 0) return fields.wrong("it does not contain the table");
  info.tables[int32_t(app_id)] = TRY(fields.text("app_name", ""));
  return info;
}

Result<BackupInfo> read_of_policy(const Json& json) {
  const auto fields = TRY(fields_of(
      json, kInfo,
      {"backup_id", "start_time_ms", "end_time_ms", "app_ids", "app_names", "info_status"}));
  auto info = TRY(read_times(fields));
  info.of_policy = true;
  info.is_deleting = TRY(fields.integer("info_status", kAlive, kDeleting, kAlive)) == kDeleting;
  if (!fields.has("app_names")) return info;
  for (auto& [id, name] : TRY(fields.text_map("app_names"))) {
    const auto app_id = base::parse_integer(id, 1, INT32_MAX);
    if (!app_id)
      return fields.wrong(
          fmt::format("'app_names' has {}, which is not an app id", base::printable(id)));
    info.tables[int32_t(*app_id)] = name;
  }
  return info;
}

}  // namespace

std::string encode(const BackupInfo& info) {
  Json json{{"backup_id", info.backup_id},
            {"start_time_ms", info.start_time_ms},
            {"end_time_ms", info.end_time_ms}};
  if (!info.of_policy) {
    base::check(!info.tables.empty(), "a one-time backup has one table");
    json["app_id"] = info.tables.begin()->first;
    json["app_name"] = info.tables.begin()->second;
    return dump(json);
  }
  json["app_ids"] = Json::array();
  json["app_names"] = Json::object();
  for (const auto& [id, name] : info.tables) {
    json["app_ids"].push_back(id);
    json["app_names"][std::to_string(id)] = name;
  }
  json["info_status"] = info.is_deleting ? kDeleting : kAlive;
  return dump(json);
}

std::string encode(const CheckpointMetadata& metadata) {
  return dump(Json{{"checkpoint_decree", metadata.decree},
                   {"checkpoint_timestamp", metadata.timestamp_ms},
                   {"files", blockstore::files_json(metadata.files)},
                   {"checkpoint_total_size", metadata.total_size}});
}

std::string encode_app_metadata(const wire::app_info& table) {
  return dump(Json{{"status", kAvailable},
                   {"app_type", table.app_type},
                   {"app_name", table.app_name},
                   {"app_id", table.app_id},
                   {"partition_count", table.partition_count},
                   {"envs", Json::object()},
                   {"is_stateful", int(table.is_stateful)},
                   {"max_replica_count", table.max_replica_count},
                   {"expire_second", table.expire_second},
                   {"create_second", table.create_second},
                   {"drop_second", table.drop_second},
                   {"duplicating", int(table.duplicating)},
                   {"init_partition_count", table.init_partition_count},
                   {"is_bulk_loading", int(table.is_bulk_loading)},
                   {"atomic_idempotent", int(table.atomic_idempotent)}});
}

std::string encode_backup_status(int64_t total_size) {
  return dump(Json{{"total_checkpoint_size", total_size}});
}

Result<BackupInfo> decode_backup_info(std::string_view text) {
  const auto json = blockstore::parse_json(text);
  const bool of_policy = json.is_object() && json.contains("app_ids");
  return of_policy ? read_of_policy(json) : read_one_time(json);
}

Result<CheckpointMetadata> decode_checkpoint_metadata(std::string_view text) {
  const auto json = blockstore::parse_json(text);
  const auto fields = TRY(
      fields_of(json, "backup_metadata",
                {"checkpoint_decree", "checkpoint_timestamp", "files", "checkpoint_total_size"}));
  CheckpointMetadata metadata{.decree = TRY(read_count(fields, "checkpoint_decree")),
                              .timestamp_ms = TRY(read_count(fields, "checkpoint_timestamp")),
                              .files = {},
                              .total_size = TRY(read_count(fields, "checkpoint_total_size"))};
  metadata.files = TRY(blockstore::read_files(fields, "files", metadata.total_size));
  const auto is_current = [](const auto& file) { return file.name == "CURRENT"; };
  if (std::ranges::none_of(metadata.files, is_current))
    return fields.wrong("it does not list a file CURRENT");
  return metadata;
}

Result<wire::app_info> decode_app_metadata(std::string_view text) {
  const auto json = blockstore::parse_json(text);
  const auto fields = TRY(fields_of(
      json, "app_metadata",
      {"status", "app_type", "app_name", "app_id", "partition_count", "envs", "is_stateful",
       "max_replica_count", "expire_second", "create_second", "drop_second", "duplicating",
       "init_partition_count", "is_bulk_loading", "atomic_idempotent"}));
  wire::app_info app;
  app.status = wire::app_status::AS_AVAILABLE;
  app.app_type = TRY(fields.text("app_type", ""));
  app.app_name = TRY(fields.text("app_name", ""));
  app.app_id = int32_t(TRY(fields.integer("app_id", 1, INT32_MAX, 0)));
  app.partition_count = int32_t(TRY(fields.integer("partition_count", 1, kMostPartitions, 0)));
  if (app.app_id == 0 || app.partition_count == 0)
    return fields.wrong("it does not contain the table's id and partition count");
  app.is_stateful = TRY(read_flag(fields, "is_stateful", true));
  app.max_replica_count = int32_t(TRY(fields.integer("max_replica_count", 1, 100, 3)));
  app.create_second = TRY(read_count(fields, "create_second"));
  app.__set_duplicating(TRY(read_flag(fields, "duplicating", false)));
  app.init_partition_count =
      int32_t(TRY(fields.integer("init_partition_count", -1, kMostPartitions, -1)));
  app.__set_atomic_idempotent(TRY(read_flag(fields, "atomic_idempotent", false)));
  return app;
}

std::string encode_envs(const EnvsOfTables& envs) { return dump(Json(envs)); }

Result<EnvsOfTables> decode_envs(std::string_view text) {
  const auto json = blockstore::parse_json(text);
  const auto fields = TRY(blockstore::PegasusFields::of(json, "pegmove_envs"));
  EnvsOfTables envs;
  for (const auto& [folder, of_table] : json.items())
    envs[folder] = TRY(fields.text_map(folder.c_str()));
  return envs;
}

}  // namespace pegmove::backup
