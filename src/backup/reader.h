// Lists and reads cold backups in a block store.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "backup/layout.h"
#include "backup/metadata.h"
#include "blockstore/async_store.h"
#include "meta_types.h"

namespace pegmove::backup {

// All run on the caller's executor. Errors: the store's; kNotFound and kCorrupt name the file.

// Reads a table's app_metadata. Errors: also kInvalidArgument when it is that of another table.
Task<wire::app_info> read_table(const blockstore::AsyncStore& store, Place place);
// nullopt when backup_info is missing: the backup has not ended.
Task<std::optional<BackupInfo>> read_info(const blockstore::AsyncStore& store, Place place);
// The table's app envs; nullopt when the backup was not made with pegmove.
Task<std::optional<std::map<std::string, std::string>>> read_envs(
    const blockstore::AsyncStore& store, Place place);

// The reason why a file does not count: `otherwise`, or that it is there without its sidecar, and
// what to do then.
Task<std::string> why_missing(const blockstore::AsyncStore& store, std::string path,
                              std::string otherwise);

struct Checkpoint {
  std::string folder;  // its path
  CheckpointMetadata metadata;
};
// The checkpoint that current_checkpoint names.
Task<Checkpoint> read_checkpoint(const blockstore::AsyncStore& store, Place place,
                                 int32_t partition);

enum class BackupState {
  kComplete,
  kUnfinished,  // in progress, or abandoned: cannot be restored
  kDeleting,    // its policy is removing it
};
std::string_view to_string(BackupState state);

struct TableSummary : TableFolder {
  bool is_whole = false;  // it can be restored, also when other tables of the backup cannot
};

struct BackupSummary {
  int64_t backup_id = 0;
  std::string policy;  // "" for a one-time backup
  std::string root;    // of its Place
  BackupState state = BackupState::kUnfinished;
  std::string why = {};                   // the reason, when it is not complete
  int64_t start_time_ms = 0;              // 0: not known
  int64_t end_time_ms = 0;                // 0: not known
  std::vector<TableSummary> tables = {};  // by name
};

// The backups below a root, newest first, including those of policies, in its other folders. A file
// that cannot be parsed makes its backup unfinished, with the reason.
Task<std::vector<BackupSummary>> list_backups(const blockstore::AsyncStore& store,
                                              std::string root);
// The names of clusters with backups below a path: folders that contain backups.
Task<std::vector<std::string>> list_clusters(const blockstore::AsyncStore& store, std::string path);

// Finds a table's backup that can be restored, in the folder that contains the backups' ids or in
// one below it: `path` may be that of a cluster, or its parent. Backup 0: the newest; app id 0: any
// table of that name. Errors: kNotFound; kInvalidArgument, when several folders have it, naming
// them.
Task<Place> find_backup(const blockstore::AsyncStore& store, std::string path, int64_t backup_id,
                        std::string table, int32_t app_id = 0);

}  // namespace pegmove::backup
