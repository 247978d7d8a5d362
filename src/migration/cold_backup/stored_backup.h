// What a block store shows of a backup that a cluster makes. Real clusters report nothing before
// its end.
#pragma once

#include <cstdint>
#include <vector>

#include "backup/layout.h"
#include "blockstore/async_store.h"

namespace pegmove::migration {

// Its partitions.
struct StoredParts {
  int32_t complete = 0;   // current_checkpoint is there: it is written last
  int32_t uploading = 0;  // some of their files are there
  bool operator==(const StoredParts&) const = default;
};

// On one executor.
class StoredBackup {
 public:
  StoredBackup(blockstore::AsyncStore store, backup::Place place, int32_t partitions);

  // Lists the folder of each partition that was not complete before. Errors: the store's.
  Task<StoredParts> look();
  // The partitions that were not complete then.
  std::vector<int32_t> incomplete() const;

 private:
  enum class Part { kNothing, kUploading, kComplete };
  Task<Part> look_at(int32_t partition) const;

  const blockstore::AsyncStore store_;
  const backup::Place place_;
  std::vector<Part> parts_;
};

}  // namespace pegmove::migration
