// The state that a meta server reads from its folder.
#pragma once

#include <memory>
#include <string>

#include "server/meta/backup/backup_records.h"
#include "server/meta/catalog/app_catalog.h"
#include "server/meta/duplication/duplication_records.h"
#include "server/meta/load/load_records.h"
#include "server/meta/store/meta_store.h"

namespace pegmove::server::meta {

struct MetaState {
  std::unique_ptr<MetaStore> store;
  AppCatalog catalog;  // read from the store
  BackupState backups;
  LoadState loads;
  DuplicationState duplications;

  // Makes the folder if it is missing. The JSON files of an earlier version are converted once, and
  // kept as "*.old". For `node_count` see AppCatalog::open(), whose errors it has, too. Errors:
  // kIo; kCorrupt and kUnsupported, naming the file, which is left as it is. Where tables,
  // restores, loads and duplications contradict each other: kCorrupt, naming the table.
  static Result<MetaState> open(const std::string& folder, int node_count,
                                std::unique_ptr<MetaFiles> files = make_local_files());
};

}  // namespace pegmove::server::meta
