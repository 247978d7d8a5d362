// The JSON files of a cold backup, written as Pegasus writes them. Read as it reads them
// (blockstore/pegasus_json.h), and then checked, since a backup may come from anywhere. Pegasus:
// src/meta/meta_backup_service.h, src/replica/replica_backup.h.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "blockstore/stored_file.h"
#include "meta_types.h"

namespace pegmove::backup {

inline constexpr size_t kMostMetadataBytes = 64 << 20;

// backup_info. A one-time backup has one table and end_time_ms 0 in the file of real servers, which
// write it before they set it.
struct BackupInfo {
  int64_t backup_id = 0;
  int64_t start_time_ms = 0;
  int64_t end_time_ms = 0;
  std::map<int32_t, std::string> tables;  // app id to name
  bool of_policy = false;
  bool is_deleting = false;  // info_status 2, of a policy

  bool operator==(const BackupInfo&) const = default;
};

using CheckpointFile = blockstore::StoredFile;

// backup_metadata: a partition's checkpoint.
struct CheckpointMetadata {
  int64_t decree = 0;
  int64_t timestamp_ms = 0;
  std::vector<CheckpointFile> files;
  int64_t total_size = 0;  // of all files
  bool operator==(const CheckpointMetadata&) const = default;
};

std::string encode(const BackupInfo& info);
std::string encode(const CheckpointMetadata& metadata);
std::string encode_app_metadata(const wire::app_info& table);  // without its envs, as in Pegasus
std::string encode_backup_status(int64_t total_size);

// Errors of all: kCorrupt, saying what is wrong.
Result<BackupInfo> decode_backup_info(std::string_view text);
// Checks that file names are valid, unique, and include CURRENT; that sizes are not negative and
// add up; that MD5s are well formed or empty.
Result<CheckpointMetadata> decode_checkpoint_metadata(std::string_view text);
// At least one partition, at most 65,536.
Result<wire::app_info> decode_app_metadata(std::string_view text);

// pegmove's own file beside backup_info: the app envs by table folder ("t_4").
using EnvsOfTables = std::map<std::string, std::map<std::string, std::string>>;
std::string encode_envs(const EnvsOfTables& envs);
Result<EnvsOfTables> decode_envs(std::string_view text);

}  // namespace pegmove::backup
