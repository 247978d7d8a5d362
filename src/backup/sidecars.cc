#include "backup/sidecars.h"

#include <vector>

#include "blockstore/path.h"

namespace pegmove::backup {

using blockstore::AsyncStore;

Task<int64_t> write_sidecars(const AsyncStore& store, Place place, int32_t partitions,
                             std::map<std::string, std::string> md5s) {
  const auto bare = store.without_sidecars();
  if (!bare)
    co_return fail(Code::kUnsupported,
                   store.store().description() + ": only files of a local_service have sidecars");
  for (const auto& [path, md5] : md5s) CO_TRY(co_await store.write_sidecar(path, md5));
  std::vector<std::string> others;
  for (int32_t partition = 0; partition < partitions; ++partition) {
    const auto checkpoint = CO_TRY(co_await read_checkpoint(*bare, place, partition));
    others.push_back(blockstore::join(checkpoint.folder, kBackupMetadata));
    others.push_back(place.current_file(partition));
  }
  for (auto path : {place.status_file(), place.envs_file()})  // not in every backup
    if (CO_TRY(co_await bare->find(path))) others.push_back(std::move(path));
  others.push_back(place.metadata_file());
  others.push_back(place.info_file());
  for (const auto& path : others) {
    const auto sum = CO_TRY(co_await bare->sum(path, {}));
    CO_TRY(co_await store.write_sidecar(path, sum.md5));
  }
  co_return int64_t(md5s.size() + others.size());
}

}  // namespace pegmove::backup
