#include "server/meta/catalog/catalog_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

#include "base/bytes.h"
#include "base/json_text.h"
#include "meta_types.h"
#include "server/meta/store/value_json.h"

namespace pegmove::server::meta {
namespace {

using nlohmann::json;

constexpr std::string_view kRoot = "/apps";
constexpr int32_t kInt32Max = std::numeric_limits<int32_t>::max();
constexpr int64_t kInt64Max = std::numeric_limits<int64_t>::max();

constexpr wire::meta_function_level kLevels[] = {wire::fl_stopped, wire::fl_blind, wire::fl_freezed,
                                                 wire::fl_steady, wire::fl_lively};
constexpr std::string_view kLevelNames[] = {"stopped", "blind", "freezed", "steady", "lively"};
constexpr wire::app_status kStatuses[] = {wire::AS_AVAILABLE, wire::AS_DROPPED};
constexpr std::string_view kStatusNames[] = {"available", "dropped"};

// Writing.

json to_json(const PartitionRecord& partition) {
  return {{"ballot", partition.ballot}, {"node", partition.node}};
}

json to_json(const AppRecord& app) {
  const auto& info = app.info;
  return {{"app_id", info.app_id},
          {"app_name", info.app_name},
          {"app_type", info.app_type},
          {"status", kStatusNames[app.is_available() ? 0 : 1]},
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

Result<void> read_root(const base::JsonFields& fields, CatalogState& state) {
  TRY(fields.only({"next_app_id", "meta_function_level"}));
  state.next_app_id = TRY(fields.int32("next_app_id", 1, kInt32Max));
  state.level = kLevels[TRY(fields.choice("meta_function_level", kLevelNames))];
  return {};
}

Result<PartitionRecord> read_app_partition(const base::JsonFields& fields) {
  TRY(fields.only({"ballot", "node"}));
  return PartitionRecord{.ballot = TRY(fields.integer("ballot", 1, kInt64Max)),
                         .node = TRY(fields.int32("node", 0, kInt32Max))};
}

// Its partitions are read separately.
Result<AppRecord> read_app(const base::JsonFields& fields) {
  TRY(fields.only({"app_id", "app_name", "app_type", "status", "partition_count", "envs",
                   "is_stateful", "max_replica_count", "init_partition_count", "create_second",
                   "drop_second", "expire_second", "duplicating", "is_bulk_loading",
                   "atomic_idempotent"}));
  AppRecord app;
  auto& info = app.info;
  info.app_id = TRY(fields.int32("app_id", 1, kInt32Max));
  info.app_name = TRY(fields.text("app_name"));
  info.app_type = TRY(fields.text("app_type"));
  info.status = kStatuses[TRY(fields.choice("status", kStatusNames))];
  info.partition_count = int32_t(TRY(read_partition_count(fields)));
  info.envs = TRY(fields.text_map("envs"));
  info.is_stateful = TRY(fields.boolean("is_stateful"));
  info.max_replica_count = TRY(fields.int32("max_replica_count", 1, kInt32Max));
  info.init_partition_count = TRY(fields.int32("init_partition_count", 1, kMaxPartitionCount));
  info.create_second = TRY(fields.integer("create_second", 0, kInt64Max));
  info.drop_second = TRY(fields.integer("drop_second", 0, kInt64Max));
  info.expire_second = TRY(fields.integer("expire_second", info.drop_second, kInt64Max));
  info.__set_duplicating(TRY(fields.boolean("duplicating")));
  info.__set_is_bulk_loading(TRY(fields.boolean("is_bulk_loading")));
  info.__set_atomic_idempotent(TRY(fields.boolean("atomic_idempotent")));
  if (info.app_name.empty()) return fields.must_be("app_name", "a name");
  app.partitions.resize(size_t(info.partition_count));
  return app;
}

}  // namespace

std::string_view level_name(wire::meta_function_level level) {
  const auto found = std::ranges::find(kLevels, level);
  return found == std::end(kLevels) ? std::string_view() : kLevelNames[found - kLevels];
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
  if (const auto root = values.find(kRoot); root != values.end()) {
    const auto json = base::parse_json<nlohmann::json>(root->second);
    TRY(read_root(TRY(base::JsonFields::of(json, root->first)), state));
  }
  std::set<std::string> names;
  for (const auto& [id, text] : TRY(numbered_children_of(values, kRoot))) {
    const auto path = path_of(kRoot, id);
    auto app = TRY(read_value(path, text, read_app));
    TRY(check_path(path, path_of(kRoot, app.info.app_id)));
    if (id >= state.next_app_id)
      return damaged(fmt::format("{} exists although the next id is {}", path, state.next_app_id));
    if (app.is_available() && !names.insert(app.info.app_name).second)
      return damaged(fmt::format("{}: another available table has the name {}", path,
                                 base::printable(app.info.app_name)));
    TRY(read_partitions(values, path, app.partitions, read_app_partition));
    state.apps.emplace(app.info.app_id, std::move(app));
  }
  return state;
}

}  // namespace pegmove::server::meta
