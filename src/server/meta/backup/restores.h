// Restores: new tables whose partitions come from a backup. Pegasus:
// src/meta/server_state_restore.cpp, src/replica/replica_restore.cpp. Unlike in Pegasus, the job is
// on disk before anything is done, so that a killed server resumes it, and a request that does not
// fit the backup is refused.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backup_types.h"
#include "meta_types.h"
#include "server/meta/backup/backup_context.h"

namespace pegmove::server::meta {

// On the context's executor, which outlives it.
class Restores {
 public:
  // What the meta server does for it: opens a partition on its node, creating it only when allowed;
  // releases a dropped table.
  struct Host {
    std::function<Task<>(const AppRecord& app, int32_t partition, bool may_be_new)> open;
    // Removes files in the partition's place.
    std::function<Task<>(const AppRecord& app, int32_t partition)> discard;
    std::function<void(int32_t app_id)> dropped;
  };
  Restores(BackupContext& context, Host host) : context_(context), host_(std::move(host)) {}

  // Resumes the restores that have not ended.
  void resume();
  // Whether the partition still waits for its files and must not be opened empty; stays true when
  // the restore has failed.
  bool is_pending(int32_t app_id, int32_t partition) const;
  // A table was dropped: its restore ends; or recalled: its restore is resumed.
  void table_dropped(int32_t app_id);
  void table_recalled(int32_t app_id);
  // Whether the restore of the table is still being worked on, so that its record must stay.
  bool is_busy(int32_t app_id) const { return active_.contains(app_id); }

  // RPC_CM_START_RESTORE: answered when the table exists; its partitions serve one by one, as their
  // files arrive. The envs that name the backup (restore.*) are Pegasus's.
  Routine<wire::configuration_create_app_response> start(
      wire::configuration_restore_request request);
  // RPC_CM_QUERY_RESTORE_STATUS.
  wire::configuration_query_restore_response query(
      const wire::configuration_query_restore_request& request) const;
  // As JSON text, with reasons, of all tables or one.
  std::string status(int32_t app_id) const;

 private:
  using Progress = std::shared_ptr<backup::PartitionProgress>;
  Result<backup::Place> place_of(const wire::configuration_restore_request& request) const;
  Result<int32_t> make_table(const wire::configuration_restore_request& request,
                             const backup::Place& place, const wire::app_info& saved);
  Routine<> work(int32_t app_id);
  // All partitions are fetched and checked before the first is opened.
  Task<> restore_table(int32_t app_id);
  Task<> fetch_partition(int32_t app_id, int32_t partition);
  Task<> open_partition(int32_t app_id, int32_t partition);
  Result<AppRecord> available_table(int32_t app_id) const;
  Task<> note_skipped(int32_t app_id, int32_t partition);
  Routine<> end(int32_t app_id, Result<void> outcome);
  void drop(int32_t app_id);
  RestoreRecord* find(int32_t app_id);

  BackupContext& context_;
  Host host_;
  struct Active {
    std::vector<Progress> partitions;  // shared with the nodes
    std::map<int32_t, Error> damaged;  // partitions to create empty
    std::string waits_for;             // the store, and why
  };
  std::map<int32_t, Active> active_;  // by app id
};

}  // namespace pegmove::server::meta
