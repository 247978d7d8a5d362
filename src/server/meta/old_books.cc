#include "server/meta/old_books.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/local_file.h"
#include "base/small_file.h"
#include "server/meta/catalog/catalog_json.h"
#include "server/meta/store/value_json.h"

namespace pegmove::server::meta {
namespace {

using Json = nlohmann::json;

constexpr size_t kMostBookBytes = 256 << 20;
constexpr const char* kNames[] = {"apps.json", "backups.json", "bulk_loads.json"};

[[noreturn]] void refuse(const std::string& why, const Json& json) {
  throw Json::other_error::create(599, why, &json);
}

// They have the same values in other places: these functions split them up, and the functions that
// read the store check them.
void put(MetaValues& values, std::string path, const Json& json) {
  if (!values.emplace(path, value_text(json)).second) refuse("there are two of " + path, json);
}

// A list of partitions becomes one value each, and their number.
template <typename Make>
void put_with_partitions(MetaValues& values, const std::string& path, Json json, Make make) {
  const auto partitions = std::move(json.at("partitions"));
  json.erase("partitions");
  json["partition_count"] = partitions.size();
  put(values, path, json);
  for (size_t i = 0; i < partitions.size(); ++i) put(values, path_of(path, i), make(partitions[i]));
}

// Version 1 has no function level.
MetaValues values_of_catalog(const Json& book) {
  MetaValues values;
  const bool has_level = book.at("version") == 2;
  if (book.size() != (has_level ? 4 : 3)) refuse("it has other fields", book);
  put(values, "/apps",
      {{"next_app_id", book.at("next_app_id")},
       {"meta_function_level", has_level ? book.at("meta_function_level") : Json("lively")}});
  for (const auto& app : book.at("apps"))
    put_with_partitions(values, path_of("/apps", app.at("app_id").get<int64_t>()), app,
                        [](const Json& partition) { return partition; });
  return values;
}

MetaValues values_of_backups(const Json& book) {
  MetaValues values;
  for (const auto& backup : book.at("backups")) {
    const auto& place = backup.at("place");
    put(values,
        path_of("/table_backup", place.at("app_id").get<int64_t>(),
                place.at("backup_id").get<int64_t>()),
        backup);
  }
  for (const auto& restore : book.at("restores"))
    put_with_partitions(values, path_of("/restore", restore.at("app_id").get<int64_t>()), restore,
                        [](const Json& partition) { return Json{{"state", partition}}; });
  for (auto policy : book.at("policies")) {
    const auto rounds = policy.at("rounds");
    policy.erase("rounds");
    const auto path = path_of("/backup", policy.at("name").get<std::string>());
    put(values, path, policy);
    for (const auto& round : rounds) {
      const auto info = backup::decode_backup_info(round.at("info").get<std::string>());
      if (!info) refuse(info.error().message(), round);
      put(values, path_of(path, info->backup_id), round);
    }
  }
  return values;
}

MetaValues values_of_loads(const Json& book) {
  MetaValues values;
  for (const auto& load : book.at("loads"))
    put_with_partitions(values, path_of("/bulk_load", load.at("app_id").get<int64_t>()), load,
                        [](const Json& partition) { return Json{{"status", partition}}; });
  return values;
}

// Errors: kCorrupt, kUnsupported.
template <typename State>
Result<State> decode_book(const std::string& text, int version,
                          MetaValues (*values_of)(const Json&),
                          Result<State> (*read)(const MetaValues&)) {
  try {
    const auto book = Json::parse(text);
    const auto found = book.at("version").get<int64_t>();
    if (found > version)
      return fail(Code::kUnsupported, "it was written by a later version of pegmove: use that one");
    if (found < 1) refuse("unknown version", book);
    return read(values_of(book));
  } catch (const Json::exception& wrong) {
    return fail(Code::kCorrupt, wrong.what());
  }
}

// An empty state when there is no file; otherwise sets `is_there` to true.
template <typename State>
Result<State> read_book(const std::string& path, int version, MetaValues (*values_of)(const Json&),
                        Result<State> (*read)(const MetaValues&), bool& is_there) {
  const auto text = TRY(base::read_file(path, kMostBookBytes));
  if (!text) return State();
  is_there = true;
  auto state = decode_book(*text, version, values_of, read);
  if (!state)
    return fail(
        state.error().code(),
        fmt::format(
            "{} cannot be used ({}): it was not changed; put a good copy of it in its place", path,
            state.error().to_string()));
  return state;
}

// Those versions wrote the files one after the other, and did not remove records of deleted tables.
void make_consistent(OldBooks& books) {
  auto& apps = books.catalog.apps;
  std::erase_if(books.backups.backups,
                [&](const auto& each) { return !apps.contains(each.first.second); });
  // Its record was written before its table.
  std::erase_if(books.backups.restores, [&](const auto& each) {
    const auto app = apps.find(each.first);
    return app == apps.end() || !app->second.info.envs.contains("restore.backup_id");
  });
  std::erase_if(books.loads, [&](const auto& each) { return !apps.contains(each.first); });
  for (auto& [app_id, app] : apps) {
    const auto load = books.loads.find(app_id);
    app.info.__set_is_bulk_loading(load != books.loads.end() && !load->second.is_over);
  }
}

}  // namespace

Result<std::optional<OldBooks>> read_old_books(const std::string& folder) {
  bool is_there = false;
  const auto path = [&](int book) { return folder + "/" + kNames[book]; };
  OldBooks books{.catalog = TRY(read_book(path(0), 2, values_of_catalog, read_catalog, is_there)),
                 .backups = TRY(read_book(path(1), 1, values_of_backups, read_backups, is_there)),
                 .loads = TRY(read_book(path(2), 1, values_of_loads, read_loads, is_there))};
  if (!is_there) return std::nullopt;
  make_consistent(books);
  return books;
}

Result<void> put_old_books_away(const std::string& folder) {
  std::error_code error;
  for (const auto* name : kNames) {
    const auto path = folder + "/" + name;
    if (std::filesystem::exists(path, error)) TRY(base::rename_file(path, path + ".old"));
    std::filesystem::remove(path + ".tmp", error);  // of a write that was killed
  }
  return {};
}

}  // namespace pegmove::server::meta
