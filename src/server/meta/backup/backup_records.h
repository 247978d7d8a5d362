// Records of backups, policies and restores: Pegasus keeps them in ZooKeeper, or not at all; here
// they are in the meta server's store, so that a killed server resumes them.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "backup/layout.h"
#include "backup/metadata.h"
#include "base/result.h"
#include "server/meta/store/meta_values.h"

namespace pegmove::server::meta {

enum class JobState { kRunning, kDone, kFailed, kCancelled };
std::string_view to_string(JobState state);

// The backup of one table: one-time, or part of a policy's round.
struct BackupRecord {
  backup::Place place;
  std::string provider;
  std::string path;    // as requested; may be empty
  std::string policy;  // "": one-time
  int64_t start_ms = 0;
  int64_t end_ms = 0;  // 0: not ended
  JobState state = JobState::kRunning;
  std::string reason = {};         // why it failed, or was cancelled; while it runs: why it waits
  std::string cancel_reason = {};  // not empty: a cancel was requested
  int64_t bytes = 0;               // of all checkpoints, when it is done

  bool operator==(const BackupRecord&) const = default;
};
using BackupKey = std::pair<int64_t, int32_t>;  // backup id, app id

enum class RestoredPartition { kMissing, kDone, kSkipped };

// The restore of a table into a new one.
struct RestoreRecord {
  backup::Place place;
  std::string provider;
  int32_t app_id = 0;  // of the new table
  bool skip_bad = false;
  int64_t start_ms = 0;
  int64_t end_ms = 0;  // 0: not ended
  JobState state = JobState::kRunning;
  std::string reason = {};  // why it failed; of skipped partitions, which and why
  std::vector<RestoredPartition> partitions;

  bool operator==(const RestoreRecord&) const = default;
};

struct PolicyRound {
  backup::BackupInfo info;
  bool is_failed = false;
  std::string reason = {};
  bool operator==(const PolicyRound&) const = default;
};

struct PolicyRecord {
  std::string name;
  std::string provider;
  std::set<int32_t> app_ids;
  int64_t interval_seconds = 86'400;
  int32_t history_count = 1;
  bool is_disabled = false;
  int32_t start_hour = 0;  // 24: at any time
  int32_t start_minute = 0;
  std::vector<PolicyRound> rounds = {};  // oldest first

  bool operator==(const PolicyRecord&) const = default;
};

struct BackupState {
  std::map<BackupKey, BackupRecord> backups;
  std::map<int32_t, RestoreRecord> restores;  // by the new table's id
  std::map<std::string, PolicyRecord> policies;

  bool operator==(const BackupState&) const = default;
};

// Put their values into the batch, each a JSON object.
void put_backup(MetaBatch& batch, const BackupRecord& record);
void put_restore(MetaBatch& batch, const RestoreRecord& record);  // without its partitions
void put_restored_partition(MetaBatch& batch, const RestoreRecord& record, size_t partition);
void put_whole_restore(MetaBatch& batch, const RestoreRecord& record);
void put_policy(MetaBatch& batch, const PolicyRecord& policy);  // without its rounds
void put_round(MetaBatch& batch, const std::string& policy, const PolicyRound& round);
void remove_round(MetaBatch& batch, const std::string& policy, int64_t backup_id);

// Errors: kCorrupt, naming the path of the value and what is wrong.
Result<BackupState> read_backups(const MetaValues& values);

// Removes the oldest of many ended backups, except those of a running round: references to ended
// records become invalid.
void forget_old_backups(BackupState& state, MetaBatch& batch);
// Removes from memory the backups and the restore of a table that the store has removed. The rounds
// of policies stay: they cover several tables.
void forget_table(BackupState& state, int32_t app_id);

}  // namespace pegmove::server::meta
