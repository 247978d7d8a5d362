// Where the rows of a split come from, opened.
#pragma once

#include "apps/backup_stores.h"
#include "migration/split/split.h"

namespace pegmove::apps {

// What the request names: the store of a backup, or the table of a cluster. Errors: those of
// BackupStores::get() and client::Table::open().
Task<migration::RowOrigin> open_split_origin(CommandRun& run, BackupStores& stores,
                                             const migration::SplitRequest& request);

}  // namespace pegmove::apps
