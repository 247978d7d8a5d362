// A bulk load as a run of the journal: the cluster is told to load a set of files, watched, and put
// back into the state that it was in. Settings that the load needs are noted before they are
// changed.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bulkload/reader.h"
#include "client/bulk_loads.h"
#include "migration/run_keeper.h"

namespace pegmove::migration {

inline constexpr std::string_view kLoadMethod = "load";

// Everything that a later process needs to go on with.
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
  int32_t partitions = 0;
  int32_t partitions_done = 0;  // with what the status says
  int32_t percent = 0;          // of the bytes, while they are downloaded
  std::string waits_for = {};   // "": it does not wait, or does not tell
};
std::string to_line(const LoadProgress& progress);

struct LoadReport {
  std::string table;
  int32_t partitions = 0;
  bool behind = false;
  std::optional<async::milliseconds> writes_held = {};  // longest of a partition, where it is told
  std::vector<std::string> notes = {};
  async::milliseconds elapsed{0};
};
std::string to_json(const LoadReport& report);

// What can be known before the cluster is told anything: the table, its settings, and, where the
// store can be reached from here, the set of files. Returns notes. Errors: kNotFound, kCorrupt and
// kInvalidArgument: the set, naming the file; kRefused: the table cannot be loaded so, and what
// helps.
Task<std::vector<std::string>> check_load(client::Cluster& cluster, const LoadRun& request,
                                          const std::optional<blockstore::AsyncStore>& store);

// Begins the load, or goes on watching it, and returns when all partitions have the rows, the
// usage scenario is normal and the meta servers' level is what it was. After a stop the cluster
// goes on by itself; after a cancel it is told to end, which it does until it takes files in: from
// then on it is watched to its end. The caller ends the run. Errors: kInterrupted; kRefused and
// kCorrupt: the load failed, with what holds now.
Task<LoadReport> run_load(RunKeeper& run, std::shared_ptr<client::Cluster> cluster, LoadRun request,
                          std::vector<std::string> notes, const async::StopSignal& stop,
                          std::function<void(const LoadProgress&)> on_progress);

// Ends on the cluster the load that a run began and nobody watches, and puts back what it changed.
// Nothing to do when it had not begun. Errors: kRefused: it was too late, and the table has the
// rows; kTimeout: files are taken in for more than ten minutes; the cluster's. May be repeated.
Task<> cancel_load(client::Cluster& cluster, LoadRun request, std::string result);

}  // namespace pegmove::migration
