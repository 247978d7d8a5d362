// Backup policies: tables that are backed up periodically, and how many of their backups are kept.
// Pegasus: src/meta/meta_backup_service.cpp. The schedule rules are Pegasus's; the steps of a round
// follow each other without its timers, and a failed round does not stop its policy.
#pragma once

#include <set>
#include <string>

#include "backup_types.h"
#include "server/meta/backup/backup_jobs.h"

namespace pegmove::server::meta {

// On the context's executor. Context and jobs outlive it.
class BackupPolicies {
 public:
  BackupPolicies(BackupContext& context, BackupJobs& jobs) : context_(context), jobs_(jobs) {}

  // Resumes rounds that have not ended, and runs the schedule from now on.
  void resume();

  // RPC_CM_{ADD,MODIFY,QUERY}_BACKUP_POLICY. Checks, hints and what is silently ignored are
  // Pegasus's.
  wire::configuration_add_backup_policy_response add(
      const wire::configuration_add_backup_policy_request& request);
  wire::configuration_modify_backup_policy_response modify(
      const wire::configuration_modify_backup_policy_request& request);
  wire::configuration_query_backup_policy_response query(
      const wire::configuration_query_backup_policy_request& request) const;

 private:
  Routine<> keep_schedule();
  void begin_due_rounds();
  bool is_due(const PolicyRecord& policy) const;
  void begin_round(PolicyRecord& policy);
  Routine<> work(std::string name, int64_t backup_id);
  Task<> run_round(std::string name, backup::BackupInfo info);
  Task<> finish_round(std::string name, backup::BackupInfo info);
  Task<> remove_files(std::string provider, int64_t backup_id);
  Result<backup::Place> place_of(int64_t backup_id) const;
  Routine<> remove_old_rounds(std::string name);
  PolicyRecord* find(const std::string& name);
  // Stores the policy and begins rounds that are due. False: it could not be written.
  bool save(PolicyRecord policy, const std::string& doing);
  PolicyRound* find_round(const std::string& name, int64_t backup_id);

  BackupContext& context_;
  BackupJobs& jobs_;
  std::set<std::string> running_;  // policies whose round is under way
};

// "HH:MM" of 00:00 to 24:00 (24:00 means at any time); nothing when it is invalid.
struct StartTime {
  int32_t hour = 0;
  int32_t minute = 0;
};
std::optional<StartTime> parse_start_time(std::string_view text);

// Whether a policy's next round begins now, in the local time zone. `last_start_ms` 0: none yet.
bool is_round_due(const PolicyRecord& policy, int64_t last_start_ms, int64_t now_ms);

}  // namespace pegmove::server::meta
