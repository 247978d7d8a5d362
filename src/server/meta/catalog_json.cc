#include "server/meta/catalog_json.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "base/bytes.h"
#include "base/json_text.h"
#include "meta_types.h"

namespace pegmove::server::meta {
namespace {

using nlohmann::json;

constexpr std::string_view kRoot = "/apps";
constexpr int64_t kInt32Max = std::numeric_limits<int32_t>::max();
constexpr int64_t kInt64Max = std::numeric_limits<int64_t>::max();

struct LevelName {
  wire::meta_function_level level;
  const char* name;
};
constexpr LevelName kLevels[] = {{wire::meta_function_level::fl_stopped, "stopped"},
                                 {wire::meta_function_level::fl_blind, "blind"},
                                 {wire::meta_function_level::fl_freezed, "freezed"},
                                 {wire::meta_function_level::fl_steady, "steady"},
                                 {wire::meta_function_level::fl_lively, "lively"}};

// Writing.

json to_json(const PartitionRecord& partition) {
  return {{"ballot", partition.ballot}, {"node", partition.node}};
}

json to_json(const AppRecord& app) {
  const auto& info = app.info;
  return {{"app_id", info.app_id},
          {"app_name", info.app_name},
          {"app_type", info.app_type},
          {"status", app.is_available() ? "available" : "dropped"},
          {"partition_count", info.partition_count},
          {"envs", json(info.envs)},
          {"is_stateful", info.is_stateful},
          {"max_replica_count", info.max_replica_count},
          {"init_partition_count", info.init_partition_count},
          {"create_second", info.create_second},
          {"drop_second", info.drop_second},
          {"expire_second", info.expire_second},
          {"duplicating", info.duplicating},
          {"is_bulk_loading", info.is_bulk_loading},
          {"atomic_idempotent", info.atomic_idempotent}};
}

json catalog_json(const CatalogState& state) {
  return {{"next_app_id", state.next_app_id},
          {"meta_function_level", std::string(level_name(state.level))}};
}

// Reading.

std::unexpected<Error> damaged(std::string message) {
  return fail(Code::kCorrupt, std::move(message));
}

// One object. Every get() names the field that is wrong.
class Fields {
 public:
  static Result<Fields> of(std::string_view text, size_t count) {
    auto value = base::parse_json<json>(text);
    if (!value.is_object()) return damaged("it is no JSON object");
    if (value.size() != count) {
      return damaged("the object has " + std::to_string(value.size()) + " fields and not " +
                     std::to_string(count));
    }
    return Fields(std::move(value));
  }

  Result<const json*> any(const char* key) const {
    const auto found = object_.find(key);
    if (found == object_.end()) return damaged("the field " + std::string(key) + " is missing");
    return &*found;
  }

  Result<int64_t> integer(const char* key, int64_t least, int64_t most) const {
    const json& value = *TRY(any(key));
    const bool fits = value.is_number_integer() &&
                      (!value.is_number_unsigned() || value.get<uint64_t>() <= kInt64Max) &&
                      value.get<int64_t>() >= least && value.get<int64_t>() <= most;
    if (!fits) {
      return damaged("the field " + std::string(key) + " is no whole number from " +
                     std::to_string(least) + " to " + std::to_string(most));
    }
    return value.get<int64_t>();
  }
  Result<int32_t> int32(const char* key, int32_t least, int64_t most = kInt32Max) const {
    return static_cast<int32_t>(TRY(integer(key, least, most)));
  }

  Result<bool> boolean(const char* key) const {
    const json& value = *TRY(any(key));
    if (!value.is_boolean()) return damaged("the field " + std::string(key) + " is no boolean");
    return value.get<bool>();
  }

  Result<std::string> text(const char* key) const {
    const json& value = *TRY(any(key));
    if (!value.is_string()) return damaged("the field " + std::string(key) + " is no text");
    return value.get<std::string>();
  }

 private:
  explicit Fields(json object) : object_(std::move(object)) {}
  json object_;
};

Result<std::map<std::string, std::string>> decode_envs(const json& value) {
  if (!value.is_object()) return damaged("the field envs is no object");
  std::map<std::string, std::string> envs;
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string()) return damaged("the app env " + base::printable(key) + " is no text");
    envs.emplace(key, text.get<std::string>());
  }
  return envs;
}

Result<wire::app_status> decode_status(const std::string& text) {
  if (text == "available") return wire::app_status::AS_AVAILABLE;
  if (text == "dropped") return wire::app_status::AS_DROPPED;
  return damaged("the status " + base::printable(text) + " is unknown");
}

Result<wire::meta_function_level> decode_level(const std::string& text) {
  const auto found = std::ranges::find(kLevels, text, &LevelName::name);
  if (found != std::end(kLevels)) return found->level;
  return damaged("the function level " + base::printable(text) + " is unknown");
}

Result<void> read_root(std::string_view text, CatalogState& state) {
  const auto fields = TRY(Fields::of(text, 2));
  state.next_app_id = TRY(fields.int32("next_app_id", 1));
  state.level = TRY(decode_level(TRY(fields.text("meta_function_level"))));
  return {};
}

Result<PartitionRecord> decode_partition(std::string_view text) {
  const auto fields = TRY(Fields::of(text, 2));
  return PartitionRecord{.ballot = TRY(fields.integer("ballot", 1, kInt64Max)),
                         .node = TRY(fields.int32("node", 0))};
}

// Its partitions are read by themselves.
Result<AppRecord> decode_app(std::string_view text) {
  const auto fields = TRY(Fields::of(text, 15));
  AppRecord app;
  auto& info = app.info;
  info.app_id = TRY(fields.int32("app_id", 1));
  info.app_name = TRY(fields.text("app_name"));
  info.app_type = TRY(fields.text("app_type"));
  info.status = TRY(decode_status(TRY(fields.text("status"))));
  info.partition_count = TRY(fields.int32("partition_count", 1, kMaxPartitionCount));
  info.envs = TRY(decode_envs(*TRY(fields.any("envs"))));
  info.is_stateful = TRY(fields.boolean("is_stateful"));
  info.max_replica_count = TRY(fields.int32("max_replica_count", 1));
  info.init_partition_count = TRY(fields.int32("init_partition_count", 1, kMaxPartitionCount));
  info.create_second = TRY(fields.integer("create_second", 0, kInt64Max));
  info.drop_second = TRY(fields.integer("drop_second", 0, kInt64Max));
  info.expire_second = TRY(fields.integer("expire_second", info.drop_second, kInt64Max));
  info.__set_duplicating(TRY(fields.boolean("duplicating")));
  info.__set_is_bulk_loading(TRY(fields.boolean("is_bulk_loading")));
  info.__set_atomic_idempotent(TRY(fields.boolean("atomic_idempotent")));
  if (info.app_name.empty()) return damaged("the table has no name");
  return app;
}

Result<void> read_partitions(const MetaValues& values, AppRecord& app) {
  const auto path = path_of(kRoot, app.info.app_id);
  const auto found = TRY(numbered_children_of(values, path));
  if (found.size() != size_t(app.info.partition_count))
    return damaged(path + " has " + std::to_string(found.size()) + " partitions and not " +
                   std::to_string(app.info.partition_count));
  for (const auto& [index, text] : found) {
    if (index != int64_t(app.partitions.size()))
      return damaged(path + " has no partition " + std::to_string(app.partitions.size()));
    app.partitions.push_back(TRY(in_context(decode_partition(text), path_of(path, index))));
  }
  return {};
}

}  // namespace

std::string_view level_name(wire::meta_function_level level) {
  const auto found = std::ranges::find(kLevels, level, &LevelName::level);
  return found == std::end(kLevels) ? std::string_view() : found->name;
}

std::string encode_catalog(const CatalogState& state) {
  auto root = catalog_json(state);
  auto& apps = root["apps"] = json::array();
  for (const auto& [id, app] : state.apps) {
    auto partitions = json::array();
    for (const auto& partition : app.partitions) partitions.push_back(to_json(partition));
    apps.push_back(to_json(app));
    apps.back()["partitions"] = std::move(partitions);
  }
  return base::json_text(root, 1) + "\n";
}

void put_catalog(MetaBatch& batch, const CatalogState& state) {
  batch.put(std::string(kRoot), base::json_text(catalog_json(state)));
}

void put_app(MetaBatch& batch, const AppRecord& app, const AppRecord* before) {
  const auto path = path_of(kRoot, app.info.app_id);
  if (!before || before->info != app.info) batch.put(path, base::json_text(to_json(app)));
  for (size_t i = 0; i < app.partitions.size(); ++i)
    if (!before || before->partitions[i] != app.partitions[i])
      batch.put(path_of(path, i), base::json_text(to_json(app.partitions[i])));
}

Result<CatalogState> read_catalog(const MetaValues& values) {
  CatalogState state;
  if (const auto root = values.find(kRoot); root != values.end())
    TRY(in_context(read_root(root->second, state), kRoot));
  std::set<std::string> names;
  for (const auto& [id, text] : TRY(numbered_children_of(values, kRoot))) {
    const auto path = path_of(kRoot, id);
    auto app = TRY(in_context(decode_app(text), path));
    if (app.info.app_id != id)
      return damaged(path + " has the app_id " + std::to_string(app.info.app_id));
    if (id >= state.next_app_id)
      return damaged(path + " is there and the next id is " + std::to_string(state.next_app_id));
    if (app.is_available() && !names.insert(app.info.app_name).second)
      return damaged(path + ": another available table has the name " +
                     base::printable(app.info.app_name));
    TRY(read_partitions(values, app));
    state.apps.emplace(app.info.app_id, std::move(app));
  }
  return state;
}

}  // namespace pegmove::server::meta
