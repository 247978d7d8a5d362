#include "server/meta/meta_state.h"

#include <fmt/format.h>

#include "base/local_file.h"
#include "base/small_file.h"
#include "server/meta/catalog/catalog_json.h"
#include "server/meta/old_books.h"

namespace pegmove::server::meta {
namespace {

MetaBatch values_of(const OldBooks& books) {
  MetaBatch batch;
  put_catalog(batch, books.catalog);
  for (const auto& [id, app] : books.catalog.apps) put_app(batch, app, nullptr);
  for (const auto& [key, record] : books.backups.backups) put_backup(batch, record);
  for (const auto& [id, record] : books.backups.restores) put_whole_restore(batch, record);
  for (const auto& [name, policy] : books.backups.policies) {
    put_policy(batch, policy);
    for (const auto& round : policy.rounds) put_round(batch, name, round);
  }
  for (const auto& [id, record] : books.loads) put_whole_load(batch, record);
  return batch;
}

// Once the store's file exists, the old files are ignored.
Result<void> take_old_books(const std::string& folder, MetaStore& store) {
  if (store.values().empty()) {
    const auto books = TRY(read_old_books(folder));
    if (!books) return {};
    TRY(store.commit(values_of(*books)));
  }
  return put_old_books_away(folder);
}

// Restores and loads must belong to existing tables, and cover all their partitions.
template <typename Records>
Result<void> check_tables(const AppCatalog& catalog, const Records& records, const char* kind) {
  for (const auto& [app_id, record] : records) {
    const auto* app = catalog.find_by_id(app_id);
    if (app && app->partitions.size() == record.partitions.size()) continue;
    return fail(
        Code::kCorrupt,
        fmt::format("the {} of the table with the id {} does not match the tables", kind, app_id));
  }
  return {};
}

Result<void> check_duplications(const AppCatalog& catalog, const DuplicationState& duplications) {
  for (const auto& [app_id, table] : duplications)
    for (const auto& [id, record] : table)
      if (record.confirmed.size() != catalog.find_by_id(app_id)->partitions.size())
        return fail(Code::kCorrupt,
                    fmt::format("the duplication {} of the table with the id {} does not match the "
                                "table's partitions",
                                id, app_id));
  return {};
}

}  // namespace

Result<MetaState> MetaState::open(const std::string& folder, int node_count,
                                  std::unique_ptr<MetaFiles> files) {
  TRY(base::make_folders(folder));
  auto store = TRY(MetaStore::open(folder, std::move(files)));
  TRY(in_context(take_old_books(folder, *store), "converting the files of an earlier version"));
  auto catalog = TRY(AppCatalog::open(*store, node_count));
  const auto values = store->values();
  MetaState state{.store = std::move(store),
                  .catalog = std::move(catalog),
                  .backups = TRY(in_context(read_backups(values), folder)),
                  .loads = TRY(in_context(read_loads(values), folder)),
                  .duplications = TRY(in_context(read_duplications(values), folder))};
  TRY(in_context(check_tables(state.catalog, state.backups.restores, "restore"), folder));
  TRY(in_context(check_tables(state.catalog, state.loads, "bulk load"), folder));
  TRY(in_context(check_duplications(state.catalog, state.duplications), folder));
  return state;
}

}  // namespace pegmove::server::meta
