#include "apps/backup_stores.h"

namespace pegmove::apps {

Result<std::unique_ptr<BackupStores>> BackupStores::open(CommandRun& run, int threads) {
  auto providers = TRY(block_services(run.config().sections()));
  return std::make_unique<BackupStores>(std::move(providers), run.clock(), threads);
}

Result<blockstore::AsyncStore> BackupStores::get(const std::string& name) {
  return blockstore::AsyncStore(TRY(stores_.get(name)), pool_, clock_);
}

Result<std::optional<blockstore::AsyncStore>> BackupStores::find(const std::string& name) {
  if (!stores_.find(name)) return std::nullopt;
  return TRY(get(name));
}

}  // namespace pegmove::apps
