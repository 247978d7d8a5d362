#include "server/meta/catalog_json.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "base/bytes.h"
#include "server/meta/store/value_json.h"

namespace pegmove::server::meta {
namespace {

using nlohmann::json;
using Fields = base::JsonFields;

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

Result<int32_t> positive(const Fields& in, const char* name, int32_t most = kInt32Max) {
  return in.int32(name, 1, most);
}

Result<wire::app_status> read_status(const Fields& in) {
  constexpr std::string_view kNames[] = {"available", "dropped"};
  return TRY(in.choice("status", kNames)) == 0 ? wire::app_status::AS_AVAILABLE
                                               : wire::app_status::AS_DROPPED;
}

Result<wire::meta_function_level> read_level(const Fields& in) {
  std::vector<std::string_view> names;
  for (const auto& each : kLevels) names.emplace_back(each.name);
  return kLevels[TRY(in.choice("meta_function_level", names))].level;
}

Result<CatalogState> decode_root(const Fields& in) {
  TRY(in.exactly(2));
  CatalogState state;
  state.next_app_id = TRY(positive(in, "next_app_id"));
  state.level = TRY(read_level(in));
  return state;
}

Result<PartitionRecord> decode_partition(const Fields& in) {
  TRY(in.exactly(2));
  return PartitionRecord{.ballot = TRY(in.integer("ballot", 1, kInt64Max)),
                         .node = TRY(in.int32("node", 0, kInt32Max))};
}

// Its partitions are read by themselves.
Result<AppRecord> decode_app(const Fields& in) {
  TRY(in.exactly(15));
  AppRecord app;
  auto& info = app.info;
  info.app_id = TRY(read_app_id(in));
  info.app_name = TRY(in.text("app_name"));
  info.app_type = TRY(in.text("app_type"));
  info.status = TRY(read_status(in));
  info.partition_count = int32_t(TRY(read_partition_count(in)));
  info.envs = TRY(in.text_map("envs"));
  info.is_stateful = TRY(in.boolean("is_stateful"));
  info.max_replica_count = TRY(positive(in, "max_replica_count"));
  info.init_partition_count = TRY(positive(in, "init_partition_count", kMaxPartitionCount));
  info.create_second = TRY(read_natural(in, "create_second"));
  info.drop_second = TRY(read_natural(in, "drop_second"));
  info.expire_second = TRY(in.integer("expire_second", info.drop_second, kInt64Max));
  info.__set_duplicating(TRY(in.boolean("duplicating")));
  info.__set_is_bulk_loading(TRY(in.boolean("is_bulk_loading")));
  info.__set_atomic_idempotent(TRY(in.boolean("atomic_idempotent")));
  if (info.app_name.empty()) return in.wrong("the table has no name");
  return app;
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
  return root.dump(1) + "\n";
}

void put_catalog(MetaBatch& batch, const CatalogState& state) {
  batch.put(std::string(kRoot), catalog_json(state).dump());
}

void put_app(MetaBatch& batch, const AppRecord& app, const AppRecord* before) {
  const auto path = path_of(kRoot, app.info.app_id);
  if (!before || before->info != app.info) batch.put(path, to_json(app).dump());
  for (size_t i = 0; i < app.partitions.size(); ++i)
    if (!before || before->partitions[i] != app.partitions[i])
      batch.put(path_of(path, i), to_json(app.partitions[i]).dump());
}

Result<CatalogState> read_catalog(const MetaValues& values) {
  CatalogState state;
  if (const auto root = values.find(kRoot); root != values.end())
    state = TRY(read_value(std::string(kRoot), root->second, decode_root));
  std::set<std::string> names;
  for (const auto& [id, text] : TRY(numbered_children_of(values, kRoot))) {
    const auto path = path_of(kRoot, id);
    auto app = TRY(read_value(path, text, decode_app));
    if (app.info.app_id != id)
      return damaged(path + " has the app_id " + std::to_string(app.info.app_id));
    if (id >= state.next_app_id)
      return damaged(path + " is there and the next id is " + std::to_string(state.next_app_id));
    if (app.is_available() && !names.insert(app.info.app_name).second)
      return damaged(path + ": another available table has the name " +
                     base::printable(app.info.app_name));
    app.partitions.resize(size_t(app.info.partition_count));
    TRY(read_partitions(values, path, app.partitions, decode_partition));
    state.apps.emplace(app.info.app_id, std::move(app));
  }
  return state;
}

}  // namespace pegmove::server::meta
