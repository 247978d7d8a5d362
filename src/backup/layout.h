// The layout of a cold backup in a block store. Pegasus: src/common/backup_common.cpp,
// src/replica/backup/cold_backup_context.h.
//
//   ROOT/<backup id>/backup_info                              written last
//                    pegmove_envs                             pegmove's: the tables' app envs
//                    <table>_<app id>/meta/app_metadata
//                                     meta/app_backup_status  of policies only
//                                     pegmove_unfinished      pegmove's: while the backup is in
//                                     progress <partition>/current_checkpoint
//                                     <partition>/chkpt_<host>_<port>/backup_metadata
//                                                                     and the checkpoint's files
//
// ROOT is [<path>/]<cluster name>, where the cluster's own name is its cold_backup_root; before
// Pegasus 2.2 /<policy> follows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pegmove::backup {

inline constexpr std::string_view kCurrentCheckpoint = "current_checkpoint";
inline constexpr std::string_view kBackupMetadata = "backup_metadata";
inline constexpr std::string_view kBackupInfo = "backup_info";
inline constexpr std::string_view kEnvsFile = "pegmove_envs";
inline constexpr std::string_view kUnfinished = "pegmove_unfinished";

// The place of a table's backup, with paths in the form of BlockStore.
struct Place {
  std::string root;  // see above
  int64_t backup_id = 0;
  std::string table;
  int32_t app_id = 0;

  std::string backup_folder() const;
  std::string info_file() const;
  std::string envs_file() const;
  std::string table_folder() const;
  std::string metadata_file() const;
  std::string status_file() const;  // app_backup_status
  std::string unfinished_file() const;
  std::string partition_folder(int32_t partition) const;
  std::string current_file(int32_t partition) const;
  std::string checkpoint_folder(int32_t partition, std::string_view checkpoint) const;

  bool operator==(const Place&) const = default;
};

// ROOT from its parts; the path and the policy may be empty. Errors: kInvalidArgument for a name
// that is not a valid component of a path.
Result<std::string> root_of(std::string_view path, std::string_view cluster,
                            std::string_view policy = "");

// "chkpt_<host>_<port>" for "host:port".
std::string checkpoint_name(std::string_view host_port);
// Whether the content of current_checkpoint is such a name, without a path.
bool is_checkpoint_name(std::string_view name);

// Whether the folder of such a table, "<table>_<app id>", is one folder of its backup, so that it
// is found again. Servers write other tables as well, and say that the backup is complete: real
// meta servers accept any name. Errors: kRefused, naming the table and what to do.
Result<void> check_table_folder(std::string_view table, int32_t app_id);

struct TableFolder {
  std::string table;
  int32_t app_id = 0;
};
// Parses "<table>_<app id>"; nullopt for another name.
std::optional<TableFolder> parse_table_folder(std::string_view name);
// Parses a folder's name; nullopt when it is not an id (milliseconds since 1970).
std::optional<int64_t> parse_backup_id(std::string_view name);

}  // namespace pegmove::backup
