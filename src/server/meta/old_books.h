// The three JSON files that earlier versions used instead of the meta server's store.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "server/meta/backup/backup_records.h"
#include "server/meta/catalog/app_record.h"
#include "server/meta/load/load_records.h"

namespace pegmove::server::meta {

struct OldBooks {
  CatalogState catalog;
  BackupState backups;
  LoadState loads;
};

// Nothing when the folder has none of them. Records of tables that are gone are left out: those
// versions never removed them. Errors: kIo; kCorrupt, naming the file, and kUnsupported for an
// unknown version of it. The files are not changed.
Result<std::optional<OldBooks>> read_old_books(const std::string& folder);

// Appends ".old" to their names. Repeatable. Errors: kIo.
Result<void> put_old_books_away(const std::string& folder);

}  // namespace pegmove::server::meta
