// Ends a one-time backup that its meta server does not end although every file is in the store: a
// real one may mark a partition as in progress after it was reported complete
// (src/meta/backup_engine.cpp, backup_app_partition), or forgets its backups when it restarts.
#pragma once

#include <functional>

#include "backup/verifier.h"

namespace pegmove::backup {

struct FinishOptions {
  int64_t start_time_ms = 0;  // 0: that of the id, which is the time of its start
  std::function<bool()> should_stop = {};
};

// Reads every file of the backup and, when all match their metadata, writes backup_info in the form
// of real meta servers, so that the backup can be restored. An existing backup_info is kept. With
// problems in the report nothing is written. May be repeated; after a stop nothing is written.
// Errors: kRefused: the meta server ends it by itself: the backup is of a policy, or of an embedded
// cluster that is making it; those of verify_table(), and of the store.
Task<VerifyReport> finish_backup(const blockstore::AsyncStore& store, Place place,
                                 FinishOptions options,
                                 std::function<void(const VerifyReport&)> on_progress = {});

}  // namespace pegmove::backup
