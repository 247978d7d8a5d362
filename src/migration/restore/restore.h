// A table out of a cold backup, as a run of the journal: the cluster is told to restore it,
// watched, and the app envs are brought back, which Pegasus's own restore loses.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "blockstore/async_store.h"
#include "client/backups.h"
#include "migration/run_keeper.h"

namespace pegmove::migration {

inline constexpr std::string_view kRestoreMethod = "restore";

// Everything that a later process needs to go on with.
struct RestoreRun {
  std::string to_metas;
  client::RestoreRequest restore;
  async::milliseconds timeout{30'000};
};
std::string to_json(const RestoreRun& request);
// Errors: kCorrupt, saying what is wrong.
Result<RestoreRun> restore_run_from_json(std::string_view text);

struct RestoreProgress {
  int32_t partitions = 0;
  int32_t partitions_done = 0;
  int32_t permille = 0;                    // of the bytes, as the cluster tells it
  std::optional<int64_t> done_bytes = {};  // told by embedded clusters
  std::optional<int64_t> all_bytes = {};
  std::string waits_for = {};  // why the cluster waits; told by embedded ones
  async::milliseconds elapsed{0};
};
std::string to_line(const RestoreProgress& progress);

struct RestoreReport {
  int32_t app_id = 0;
  std::string table;
  int32_t partitions = 0;
  std::vector<int32_t> skipped = {};   // partitions that were made empty
  std::vector<std::string> envs = {};  // names of those that were brought back
  std::vector<std::string> notes = {};
  async::milliseconds elapsed{0};
};
std::string to_json(const RestoreReport& report);

// Begins the restore, or goes on watching it, and returns when all partitions serve and the app
// envs are set. `store`: the provider's store as it can be reached from here; without it the envs
// cannot be read. After a stop the cluster goes on by itself. The caller ends the run. Errors:
// kInterrupted; kNotFound and kCorrupt: the backup; kAlreadyExists: a table of that name; kRefused:
// a partition could not be restored, and the cluster has dropped the table.
Task<RestoreReport> run_restore(RunKeeper& run, std::shared_ptr<client::Cluster> cluster,
                                RestoreRun request, std::optional<blockstore::AsyncStore> store,
                                const async::StopSignal& stop,
                                std::function<void(const RestoreProgress&)> on_progress);

// Which of a backup's app envs come back, and why others do not.
struct ReturningEnvs {
  std::map<std::string, std::string> envs;
  std::vector<std::string> notes;
};
ReturningEnvs returning_envs(const std::map<std::string, std::string>& saved);

}  // namespace pegmove::migration
