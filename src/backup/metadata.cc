#include "backup/metadata.h"

#include <algorithm>
#include <charconv>

#include "base/bytes.h"
#include "blockstore/pegasus_json.h"

namespace pegmove::backup {
namespace {

using blockstore::dump;
using blockstore::Fields;
using Json = blockstore::PegasusJson;

constexpr int32_t kMostPartitions = 65'536;
constexpr const char* kAvailable = "app_status::AS_AVAILABLE";
constexpr int kAlive = 1, kDeleting = 2;  // backup_info_status

std::unexpected<Error> damaged(const std::string& text) { return fail(Code::kCorrupt, text); }

Result<BackupInfo> read_one_time(const Json& json) {
  const auto fields =
      TRY(Fields::of(json, {"backup_id", "start_time_ms", "end_time_ms", "app_id", "app_name"}));
  BackupInfo info{.backup_id = TRY(fields.integer("backup_id", 0)),
                  .start_time_ms = TRY(fields.integer("start_time_ms", 0)),
                  .end_time_ms = TRY(fields.integer("end_time_ms", 0)),
                  .tables = {}};
  const auto app_id = TRY(fields.integer("app_id", 0, 1, INT32_MAX));
  if (app_id == 0) return damaged("it does not tell the table");
  info.tables[int32_t(app_id)] = TRY(fields.text("app_name"));
  return info;
}

Result<BackupInfo> read_of_policy(const Json& json) {
  const auto fields = TRY(Fields::of(
      json, {"backup_id", "start_time_ms", "end_time_ms", "app_ids", "app_names", "info_status"}));
  BackupInfo info{.backup_id = TRY(fields.integer("backup_id", 0)),
                  .start_time_ms = TRY(fields.integer("start_time_ms", 0)),
                  .end_time_ms = TRY(fields.integer("end_time_ms", 0)),
                  .tables = {},
                  .of_policy = true};
  info.is_deleting = TRY(fields.integer("info_status", kAlive, kAlive, kDeleting)) == kDeleting;
  if (!fields.has("app_names")) return info;
  const auto& names = fields.any("app_names");
  if (!names.is_object()) return damaged("'app_names' is no object");
  for (const auto& [id, name] : names.items()) {
    int32_t app_id = 0;
    const auto [stop, failed] = std::from_chars(id.data(), id.data() + id.size(), app_id);
    if (failed != std::errc() || stop != id.data() + id.size() || app_id <= 0 || !name.is_string())
      return damaged("'app_names' has " + base::printable(id) + ", which is no app id with a name");
    info.tables[app_id] = name.get<std::string>();
  }
  return info;
}

Result<CheckpointMetadata> read_checkpoint(const Json& json) {
  const auto fields = TRY(Fields::of(
      json, {"checkpoint_decree", "checkpoint_timestamp", "files", "checkpoint_total_size"}));
  CheckpointMetadata metadata{.decree = TRY(fields.integer("checkpoint_decree", 0)),
                              .timestamp_ms = TRY(fields.integer("checkpoint_timestamp", 0)),
                              .files = {},
                              .total_size = TRY(fields.integer("checkpoint_total_size", 0))};
  metadata.files = TRY(blockstore::read_files(fields, "files", metadata.total_size));
  const auto is_current = [](const auto& file) { return file.name == "CURRENT"; };
  if (std::ranges::none_of(metadata.files, is_current)) return damaged("it lists no file CURRENT");
  return metadata;
}

Result<wire::app_info> read_app(const Json& json) {
  const auto fields = TRY(Fields::of(
      json, {"status", "app_type", "app_name", "app_id", "partition_count", "envs", "is_stateful",
             "max_replica_count", "expire_second", "create_second", "drop_second", "duplicating",
             "init_partition_count", "is_bulk_loading", "atomic_idempotent"}));
  wire::app_info app;
  app.status = wire::app_status::AS_AVAILABLE;
  app.app_type = TRY(fields.text("app_type"));
  app.app_name = TRY(fields.text("app_name"));
  app.app_id = int32_t(TRY(fields.integer("app_id", 0, 1, INT32_MAX)));
  app.partition_count = int32_t(TRY(fields.integer("partition_count", 0, 1, kMostPartitions)));
  if (app.app_id == 0 || app.partition_count == 0)
    return damaged("it does not tell the table's id and its partitions");
  app.is_stateful = TRY(fields.boolean("is_stateful", true));
  app.max_replica_count = int32_t(TRY(fields.integer("max_replica_count", 3, 1, 100)));
  app.create_second = TRY(fields.integer("create_second", 0));
  app.__set_duplicating(TRY(fields.boolean("duplicating", false)));
  app.init_partition_count =
      int32_t(TRY(fields.integer("init_partition_count", -1, -1, kMostPartitions)));
  app.__set_atomic_idempotent(TRY(fields.boolean("atomic_idempotent", false)));
  return app;
}

}  // namespace

std::string encode(const BackupInfo& info) {
  Json json{{"backup_id", info.backup_id},
            {"start_time_ms", info.start_time_ms},
            {"end_time_ms", info.end_time_ms}};
  if (!info.of_policy) {
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
  auto info =
      TRY(in_context(of_policy ? read_of_policy(json) : read_one_time(json), "backup_info"));
  if (info.backup_id <= 0) return damaged(std::string("backup_info") + ": no backup id");
  return info;
}

Result<CheckpointMetadata> decode_checkpoint_metadata(std::string_view text) {
  return in_context(read_checkpoint(blockstore::parse_json(text)), "backup_metadata");
}

Result<wire::app_info> decode_app_metadata(std::string_view text) {
  return in_context(read_app(blockstore::parse_json(text)), "app_metadata");
}

std::string encode_envs(const EnvsOfTables& envs) { return dump(Json(envs)); }

Result<EnvsOfTables> decode_envs(std::string_view text) {
  const auto json = blockstore::parse_json(text);
  EnvsOfTables envs;
  if (!json.is_object()) return damaged("pegmove_envs: it is no JSON object");
  for (const auto& [folder, of_table] : json.items()) {
    if (!of_table.is_object()) return damaged("pegmove_envs: " + base::printable(folder));
    auto& to = envs[folder];
    for (const auto& [key, value] : of_table.items()) {
      if (!value.is_string())
        return damaged("pegmove_envs: the value of " + base::printable(key) + " is no text");
      to[key] = value.get<std::string>();
    }
  }
  return envs;
}

}  // namespace pegmove::backup
