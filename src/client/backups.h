// Requests for cold backups and restores to a cluster's meta server. They do not access the files.
// Pegasus: idl/backup.thrift; src/meta/backup_engine.cpp, meta_backup_service.cpp,
// server_state_restore.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client/cluster.h"

namespace pegmove::client {

struct StartedBackup {
  int64_t backup_id = 0;
  std::string hint;
};

struct BackupItem {
  int64_t backup_id = 0;
  std::string table;
  std::string provider;
  std::string path;
  int64_t start_time_ms = 0;
  int64_t end_time_ms = 0;  // 0: not ended
  bool is_failed = false;
};
struct BackupStatus {
  std::string hint;
  std::vector<BackupItem> items;
};

struct RestoreRequest {
  std::string cluster;  // that wrote the backup: its folder in the store
  std::string policy = {};
  int64_t backup_id = 0;
  std::string table;
  int32_t app_id = 0;
  std::string new_table = {};  // "": the same
  std::string provider;
  bool skip_bad_partition = false;
  std::string path = {};  // the parent of the cluster's folder
};

enum class RestoreState { kOngoing, kDone, kSkipped, kOther };
struct RestoredPartitionStatus {
  RestoreState state = RestoreState::kOngoing;
  int32_t permille = 0;
};

struct BackupPolicy {
  std::string name;
  std::string provider;
  std::set<int32_t> app_ids = {};
  int64_t interval_seconds = 86'400;
  int32_t history_count = 1;
  std::string start_time = {};  // "HH:MM"; "24:00": at any time
  bool is_disabled = false;
};
struct BackupRound {
  int64_t backup_id = 0;
  int64_t start_time_ms = 0;
  int64_t end_time_ms = 0;  // 0: not ended
  std::set<int32_t> app_ids;
};
struct BackupPolicyState {
  BackupPolicy policy;
  std::vector<BackupRound> rounds;  // newest first
};
struct BackupPolicyChange {
  std::string name;
  std::vector<int32_t> add_apps = {};
  std::vector<int32_t> remove_apps = {};
  std::optional<int64_t> interval_seconds = {};
  std::optional<int32_t> history_count = {};
  std::optional<std::string> start_time = {};
  std::optional<bool> is_disabled = {};
  bool force_disable = false;
};

// Errors of all: as Cluster's calls; kUnsupported when the cluster has no backup service, or its
// version does not support it; with the server's hint. `path` empty: that of the provider.

// Returns when the backup has started; backup_status() shows its end. Errors: kRefused: no such
// table, or a backup of it is in progress; kInvalidArgument: the provider or the path.
Task<StartedBackup> start_backup(Cluster& cluster, int32_t app_id, std::string provider,
                                 std::string path, Deadline deadline);
// backup_id 0: all that the meta server knows. Errors: kNotFound when there is none.
Task<BackupStatus> backup_status(Cluster& cluster, int32_t app_id, int64_t backup_id,
                                 Deadline deadline);
// Returns the new table's app id. Its partitions serve when their files have arrived. Errors:
// kNotFound and kCorrupt: the backup does not exist, or its metadata is damaged; kInvalidArgument:
// the provider, or a table of the new name exists.
Task<int32_t> start_restore(Cluster& cluster, RestoreRequest request, Deadline deadline);
// By partition. Errors: kNotFound: no such table; kRefused: the table was dropped, as servers do
// when a partition cannot be restored.
Task<std::vector<RestoredPartitionStatus>> restore_status(Cluster& cluster, int32_t app_id,
                                                          Deadline deadline);

Task<> add_backup_policy(Cluster& cluster, BackupPolicy policy, Deadline deadline);
// Returns the server's hint, often empty. Errors: kBusy: it cannot be disabled while a backup runs.
Task<std::string> modify_backup_policy(Cluster& cluster, BackupPolicyChange change,
                                       Deadline deadline);
// No names: all. At most `rounds` rounds of each.
Task<std::vector<BackupPolicyState>> backup_policies(Cluster& cluster,
                                                     std::vector<std::string> names, int32_t rounds,
                                                     Deadline deadline);

}  // namespace pegmove::client
