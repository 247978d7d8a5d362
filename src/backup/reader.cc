#include "backup/reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "blockstore/path.h"
#include "meta_types.h"

namespace pegmove::backup {
namespace {

using blockstore::AsyncStore;
using blockstore::join;

constexpr size_t kMostNameBytes = 300;

template <typename T>
Result<T> in_file(Result<T> result, const AsyncStore& store, const std::string& path) {
  return in_context(std::move(result), fmt::format("{}: {}", store.store().description(), path));
}

// Lists a folder; one that was removed meanwhile counts as empty.
Task<std::vector<blockstore::Entry>> list_or_nothing(const AsyncStore& store, std::string path) {
  auto listed = co_await store.list(path);
  if (!listed && listed.error().code() == Code::kNotFound)
    co_return std::vector<blockstore::Entry>{};
  co_return listed;
}

Task<bool> exists(const AsyncStore& store, std::string path) {
  auto found = co_await store.find(path);
  if (!found && found.error().code() == Code::kCorrupt) co_return false;
  co_return CO_TRY(std::move(found)).has_value();
}

// Finds out whether the backup is complete, and if not, why.
Task<> judge(const AsyncStore& store, BackupSummary& summary) {
  const auto place = [&](const TableFolder& table) {
    return Place{.root = summary.root,
                 .backup_id = summary.backup_id,
                 .table = table.table,
                 .app_id = table.app_id};
  };
  auto info = co_await read_info(store, place({}));
  if (!info && info.error().code() != Code::kCorrupt) co_return fail(std::move(info.error()));
  if (!info) {
    summary.why = info.error().message();
    co_return Result<void>();
  }
  for (auto& table : summary.tables) {
    const bool is_unfinished = CO_TRY(co_await exists(store, place(table).unfinished_file()));
    if (is_unfinished)
      summary.why = fmt::format("the backup of {} is in progress, or was abandoned", table.table);
    table.is_whole = *info && !is_unfinished && (*info)->tables.contains(table.app_id) &&
                     CO_TRY(co_await exists(store, place(table).metadata_file()));
  }
  if (!*info && summary.why.empty())
    summary.why = CO_TRY(co_await why_missing(
        store, place({}).info_file(),
        "backup_info is missing: the backup is in progress, or was abandoned; if it does not end, "
        "`pegmove backups verify --finish` completes it when all files are there"));
  if (!*info) co_return Result<void>();
  summary.start_time_ms = (*info)->start_time_ms;
  summary.end_time_ms = (*info)->end_time_ms;
  for (const auto& [id, name] : (*info)->tables) {
    const auto found = std::ranges::find(summary.tables, id, &TableSummary::app_id);
    const bool is_whole = found != summary.tables.end() && found->is_whole;
    if (summary.why.empty() && !is_whole)
      summary.why =
          CO_TRY(co_await why_missing(store, place({.table = name, .app_id = id}).metadata_file(),
                                      fmt::format("the app_metadata of {} is missing", name)));
  }
  if ((*info)->is_deleting)
    summary.state = BackupState::kDeleting;
  else if (summary.why.empty())
    summary.state = BackupState::kComplete;
  co_return Result<void>();
}

Task<> list_below(const AsyncStore& store, std::string root, std::string policy,
                  std::vector<BackupSummary>& found) {
  for (const auto& entry : CO_TRY(co_await list_or_nothing(store, root))) {
    const auto id = parse_backup_id(entry.name);
    if (!entry.is_folder || !id) continue;
    BackupSummary summary{.backup_id = *id, .policy = policy, .root = root};
    for (const auto& table : CO_TRY(co_await list_or_nothing(store, join(root, entry.name))))
      if (auto folder = parse_table_folder(table.name); folder && table.is_folder)
        summary.tables.push_back({std::move(*folder)});
    CO_TRY(co_await judge(store, summary));
    found.push_back(std::move(summary));
  }
  co_return Result<void>();
}

}  // namespace

Task<std::string> why_missing(const AsyncStore& store, std::string path, std::string otherwise) {
  const auto bare = store.without_sidecars();
  const bool is_there = bare && CO_TRY(co_await exists(*bare, path));
  if (!is_there) co_return otherwise;
  co_return fmt::format(
      "{} is there, but its sidecar is missing: were the files copied without the dot files? Copy "
      "those too, or let `pegmove backups verify --write-sidecars` check the files and write them",
      blockstore::name_of(path));
}

std::string_view to_string(BackupState state) {
  switch (state) {
    case BackupState::kComplete: return "complete";
    case BackupState::kUnfinished: return "unfinished";
    case BackupState::kDeleting: return "deleting";
  }
  return "";
}

Task<wire::app_info> read_table(const AsyncStore& store, Place place) {
  const auto path = place.metadata_file();
  const auto text = CO_TRY(co_await store.read_file(path, kMostMetadataBytes));
  auto table = CO_TRY(in_file(decode_app_metadata(text), store, path));
  if (table.app_name != place.table || table.app_id != place.app_id)
    co_return in_file(Result<wire::app_info>(fail(Code::kInvalidArgument,
                                                  fmt::format("it is that of table '{}' with id {}",
                                                              table.app_name, table.app_id))),
                      store, path);
  co_return table;
}

Task<std::optional<BackupInfo>> read_info(const AsyncStore& store, Place place) {
  const auto path = place.info_file();
  auto text = co_await store.read_file(path, kMostMetadataBytes);
  if (!text && text.error().code() == Code::kNotFound) co_return std::nullopt;
  if (!text) co_return fail(std::move(text.error()));
  auto info = CO_TRY(in_file(decode_backup_info(*text), store, path));
  if (info.backup_id != place.backup_id)
    co_return fail(Code::kCorrupt, fmt::format("{}: {} is that of backup {}",
                                               store.store().description(), path, info.backup_id));
  co_return info;
}

Task<std::optional<std::map<std::string, std::string>>> read_envs(const AsyncStore& store,
                                                                  Place place) {
  const auto path = place.envs_file();
  auto text = co_await store.read_file(path, kMostMetadataBytes);
  if (!text && text.error().code() == Code::kNotFound) co_return std::nullopt;
  if (!text) co_return fail(std::move(text.error()));
  auto envs = CO_TRY(in_file(decode_envs(*text), store, path));
  const auto found = envs.find(blockstore::name_of(place.table_folder()));
  if (found == envs.end()) co_return std::nullopt;
  co_return std::move(found->second);
}

Task<Checkpoint> read_checkpoint(const AsyncStore& store, Place place, int32_t partition) {
  const auto current = place.current_file(partition);
  auto name = CO_TRY(co_await store.read_file(current, kMostNameBytes));
  while (name.ends_with('\n')) name.pop_back();
  if (!is_checkpoint_name(name))
    co_return fail(Code::kCorrupt, fmt::format("{}: {} does not contain the name of a checkpoint",
                                               store.store().description(), current));
  Checkpoint checkpoint{.folder = place.checkpoint_folder(partition, name), .metadata = {}};
  const auto path = join(checkpoint.folder, kBackupMetadata);
  const auto text = CO_TRY(co_await store.read_file(path, kMostMetadataBytes));
  checkpoint.metadata = CO_TRY(in_file(decode_checkpoint_metadata(text), store, path));
  co_return checkpoint;
}

Task<std::vector<BackupSummary>> list_backups(const AsyncStore& store, std::string root) {
  std::vector<BackupSummary> found;
  CO_TRY(co_await list_below(store, root, "", found));
  for (const auto& entry : CO_TRY(co_await list_or_nothing(store, root)))
    if (entry.is_folder && !parse_backup_id(entry.name))
      CO_TRY(co_await list_below(store, join(root, entry.name), entry.name, found));
  std::ranges::sort(found, std::greater(), &BackupSummary::backup_id);
  co_return found;
}

Task<std::vector<std::string>> list_clusters(const AsyncStore& store, std::string path) {
  std::vector<std::string> clusters;
  for (const auto& entry : CO_TRY(co_await list_or_nothing(store, path))) {
    if (!entry.is_folder) continue;
    auto backups = CO_TRY(co_await list_backups(store, join(path, entry.name)));
    if (!backups.empty()) clusters.push_back(entry.name);
  }
  co_return clusters;
}

Task<Place> find_backup(const AsyncStore& store, std::string path, int64_t backup_id,
                        std::string table, int32_t app_id) {
  std::vector<Place> found;
  std::string why_not;
  for (const auto& summary : CO_TRY(co_await list_backups(store, path))) {
    if (backup_id > 0 && summary.backup_id != backup_id) continue;
    if (backup_id == 0 && !found.empty() && found[0].backup_id != summary.backup_id) break;
    for (const auto& each : summary.tables) {
      if (each.table != table || (app_id > 0 && each.app_id != app_id)) continue;
      if (each.is_whole)
        found.push_back({.root = summary.root,
                         .backup_id = summary.backup_id,
                         .table = table,
                         .app_id = each.app_id});
      else
        why_not = fmt::format("; backup {} is not complete: {}", summary.backup_id, summary.why);
    }
  }
  if (found.size() == 1) co_return found[0];
  if (found.empty())
    co_return fail(
        Code::kNotFound,
        fmt::format("{} has no complete backup {}of table '{}'{} in /{} or a folder in it{}; "
                    "`pegmove backups ls` lists the backups",
                    store.store().description(),
                    backup_id > 0 ? std::to_string(backup_id) + " " : "", table,
                    app_id > 0 ? " with app id " + std::to_string(app_id) : "", path, why_not));
  std::string folders;
  for (const auto& place : found) folders += (folders.empty() ? "/" : ", /") + place.table_folder();
  co_return fail(
      Code::kInvalidArgument,
      fmt::format("several backups match: {}; give the folder that contains the backup's id",
                  folders));
}

}  // namespace pegmove::backup
