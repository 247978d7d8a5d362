// Backups of single tables: one-time backups, and those of policy rounds. Pegasus:
// src/meta/backup_engine.cpp, meta_backup_service.cpp. Unlike in Pegasus, a job is on disk before
// it begins, so that a killed server resumes it; it can be cancelled; and a failed one reports why
// and removes what it wrote.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backup_types.h"
#include "server/meta/backup/backup_context.h"

namespace pegmove::server::meta {

// On the context's executor, which outlives it.
class BackupJobs {
 public:
  explicit BackupJobs(BackupContext& context) : context_(context) {}

  // Resumes the one-time backups that have not ended.
  void resume();

  // RPC_CM_START_BACKUP_APP. Answered when the job is on disk and the store has accepted its first
  // file. Hints and errors are Pegasus's (cold-backup in docs/compatibility.md).
  Routine<wire::start_backup_app_response> start(wire::start_backup_app_request request);
  // RPC_CM_QUERY_BACKUP_STATUS; the hint also says why a backup failed.
  wire::query_backup_status_response query(const wire::query_backup_status_request& request) const;

  // Cancels the running backups of a table, or one of them (0: all); a killed server does not
  // resume them. Returns how many there were.
  int cancel(int32_t app_id, int64_t backup_id, const std::string& reason);

  // The backup of one table of a policy's round, whose record exists: all but backup_info. Returns
  // with its record in a final state, except when the server stops.
  Task<> run_for_policy(BackupKey key);

  // Whether a backup of the table is still being worked on, so that its records must stay.
  bool is_busy(int32_t app_id) const;

  // Of a job: bytes done, total, and sent; the number of partitions and of those done.
  struct Progress {
    int64_t done_bytes = 0, all_bytes = 0, sent_bytes = 0;
    int32_t partitions = 0, partitions_done = 0;
  };
  // Nothing when it does not run.
  std::optional<Progress> progress(BackupKey key) const;
  // All jobs of a table, or of all (0), as JSON text.
  std::string status(int32_t app_id) const;

 private:
  struct Active {
    std::vector<std::shared_ptr<backup::PartitionProgress>> partitions;  // shared with the nodes
    std::vector<bool> is_done;
  };
  struct Refusal {
    wire::ErrorCode code;
    std::string hint;
  };
  std::optional<Refusal> check_start(const wire::start_backup_app_request& request) const;
  Result<BackupKey> note(const wire::start_backup_app_request& request);
  BackupRecord& record(BackupKey key) { return context_.records.backups.at(key); }
  const AppRecord* available_table(int32_t app_id) const;
  Task<> write_marker(BackupKey key, BackupContext::Patience patience);
  Task<> write_metadata(BackupKey key, BackupContext::Patience patience);
  Routine<> work(BackupKey key);
  Task<> back_up_table(BackupKey key);
  Task<> back_up_partition(BackupKey key, int32_t partition);
  Task<> finish_table(BackupKey key);
  Task<> write_info(BackupKey key);
  Routine<> end(BackupKey key, Result<void> outcome);
  Routine<> remove_files(BackupRecord ended);

  BackupContext& context_;
  std::map<BackupKey, Active> active_;
};

}  // namespace pegmove::server::meta
