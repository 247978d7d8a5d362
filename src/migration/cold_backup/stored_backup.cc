#include "migration/cold_backup/stored_backup.h"

#include <algorithm>

namespace pegmove::migration {

StoredBackup::StoredBackup(blockstore::AsyncStore store, backup::Place place, int32_t partitions)
    : store_(std::move(store)), place_(std::move(place)), parts_(size_t(partitions)) {}

Task<StoredBackup::Part> StoredBackup::look_at(int32_t partition) const {
  auto listed = co_await store_.list(place_.partition_folder(partition));
  if (!listed && listed.error().code() == Code::kNotFound) co_return Part::kNothing;
  const auto entries = CO_TRY(std::move(listed));
  if (std::ranges::find(entries, backup::kCurrentCheckpoint, &blockstore::Entry::name) !=
      entries.end())
    co_return Part::kComplete;
  co_return entries.empty() ? Part::kNothing : Part::kUploading;
}

Task<StoredParts> StoredBackup::look() {
  for (size_t i = 0; i < parts_.size(); ++i)
    if (parts_[i] != Part::kComplete) parts_[i] = CO_TRY(co_await look_at(int32_t(i)));
  co_return StoredParts{.complete = int32_t(std::ranges::count(parts_, Part::kComplete)),
                        .uploading = int32_t(std::ranges::count(parts_, Part::kUploading))};
}

std::vector<int32_t> StoredBackup::incomplete() const {
  std::vector<int32_t> partitions;
  for (size_t i = 0; i < parts_.size(); ++i)
    if (parts_[i] != Part::kComplete) partitions.push_back(int32_t(i));
  return partitions;
}

}  // namespace pegmove::migration
