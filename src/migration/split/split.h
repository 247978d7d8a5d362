// Method three, middle part: an offline split as a run; src/splitter/ does the work.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "async/stop_signal.h"
#include "client/table.h"
#include "migration/ports.h"
#include "runs/engine.h"
#include "splitter/split.h"

namespace pegmove::migration {

inline constexpr std::string_view kSplitMethod = "split";

// The Spark cluster that carries out the units; `master` is "": this process does.
struct SparkOptions {
  std::string master;               // "yarn", "spark://host:7077", "local-cluster[2,1,1024]"
  std::string submit;               // the program spark-submit
  std::string properties;           // a file for its --properties-file, or ""
  std::vector<std::string> conf{};  // KEY=VALUE for its --conf; nothing secret
};

// Everything that a later process needs to resume it.
struct SplitRequest {
  std::string from_store;       // [block_service.NAME] of pegmove's own configuration; or
  std::string from_metas = {};  // the cluster whose table is scanned
  backup::Place from = {};      // only the table, when it is scanned
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

// The source of the rows: one of the two.
struct RowOrigin {
  std::optional<blockstore::AsyncStore> store = {};  // of the backup
  std::shared_ptr<client::Table> table = {};         // shared with its scans
};

// Opens the source that the request names. Errors: those of Ports::get_store() and
// client::Table::open().
Task<RowOrigin> open_row_origin(const Ports& ports, const SplitRequest& request);

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
std::string to_text(const SplitReport& report);

// What is not known when a split begins: which backup, and the table that will be loaded.
struct SplitQuestions {
  std::string path = {};          // of the backup: the folder that contains its id, or its parent
  int64_t backup_id = 0;          // 0: the newest complete one
  std::string target_metas = {};  // of the cluster that will load the files; "": it cannot be asked
  int data_version = -1;          // -1: as its servers report, or else 1
};

// Makes the plan of a new run and checks it: the place is empty, the checkpoints can be read and
// the limits are sufficient. Errors: kAlreadyExists, when the place has files; those of
// splitter::plan_split().
Task<splitter::SplitPlan> check_split(const SplitRequest& request, RowOrigin origin,
                                      blockstore::AsyncStore target);

// Carries out the units that are not done yet, several at the same time, and finishes the set.
// Errors of the run: kInterrupted; those of splitter/split.h and of the engine of Ports. A cancel
// leaves the files.
class Split : public runs::Work {
 public:
  // `questions`: for a new run; complete_split() answers them.
  Split(SplitRequest request, const Ports& ports, std::optional<SplitQuestions> questions = {});
  ~Split() override;

  Task<runs::Assessment> open(runs::Purpose purpose) override;
  std::string options() const override;
  std::vector<runs::Step> steps() override;
  runs::Report report(const journal::Run& run) override;

  // Sets what was not known when the run began. Before the first step acts.
  void bind(SplitRequest request);
  SplitReport made() const;  // after the last step

 private:
  Task<> open_ends();
  Task<std::string> plan(runs::StepContext context);
  Result<void> take_plan(const journal::StepRecord& record);
  Task<> read_plan(runs::StepContext context);
  Task<std::string> split_rows(runs::StepContext context);
  Task<runs::Undone> leave_files() const;
  Task<std::string> finish(runs::StepContext context);
  Result<void> check(size_t unit, const splitter::UnitResult& result) const;
  Result<void> note(runs::StepContext context, size_t unit, splitter::UnitResult result);
  void tell(runs::StepContext context, size_t unit, const splitter::RowCounts& counts);
  async::milliseconds elapsed() const;

  SplitRequest request_;
  const Ports& ports_;
  const std::optional<SplitQuestions> questions_;
  const async::Instant began_;
  std::optional<RowOrigin> origin_;
  std::optional<splitter::SplitTarget> target_;
  std::optional<splitter::SplitPlan> new_plan_;  // of open(), not journaled yet
  std::string head_;                             // of the journaled plan
  splitter::SplitLimits limits_;                 // with the work folder of the run
  splitter::SplitPlan plan_;
  std::vector<splitter::UnitResult> results_;
  std::vector<bool> done_;
  std::vector<splitter::RowCounts> counts_;
};

}  // namespace pegmove::migration
