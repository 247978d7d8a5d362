// What the meta server keeps of backups, policies and restores: in Pegasus in ZooKeeper, or
// nowhere; here in `<folder>/backups.json`, so that a server that was killed goes on with them.
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

namespace pegmove::server::meta {

enum class JobState { kRunning, kDone, kFailed, kCancelled };
std::string_view to_string(JobState state);

// The backup of one table: asked for once, or as a part of a policy's round.
struct BackupRecord {
  backup::Place place;
  std::string provider;
  std::string path;    // as it was asked for; may be empty
  std::string policy;  // "": one-time
  int64_t start_ms = 0;
  int64_t end_ms = 0;  // 0: not ended
  JobState state = JobState::kRunning;
  std::string reason = {};         // why it failed, or was cancelled; while it runs: why it waits
  std::string cancel_reason = {};  // somebody wants it to end
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

std::string encode_backups(const BackupState& state);
// Errors: kCorrupt, saying what is wrong.
Result<BackupState> decode_backups(std::string_view text);

// The state and its file. Used by one thread; one process a folder.
class BackupBook {
 public:
  // Errors: kIo; kCorrupt, naming the file, which is left as it is.
  static Result<BackupBook> open(const std::string& folder);

  BackupState& state() { return state_; }
  const BackupState& state() const { return state_; }
  // Brings the state to the disk, and forgets the oldest of many ended backups, but not those of a
  // round that goes on: references to ended records end. Errors: kIo.
  Result<void> save();

 private:
  explicit BackupBook(std::string path) : path_(std::move(path)) {}
  std::string path_;
  BackupState state_;
};

}  // namespace pegmove::server::meta
