// Method three, last part: a bulk load by the cluster's own servers, which pegmove watches.
// Settings that the load needs are journaled before they are changed, and restored after it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bulk_load_types.h"
#include "bulkload/reader.h"
#include "client/bulk_loads.h"
#include "migration/ports.h"
#include "runs/engine.h"
#include "runs/remote_job.h"

namespace pegmove::migration {

inline constexpr std::string_view kLoadMethod = "load";

// Everything that a later process needs to resume it.
struct LoadRun {
  std::string to_metas;
  client::LoadRequest load;
  async::milliseconds timeout{30'000};
};
std::string to_json(const LoadRun& request);
// Errors: kCorrupt, saying what is wrong.
Result<LoadRun> load_run_from_json(std::string_view text);

struct LoadProgress {
  wire::bulk_load_status status = wire::BLS_INVALID;
  bool is_loading = true;
  int32_t partitions = 0;
  int32_t partitions_done = 0;     // of the current phase, which `status` names
  int32_t partitions_cleaned = 0;  // all of their servers have removed the downloaded files
  int32_t percent = 0;             // of the bytes, while they are downloaded
  std::string waits_for = {};      // "": it does not wait, or does not report it
  async::milliseconds elapsed{0};
};
LoadProgress progress_of(const client::LoadStatus& status, async::milliseconds elapsed);
// "loading: 12/12 partitions have the rows; the servers remove the downloaded files, 3/12
// partitions cleaned up, 40 s"
std::string to_line(const LoadProgress& progress);

struct LoadReport {
  std::string table;
  int32_t partitions = 0;
  bool behind = false;
  std::optional<async::milliseconds> writes_held = {};  // longest of a partition, if reported
  std::vector<std::string> notes = {};
  async::milliseconds elapsed{0};
};
std::string to_json(const LoadReport& report);
std::string to_text(const LoadReport& report);

// Checks before the load: the table, its settings, and, when pegmove's configuration has the store,
// the set of files. Read-only. Returns notes. Errors: kNotFound, kCorrupt and kInvalidArgument: the
// set, naming the file; kRefused: the table cannot be loaded, with what to do.
Task<std::vector<std::string>> check_load(client::Cluster& cluster, const LoadRun& request,
                                          const std::optional<blockstore::AsyncStore>& store);

// Errors of the run: kInterrupted; kRefused and kCorrupt: the load failed, and the table has its
// previous settings again. After a stop the cluster continues by itself. A cancel ends the load
// before the cluster ingests files; from then on the run is carried to its end.
class Load : public runs::Work, public runs::RemoteJob<client::LoadStatus> {
 public:
  Load(LoadRun request, const Ports& ports);

  Task<runs::Assessment> open(runs::Purpose purpose) override;
  std::string options() const override;
  std::vector<runs::Step> steps() override;
  runs::Report report(const journal::Run& run) override;

  Task<std::string> start(runs::StepContext context) override;
  Task<std::optional<std::string>> adopt(runs::StepContext context) override;
  Task<client::LoadStatus> poll() override;
  Task<bool> look(runs::StepContext context, const client::LoadStatus& status) override;
  Task<> after_failure(runs::StepContext context) override;
  bool can_be_cancelled(const client::LoadStatus& status) const override;
  std::string left_alone() const override;
  Task<runs::Undone> cancel(runs::StepContext context) override;

 private:
  Deadline deadline() const { return Deadline::in(ports_.clock, request_.timeout); }
  async::milliseconds elapsed() const {
    return std::chrono::duration_cast<async::milliseconds>(ports_.clock.now() - began_);
  }
  Result<void> take(const journal::StepRecord& record);
  Task<std::string> find_settings();
  Task<std::string> prepare_table();
  Task<> put_back(bool is_loaded);
  Task<runs::Undone> undo_prepare();
  Task<std::string> finish();

  const LoadRun request_;
  const Ports& ports_;
  const async::Instant began_;
  std::shared_ptr<client::Cluster> cluster_;
  client::MetaLevel level_before_ = client::MetaLevel::kLively;
  std::string scenario_before_;    // "": the env was not set
  bool was_loaded_before_ = true;  // or not known: the status may be that of an earlier load
  bool may_have_started_ = false;
  LoadReport report_;
};

}  // namespace pegmove::migration
