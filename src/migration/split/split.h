// An offline split as a run of the journal: what it does is in src/splitter/.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "async/stop_signal.h"
#include "client/table.h"
#include "migration/run_keeper.h"
#include "splitter/split.h"

namespace pegmove::migration {

inline constexpr std::string_view kSplitMethod = "split";

// Where a Spark cluster carries the units out; "" as master: this process does.
struct SparkOptions {
  std::string master;               // "yarn", "spark://host:7077", "local-cluster[2,1,1024]"
  std::string submit;               // the program spark-submit
  std::string properties;           // a file for its --properties-file, or ""
  std::vector<std::string> conf{};  // KEY=VALUE for its --conf; nothing secret
};

// What the journal keeps of a split, so that resume needs nothing else.
struct SplitRequest {
  std::string from_store;       // [block_service.NAME] of pegmove's own configuration; or
  std::string from_metas = {};  // the cluster whose table is scanned
  backup::Place from = {};      // of the table alone, when it is scanned
  int32_t from_partitions = 0;
  std::string to_store;
  bulkload::Place to;
  int32_t to_app_id = 0;
  int32_t to_partitions = 0;
  int data_version = 1;           // of the table that will be loaded
  rows::RowFilters filters = {};  // of keys
  int64_t most_file_bytes = 64 << 20;
  bool for_old_servers = false;
  splitter::SplitLimits limits = {};  // the work folder is below this one, named by the run
  SparkOptions spark = {};
};
std::string to_json(const SplitRequest& request);
// Errors: kCorrupt, naming the field.
Result<SplitRequest> split_request_from_json(std::string_view text);

// Where the rows come from: one of the two.
struct RowOrigin {
  std::optional<blockstore::AsyncStore> store = {};  // of the backup
  std::shared_ptr<client::Table> table = {};         // shared with its scans
};

class UnitEngine;  // migration/split/split_units.h

struct SplitProgress {
  splitter::RowCounts counts = {};
  int64_t rows = 0;  // of the source, at most; 0: not known
  size_t units_done = 0;
  size_t units = 0;
  async::milliseconds elapsed{0};
};
// "splitting: 1,200,000 of 10,000,000 rows, 12%, 850,000/s, ETA 10 s, units 1/8"
std::string to_line(const SplitProgress& progress);

struct SplitReport {
  std::string store;
  bulkload::Place place;
  int32_t partitions = 0;
  splitter::RowCounts counts = {};
  int64_t files = 0;
  int64_t file_bytes = 0;
  int32_t empty_partitions = 0;
  async::milliseconds elapsed{0};
};
std::string to_json(const SplitReport& report);

// The plan of a new run, with what can be known before: whether the place is free, the checkpoints
// can be read and the limits are enough. Errors: kAlreadyExists, when files of another are in the
// place; those of splitter::plan_split().
Task<splitter::SplitPlan> check_split(const SplitRequest& request, RowOrigin origin,
                                      blockstore::AsyncStore target);

// Does the units that are not done yet, several at once, and finishes the set. `plan`: that of
// check_split(); for a run that is resumed without it, the journal's, or a new one when it was
// killed before that was noted. `engine`: who carries the units out; null: this process. The caller
// ends the run. Errors: kInterrupted; those of splitter/split.h and of the engine.
Task<SplitReport> run_split(RunKeeper& run, SplitRequest request,
                            std::optional<splitter::SplitPlan> plan, RowOrigin origin,
                            blockstore::AsyncStore target, UnitEngine* engine,
                            const async::StopSignal& stop,
                            std::function<void(const SplitProgress&)> on_progress,
                            backup::StepListener on_step = {});

}  // namespace pegmove::migration
