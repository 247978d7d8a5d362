#include "server/meta/catalog_json.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "base/bytes.h"

namespace pegmove::server::meta {
namespace {

using nlohmann::json;

constexpr int64_t kVersion = 2;
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

json to_json(const AppRecord& app) {
  const auto& info = app.info;
  json partitions = json::array();
  for (const auto& partition : app.partitions) {
    partitions.push_back({{"ballot", partition.ballot}, {"node", partition.node}});
  }
  return {{"app_id", info.app_id},
          {"app_name", info.app_name},
          {"app_type", info.app_type},
          {"status", app.is_available() ? "available" : "dropped"},
          {"envs", json(info.envs)},
          {"is_stateful", info.is_stateful},
          {"max_replica_count", info.max_replica_count},
          {"init_partition_count", info.init_partition_count},
          {"create_second", info.create_second},
          {"drop_second", info.drop_second},
          {"expire_second", info.expire_second},
          {"duplicating", info.duplicating},
          {"is_bulk_loading", info.is_bulk_loading},
          {"atomic_idempotent", info.atomic_idempotent},
          {"partitions", std::move(partitions)}};
}

// Reading.

std::unexpected<Error> damaged(std::string message) {
  return fail(Code::kCorrupt, std::move(message));
}

// One object of the file. Every get() names the field that is wrong.
class Fields {
 public:
  static Result<Fields> of(const json& value, size_t count) {
    if (!value.is_object()) return damaged("an object is expected");
    if (value.size() != count) {
      return damaged("the object has " + std::to_string(value.size()) + " fields and not " +
                     std::to_string(count));
    }
    return Fields(value);
  }

  Result<const json*> any(const char* key) const {
    const auto found = object_->find(key);
    if (found == object_->end()) return damaged("the field " + std::string(key) + " is missing");
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

  Result<const json*> array(const char* key) const {
    const json* value = TRY(any(key));
    if (!value->is_array()) return damaged("the field " + std::string(key) + " is no list");
    return value;
  }

 private:
  explicit Fields(const json& object) : object_(&object) {}
  const json* object_;
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

Result<std::vector<PartitionRecord>> decode_partitions(const json& list) {
  if (list.empty() || list.size() > kMaxPartitionCount) {
    return damaged("there are " + std::to_string(list.size()) + " partitions and not 1 to " +
                   std::to_string(kMaxPartitionCount));
  }
  std::vector<PartitionRecord> partitions;
  for (const auto& value : list) {
    const auto doing = "partition " + std::to_string(partitions.size());
    const auto fields = TRY(in_context(Fields::of(value, 2), doing));
    partitions.push_back({.ballot = TRY(in_context(fields.integer("ballot", 1, kInt64Max), doing)),
                          .node = TRY(in_context(fields.int32("node", 0), doing))});
  }
  return partitions;
}

Result<AppRecord> decode_app(const json& value) {
  const auto fields = TRY(Fields::of(value, 15));
  AppRecord app;
  auto& info = app.info;
  info.app_id = TRY(fields.int32("app_id", 1));
  info.app_name = TRY(fields.text("app_name"));
  info.app_type = TRY(fields.text("app_type"));
  info.status = TRY(decode_status(TRY(fields.text("status"))));
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
  app.partitions = TRY(decode_partitions(*TRY(fields.array("partitions"))));
  info.partition_count = static_cast<int32_t>(app.partitions.size());
  if (info.app_name.empty()) return damaged("the table has no name");
  return app;
}

Result<CatalogState> decode_state(const json& root) {
  const auto version = root.is_object() ? root.find("version") : root.end();
  if (version != root.end() && version->is_number_unsigned() &&
      version->get<uint64_t>() > static_cast<uint64_t>(kVersion)) {
    return fail(Code::kUnsupported, "its format has the version " + version->dump() +
                                        " and this program knows up to 2: use a later pegmove");
  }
  const bool is_first = version != root.end() && *version == 1;
  const auto fields = TRY(Fields::of(root, is_first ? 3 : 4));
  TRY(fields.integer("version", 1, kVersion));
  CatalogState state;
  if (!is_first) {
    state.level = TRY(decode_level(TRY(fields.text("meta_function_level"))));
  }
  state.next_app_id = TRY(fields.int32("next_app_id", 1));
  std::set<std::string> names;
  for (size_t place = 0; const auto& value : *TRY(fields.array("apps"))) {
    const auto doing = "entry " + std::to_string(place++) + " of apps";
    AppRecord app = TRY(in_context(decode_app(value), doing));
    const auto id = app.info.app_id;
    const auto name = base::printable(app.info.app_name);
    if (id >= state.next_app_id) {
      return damaged("table " + name + " has the id " + std::to_string(id) +
                     " and the next id is " + std::to_string(state.next_app_id));
    }
    if (app.is_available() && !names.insert(app.info.app_name).second) {
      return damaged("two available tables have the name " + name);
    }
    if (!state.apps.emplace(id, std::move(app)).second) {
      return damaged("two tables have the id " + std::to_string(id));
    }
  }
  return state;
}

}  // namespace

std::string_view level_name(wire::meta_function_level level) {
  const auto found = std::ranges::find(kLevels, level, &LevelName::level);
  return found == std::end(kLevels) ? std::string_view() : found->name;
}

std::string encode_catalog(const CatalogState& state) {
  json apps = json::array();
  for (const auto& [id, app] : state.apps) apps.push_back(to_json(app));
  const json root = {{"version", kVersion},
                     {"next_app_id", state.next_app_id},
                     {"meta_function_level", std::string(level_name(state.level))},
                     {"apps", std::move(apps)}};
  return root.dump(1) + "\n";
}

Result<CatalogState> decode_catalog(std::string_view text) {
  const json root = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (root.is_discarded()) return damaged("it is no whole JSON");
  return decode_state(root);
}

}  // namespace pegmove::server::meta
