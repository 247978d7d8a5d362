// Method two, first half: a cold backup by the cluster's own servers, which pegmove watches. What
// Pegasus's format does not contain is written beside the backup.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "backup/layout.h"
#include "blockstore/async_store.h"
#include "client/backups.h"
#include "client/cluster.h"
#include "migration/cold_backup/stored_backup.h"
#include "migration/ports.h"
#include "runs/remote_job.h"

namespace pegmove::migration {

inline constexpr std::string_view kBackupMethod = "backup";

// Everything that a later process needs to resume it.
struct BackupRequest {
  std::string from_metas;  // "host:port,...": a name may mean another cluster elsewhere
  std::string table;
  std::string provider;   // [block_service.NAME] of the cluster's servers
  std::string path = {};  // the parent of the cluster's folder
  // How long the meta server may take to end the backup when all files are in the store. Real ones
  // take a second; then they never end it (backup/finish.h).
  async::milliseconds end_within{60'000};
  bool finish = false;  // then pegmove verifies the files and writes backup_info, without asking
  async::milliseconds timeout{30'000};
};
std::string to_json(const BackupRequest& request);
// Errors: kCorrupt, saying what is wrong.
Result<BackupRequest> backup_request_from_json(std::string_view text);

// The progress of the cluster. Real clusters do not report it: then the partitions are counted in
// the store (stored_backup.h), if pegmove's configuration has it.
struct BackupProgress {
  int32_t partitions = 0;
  std::optional<int32_t> partitions_done = {};
  std::optional<int64_t> done_bytes = {};
  std::optional<int64_t> all_bytes = {};
  std::string waits_for = {};  // "": it does not wait, or does not report it
  async::milliseconds elapsed{0};
};
// "backing up: 12.3 MiB of 98.1 MiB, 12%, 4.1 MiB/s, ETA 21 s, partitions 1/8, 3 s"
// "backing up: partitions 1/8, 3 s; 2 upload, 5 make their checkpoint"
std::string to_line(const BackupProgress& progress);

struct BackupReport {
  backup::Place place;
  std::string provider;
  int32_t partitions = 0;
  int64_t bytes = -1;  // -1: not known
  async::milliseconds elapsed{0};
  bool has_envs = false;         // pegmove_envs was written
  bool ended_by_cluster = true;  // false: its meta server has not ended it, or has forgotten it
  std::vector<std::string> notes = {};
};
std::string to_json(const BackupReport& report);
std::string to_text(const BackupReport& report);

// Errors of the run: kInterrupted; kRefused, kUnsupported and kInvalidArgument: the cluster's;
// kNotFound: no such table, or the meta server no longer knows the backup (real ones lose it when
// they restart); kTimeout: it does not end the backup, although all files are in the store, and
// pegmove may not (BackupRequest::finish); kCorrupt: pegmove may, but the files are damaged. After
// a stop the cluster continues by itself; a cancel ends the backup if the cluster can. When
// pegmove's configuration does not have the store, nothing is written beside the backup.
class BackUp : public runs::Work, public runs::RemoteJob<client::BackupItem> {
 public:
  BackUp(BackupRequest request, const Ports& ports);

  Task<runs::Assessment> open(runs::Purpose purpose) override;
  std::string options() const override;
  std::vector<runs::Step> steps() override;
  runs::Report report(const journal::Run& run) override;

  Task<std::string> start(runs::StepContext context) override;
  Task<std::optional<std::string>> adopt(runs::StepContext context) override;
  Task<client::BackupItem> poll() override;
  Task<bool> look(runs::StepContext context, const client::BackupItem& item) override;
  std::string left_alone() const override;
  Task<runs::Undone> cancel(runs::StepContext context) override;

  // The place of the started backup; root is empty before.
  const backup::Place& place() const { return place_; }

 private:
  Deadline deadline() const { return Deadline::in(ports_.clock, request_.timeout); }
  async::milliseconds elapsed() const {
    return std::chrono::duration_cast<async::milliseconds>(ports_.clock.now() - began_);
  }
  Task<std::string> find_others();
  Result<void> take(const journal::StepRecord& record);
  Task<client::BackupItem> ask_status();
  Task<> show_progress(runs::StepContext context, bool has_ended);
  void show(runs::StepContext context, const BackupProgress& progress, bool has_ended);
  void read_progress(const std::string& text, BackupProgress& progress);
  void read_parts(bool has_ended, BackupProgress& progress) const;
  Routine<> look_into_store();
  bool is_whole_in_store() const { return parts_ && parts_->complete == table_.partition_count; }
  Task<bool> end_without_meta(runs::StepContext context, int64_t start_time_ms);
  Task<> finish(runs::StepContext context, int64_t start_time_ms);
  std::string why_unended() const;
  Routine<std::string> why_failed(std::string hint);
  Task<std::string> keep_envs();

  const BackupRequest request_;
  const Ports& ports_;
  const async::Instant began_;
  std::shared_ptr<client::Cluster> cluster_;
  std::optional<blockstore::AsyncStore> store_;
  client::TableInfo table_;
  std::optional<std::set<int64_t>> others_;  // backups from before; nothing: not known
  backup::Place place_;
  std::string hint_;           // of the last poll
  bool is_forgotten_ = false;  // by the meta server, at the last poll
  std::optional<StoredBackup> stored_;
  std::optional<StoredParts> parts_;  // at the last look; nullopt: not known
  std::optional<async::Instant> whole_since_;
  BackupReport report_;
};

// The folder of a cluster in block stores: cold_backup_root in the configuration of its replica
// servers. Errors: kUnsupported: it is not configured, so that the servers refuse backups.
Task<std::string> backup_root(client::Cluster& cluster, Deadline deadline);

// The meta server's answer to a remote command; nullopt when it does not know the command.
Task<std::optional<std::string>> ask_meta(client::Cluster& cluster, std::string command,
                                          std::vector<std::string> arguments, Deadline deadline);

// "12.3 MiB of 98.1 MiB, 12%, 4.1 MiB/s, ETA 21 s" of a transfer in progress.
std::string transfer_text(int64_t done, int64_t all, async::milliseconds elapsed);

}  // namespace pegmove::migration
