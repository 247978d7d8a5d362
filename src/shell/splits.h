// Work on a whole table, as count_data and clear_data do it: a split is a partition that is
// scanned; several are scanned at once, and a line a second tells how far it has come.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "shell/row_filter.h"
#include "shell/session.h"

namespace pegmove::shell {

// The options -p -b -t and the filters.
struct SplitArguments {
  RowFilters filters{};
  int32_t partition = -1;  // negative: all
  int32_t batch_size = 500;
  int32_t timeout_ms = 5000;  // of a request
};

// Errors: kInvalidArgument, in the words of Pegasus's shell.
Result<SplitArguments> parse_split_arguments(Session& session, const Options& options);
// Its halves, for a command that checks other things between them: what each option says, and
// whether that can be.
Result<SplitArguments> read_split_arguments(Session& session, const Options& options);
Result<void> check_split_arguments(const SplitArguments& arguments);
// The options as "INFO: NAME = VALUE" lines.
void echo_split_arguments(Session& session, const SplitArguments& arguments);
// The same without the cluster and the table.
void echo_split_choices(Session& session, const SplitArguments& arguments);

// One run over the splits. On the session's thread; everything given to it must outlive it.
class SplitRun {
 public:
  // What to do with a batch of rows of a split; adds to rows().
  using TakeBatch = std::function<Task<>(size_t split, client::ScanBatch batch)>;

  SplitRun(Session& session, std::shared_ptr<client::Table> table, const SplitArguments& arguments);

  // What stands in the progress line behind the count of rows.
  std::function<std::string()> note;
  // Called after each line, with the seconds since the beginning.
  std::function<void(int64_t seconds)> each_second;
  // What could not be done when TakeBatch fails.
  std::string taking = "scan next failed";
  int32_t run_seconds = 0;  // ends the run in good order after so long; 0: never
  int32_t rows_a_scan = 0;  // how many a request asks for; 0: SplitArguments::batch_size

  // Scans all splits with `options`, to which the filters are added. What went wrong is said on
  // Session::err(), and how many foreign rows (client/foreign_rows.h) were left out. Errors: of the
  // scans and of `take`; kInterrupted; kRefused when the table is split.
  Task<> run(client::ScanOptions options, TakeBatch take);

  // By split.
  std::vector<int64_t>& rows() { return rows_; }
  int64_t total() const;
  bool ran_out_of_time() const { return out_of_time_; }
  Deadline deadline() const;

 private:
  Task<> work(const client::ScanOptions& options, const TakeBatch& take);
  Task<> scan(size_t split, const client::ScanOptions& options, const TakeBatch& take);
  std::unexpected<Error> failed(size_t split, std::string_view what, Error error);
  Task<> check_still_whole();
  Routine<> show_progress();

  Session& session_;
  std::shared_ptr<client::Table> table_;  // shared with the session
  const SplitArguments& arguments_;
  std::vector<int32_t> partitions_;
  std::vector<int64_t> rows_;
  const int32_t partition_count_;  // when it began
  client::ForeignRows foreign_;
  size_t next_ = 0;
  int splits_done_ = 0;
  bool failed_ = false;
  bool out_of_time_ = false;
  bool ended_ = false;
};

// The current table, whose partitions include the one that was asked for; else says why not.
// nullptr then.
std::shared_ptr<client::Table> open_for_splits(Session& session, const SplitArguments& arguments);
// Says that the table, which is `called` "app" or "source app", has been opened. False, and says
// so, when it lacks the partition that was asked for.
bool prepare_splits(Session& session, client::Table& table, const SplitArguments& arguments,
                    std::string_view called);

}  // namespace pegmove::shell
