// A restore as a run: the cluster creates a table from a cold backup, and pegmove watches it and
// sets the app envs, which Pegasus's own restore loses.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "blockstore/async_store.h"
#include "client/backups.h"
#include "migration/ports.h"
#include "runs/remote_job.h"

namespace pegmove::migration {

inline constexpr std::string_view kRestoreMethod = "restore";

// Everything that a later process needs to resume the run.
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
  int32_t permille = 0;                    // of the bytes, as the cluster reports
  std::optional<int64_t> done_bytes = {};  // embedded clusters only
  std::optional<int64_t> all_bytes = {};
  std::string waits_for = {};  // why the cluster waits; embedded clusters only
  async::milliseconds elapsed{0};
};
std::string to_line(const RestoreProgress& progress);

struct RestoreReport {
  int32_t app_id = 0;
  std::string table;
  int32_t partitions = 0;
  std::vector<int32_t> skipped = {};   // partitions that were created empty
  std::vector<std::string> envs = {};  // names of the envs that were set
  std::vector<std::string> notes = {};
  async::milliseconds elapsed{0};
};
std::string to_json(const RestoreReport& report);
std::string to_text(const RestoreReport& report);

using RestoredPartitions = std::vector<client::RestoredPartitionStatus>;

// Errors of the run: kInterrupted; kNotFound and kCorrupt: the backup; kAlreadyExists: a table of
// that name exists; kRefused: a partition could not be restored, and the cluster has dropped the
// table. A backup id or an app id of 0 is looked up in the store when the run begins: the newest
// complete backup of the table. After a stop or a cancel the cluster continues by itself. When
// pegmove's configuration does not have the store, the envs cannot be read.
class Restore : public runs::Work, public runs::RemoteJob<RestoredPartitions> {
 public:
  Restore(RestoreRun request, const Ports& ports);

  Task<runs::Assessment> open(runs::Purpose purpose) override;
  std::string options() const override;
  std::vector<runs::Step> steps() override;
  runs::Report report(const journal::Run& run) override;

  Task<std::string> start(runs::StepContext context) override;
  Task<std::optional<std::string>> adopt(runs::StepContext context) override;
  Task<RestoredPartitions> poll() override;
  Task<bool> look(runs::StepContext context, const RestoredPartitions& partitions) override;
  std::string left_alone() const override;
  Task<runs::Undone> cancel(runs::StepContext context) override;

 private:
  Deadline deadline() const { return Deadline::in(ports_.clock, request_.timeout); }
  Result<void> take(const journal::StepRecord& record);
  Task<> complete();
  Task<> check_name_is_free();
  static void read_answer(const std::string& text, RestoreProgress& progress);
  Routine<std::string> why_dropped();
  Task<std::string> bring_envs_back();
  Task<> set_envs(std::map<std::string, std::string> envs);

  RestoreRun request_;
  const Ports& ports_;
  const async::Instant began_;
  std::shared_ptr<client::Cluster> cluster_;
  std::optional<blockstore::AsyncStore> store_;
  RestoreReport report_;
};

}  // namespace pegmove::migration
