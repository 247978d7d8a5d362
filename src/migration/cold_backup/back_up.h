// A cold backup of a table as a run of the journal: the cluster is told to make it, watched, and
// what its own format does not keep is written beside it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "backup/layout.h"
#include "blockstore/async_store.h"
#include "client/cluster.h"
#include "migration/run_keeper.h"

namespace pegmove::migration {

inline constexpr std::string_view kBackupMethod = "backup";

// Everything that a later process needs to go on with.
struct BackupRequest {
  std::string from_metas;  // "host:port,...": a name may mean something else elsewhere
  std::string table;
  std::string provider;   // as the cluster's servers know it
  std::string path = {};  // above the cluster's folder
  async::milliseconds timeout{30'000};
};
std::string to_json(const BackupRequest& request);
// Errors: kCorrupt, saying what is wrong.
Result<BackupRequest> backup_request_from_json(std::string_view text);

// How far the cluster is. Real clusters tell no bytes: then the partitions that are done are
// counted in the store, when it can be reached from here.
struct BackupProgress {
  int32_t partitions = 0;
  std::optional<int32_t> partitions_done = {};
  std::optional<int64_t> done_bytes = {};
  std::optional<int64_t> all_bytes = {};
  std::string waits_for = {};  // "": it does not wait, or does not tell
  async::milliseconds elapsed{0};
};
// "backing up: 12.3 MiB of 98.1 MiB, 12%, 4.1 MiB/s, ETA 21 s, partitions 1/8"
std::string to_line(const BackupProgress& progress);

struct BackupReport {
  backup::Place place;
  std::string provider;
  int32_t partitions = 0;
  int64_t bytes = -1;  // -1: not known
  async::milliseconds elapsed{0};
  bool has_envs = false;  // pegmove_envs was written
  std::string note = {};  // why not
};
std::string to_json(const BackupReport& report);

// Begins the backup, or goes on watching one that this run began, or that runs already, and returns
// when it is whole. `store`: the provider's store as it can be reached from here; without it
// nothing is written beside the backup. After a stop the cluster goes on by itself; after a cancel
// it is told to end, where it can be. The caller ends the run. Errors: kInterrupted; kRefused,
// kUnsupported and kInvalidArgument: the cluster's; kNotFound: no such table, or the meta server
// has forgotten the backup (real ones do when they are started anew).
Task<BackupReport> run_backup(RunKeeper& run, std::shared_ptr<client::Cluster> cluster,
                              BackupRequest request, std::optional<blockstore::AsyncStore> store,
                              const async::StopSignal& stop,
                              std::function<void(const BackupProgress&)> on_progress);

// The folder of a cluster in block stores: cold_backup_root of its replica servers' configuration.
// Errors: kUnsupported: it is not configured, so that its servers refuse backups.
Task<std::string> backup_root(client::Cluster& cluster, Deadline deadline);

// What the meta server answers to one of its remote commands; nothing when it does not know it.
Task<std::optional<std::string>> ask_meta(client::Cluster& cluster, std::string command,
                                          std::vector<std::string> arguments, Deadline deadline);

// "98.1 MiB"-like numbers of a transfer under way.
std::string transfer_text(int64_t done, int64_t all, async::milliseconds elapsed);

}  // namespace pegmove::migration
