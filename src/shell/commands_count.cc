// count_data: how many rows a table has, by scans of all partitions at once.
#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <ostream>

#include "async/all.h"
#include "async/task_group.h"
#include "record/key.h"
#include "shell/handlers.h"
#include "shell/progress_line.h"
#include "shell/report.h"
#include "shell/row_filter.h"
#include "shell/session.h"

namespace pegmove::shell {
namespace {

constexpr OptionSpec kCountOptions[] = {{'c', "precise"},
                                        {'p', "partition", true},
                                        {'b', "max_batch_count", true},
                                        {'t', "timeout_ms", true},
                                        {'h', "hash_key_filter_type", true},
                                        {'x', "hash_key_filter_pattern", true},
                                        {'s', "sort_key_filter_type", true},
                                        {'y', "sort_key_filter_pattern", true},
                                        {'v', "value_filter_type", true},
                                        {'z', "value_filter_pattern", true},
                                        {'d', "diff_hash_key"},
                                        {'a', "stat_size"},
                                        {'n', "top_count", true},
                                        {'r', "run_seconds", true}};
constexpr int kScansAtOnce = 16;
constexpr async::milliseconds kBetweenLines{1000};

struct CountArguments {
  RowFilters filters{};
  int32_t partition = -1;  // negative: all
  int32_t batch_size = 500;
  int32_t timeout_ms = 5000;  // of a request
};

Result<CountArguments> parse_arguments(Session& session, const Options& options) {
  CountArguments count;
  count.partition = TRY(options.number('p', "partition", -1));
  if (options.has('p') && count.partition < 0)
    return fail(Code::kInvalidArgument, "partition should be greater than 0");
  count.batch_size = TRY(options.number('b', "max_batch_count", count.batch_size));
  count.timeout_ms =
      TRY(options.number('t', "timeout_ms", int32_t(session.settings().timeout.count())));
  count.filters = TRY(parse_filters(options, Patterns::kEscaped));
  if (!options.has('c'))
    return fail(Code::kInvalidArgument,
                "you must input [-c|--precise] flag when you expect to get precise result by "
                "scaning all record online");
  if (count.batch_size <= 1)
    return fail(Code::kInvalidArgument, "max_batch_count should be greater than 1");
  if (count.timeout_ms <= 0)
    return fail(Code::kInvalidArgument, "timeout_ms should be greater than 0");
  return count;
}

void echo(Session& session, const CountArguments& count) {
  auto& err = session.err();
  err << "INFO: cluster_name = " << session.cluster_word()
      << "\nINFO: app_name = " << session.settings().table
      << "\nINFO: partition = " << (count.partition < 0 ? "all" : std::to_string(count.partition))
      << "\nINFO: max_batch_count = " << count.batch_size
      << "\nINFO: timeout_ms = " << count.timeout_ms << "\n";
  print_filter(err, "hash_key", count.filters.hash_key, "INFO: ", " = ");
  print_filter(err, "sort_key", count.filters.sort_key, "INFO: ", " = ");
  print_filter(err, "value", count.filters.value, "INFO: ", " = ");
  err << "INFO: diff_hash_key = false\nINFO: stat_size = false\nINFO: top_count = 0\n"
         "INFO: run_seconds = 0\n";
}

class Counter {
 public:
  Counter(Session& session, std::shared_ptr<client::Table> table, const CountArguments& count)
      : session_(session), table_(std::move(table)), count_(count), line_(session.err()) {
    for (int32_t i = 0; i < table_->partition_count(); ++i)
      if (count.partition < 0 || count.partition == i) partitions_.push_back(i);
    rows_.resize(partitions_.size());
  }

  // By split; splits are the partitions that are counted.
  const std::vector<int64_t>& rows() const { return rows_; }
  int64_t total() const {
    int64_t total = 0;
    for (auto rows : rows_) total += rows;
    return total;
  }

  // Prints a line a second meanwhile.
  Task<> run() {
    async::TaskGroup group(co_await asio::this_coro::executor);
    group.spawn(show_progress());
    std::vector<Task<>> workers;
    for (int i = 0; i < kScansAtOnce; ++i) workers.push_back(count_splits());
    auto result = co_await async::all(std::move(workers));
    ended_ = true;
    group.stop();
    co_await group.join();  // no result
    co_return result;
  }

 private:
  Task<> count_splits() {
    while (next_ < partitions_.size() && !failed_) {
      auto split = next_++;
      auto counted = co_await count_split(split);
      if (!counted) {
        failed_ = true;
        session_.err() << "ERROR: split[" << split
                       << "] scan next failed: " << data_error_text(counted.error()) << "\n";
        co_return fail(std::move(counted).error());
      }
      ++splits_done_;
    }
    co_return Result<void>();
  }

  Task<> count_split(size_t split) {
    client::ScanOptions options;
    options.batch_size = count_.batch_size;
    options.only_count = !count_.filters.need_rows_here();
    options.no_value = count_.filters.value.match == Match::kAll;
    count_.filters.apply_to(options);
    auto scanner = table_->scan_partition(partitions_[split], options);
    while (!failed_) {
      if (session_.stop_signal().requested()) co_return fail(Code::kInterrupted, "stopped");
      auto deadline = Deadline::in(session_.clock(), async::milliseconds(count_.timeout_ms));
      auto batch = CO_TRY(co_await scanner->next(deadline));
      if (!batch) break;
      rows_[split] += options.only_count ? batch->count : count_accepted(*batch);
    }
    co_return Result<void>();
  }

  int64_t count_accepted(const client::ScanBatch& batch) const {
    return std::ranges::count_if(batch.rows, [&](const wire::KeyValueView& row) {
      auto key = record::split_key(row.key);
      return key && count_.filters.accepts_rest(key->sort_key, row.value);
    });
  }

  Routine<> show_progress() {
    auto begin = session_.clock().now();
    while (true) {
      co_await session_.clock().sleep_for(kBetweenLines);  // no result
      if (ended_) co_return;
      auto elapsed = session_.clock().now() - begin;
      line_.print(std::chrono::duration_cast<async::milliseconds>(elapsed), splits_done_,
                  int(partitions_.size()), total());
    }
  }

  Session& session_;
  std::shared_ptr<client::Table> table_;  // shared with the session
  const CountArguments& count_;
  ProgressLine line_;
  std::vector<int32_t> partitions_;
  std::vector<int64_t> rows_;
  size_t next_ = 0;
  int splits_done_ = 0;
  bool failed_ = false;
  bool ended_ = false;
};

Outcome count_rows(Session& session, std::shared_ptr<client::Table> table,
                   const CountArguments& count) {
  auto& err = session.err();
  err << "INFO: open app scanner succeed, partition_count = " << table->partition_count() << "\n";
  Counter counter(session, std::move(table), count);
  err << "INFO: prepare scanners succeed, split_count = " << counter.rows().size() << "\n";
  if (!count.filters.need_rows_here())
    err << "INFO: scanner only return kv count, not return value\n";
  auto result = session.run(counter.run());
  if (!result) err << "ERROR: error occurred, processing terminated\n";
  for (size_t i = 0; i < counter.rows().size(); ++i)
    err << "INFO: split[" << i << "]: " << counter.rows()[i] << " rows\n";
  session.out() << "Count " << (result ? "done" : "terminated as error occurred") << ", total "
                << counter.total() << " rows.\n";
  return result ? Outcome::kDone : Outcome::kFailed;
}

}  // namespace

Outcome run_count_data(Session& session, Words words) {
  auto options = Options::parse(words, kCountOptions);
  if (!options) return wrong_usage(session, options.error());
  if (words.empty()) return run_count_estimate(session);
  for (const char* letter : {"-d", "-a", "-n", "-r"})
    if (options->has(letter[1]))
      return not_supported(session, letter, "count rows alone: count_data -c");
  auto count = parse_arguments(session, *options);
  if (!count) return wrong_usage(session, count.error());
  echo(session, *count);
  auto table = session.table();
  if (!table) {
    session.err() << "ERROR: open app scanner failed: " << data_error_text(table.error()) << "\n";
    return Outcome::kFailed;
  }
  if (count->partition >= (*table)->partition_count()) {
    session.err() << "ERROR: invalid partition param: " << count->partition << "\n";
    return Outcome::kFailed;
  }
  return count_rows(session, *table, *count);
}

}  // namespace pegmove::shell
