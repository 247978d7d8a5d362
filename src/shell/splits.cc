#include "shell/splits.h"

#include <boost/asio/this_coro.hpp>
#include <ostream>

#include "async/all.h"
#include "async/task_group.h"
#include "shell/progress_line.h"
#include "shell/report.h"

namespace pegmove::shell {
namespace {

constexpr int kScansAtOnce = 16;
constexpr async::milliseconds kBetweenLines{1000};

}  // namespace

Result<SplitArguments> parse_split_arguments(Session& session, const Options& options) {
  auto arguments = TRY(read_split_arguments(session, options));
  TRY(check_split_arguments(arguments));
  return arguments;
}

Result<SplitArguments> read_split_arguments(Session& session, const Options& options) {
  SplitArguments arguments;
  arguments.partition = TRY(options.number('p', "partition", -1));
  if (options.has('p') && arguments.partition < 0)
    return fail(Code::kInvalidArgument, "partition should be greater than 0");
  arguments.batch_size = TRY(options.number('b', "max_batch_count", arguments.batch_size));
  arguments.timeout_ms =
      TRY(options.number('t', "timeout_ms", int32_t(session.settings().timeout.count())));
  arguments.filters = TRY(parse_filters(options, Patterns::kEscaped));
  return arguments;
}

Result<void> check_split_arguments(const SplitArguments& arguments) {
  if (arguments.batch_size <= 1)
    return fail(Code::kInvalidArgument, "max_batch_count should be greater than 1");
  if (arguments.timeout_ms <= 0)
    return fail(Code::kInvalidArgument, "timeout_ms should be greater than 0");
  return {};
}

void echo_split_arguments(Session& session, const SplitArguments& arguments) {
  session.err() << "INFO: cluster_name = " << session.cluster_word()
                << "\nINFO: app_name = " << session.settings().table << "\n";
  echo_split_choices(session, arguments);
}

void echo_split_choices(Session& session, const SplitArguments& arguments) {
  auto& err = session.err();
  err << "INFO: partition = "
      << (arguments.partition < 0 ? "all" : std::to_string(arguments.partition))
      << "\nINFO: max_batch_count = " << arguments.batch_size
      << "\nINFO: timeout_ms = " << arguments.timeout_ms << "\n";
  print_filter(err, "hash_key", arguments.filters.hash_key, "INFO: ", " = ");
  print_filter(err, "sort_key", arguments.filters.sort_key, "INFO: ", " = ");
  print_filter(err, "value", arguments.filters.value, "INFO: ", " = ");
}

std::shared_ptr<client::Table> open_for_splits(Session& session, const SplitArguments& arguments) {
  auto table = session.table();
  if (table) return prepare_splits(session, **table, arguments, "app") ? *table : nullptr;
  if (table.error().code() == Code::kNotFound) session.forget_table();
  session.err() << "ERROR: open app scanner failed: " << data_error_text(table.error()) << "\n";
  return nullptr;
}

bool prepare_splits(Session& session, client::Table& table, const SplitArguments& arguments,
                    std::string_view called) {
  auto& err = session.err();
  auto count = table.partition_count();
  err << "INFO: open " << called << " scanner succeed, partition_count = " << count << "\n";
  if (arguments.partition >= count) {
    err << "ERROR: invalid partition param: " << arguments.partition << "\n";
    return false;
  }
  err << "INFO: prepare scanners succeed, split_count = " << (arguments.partition < 0 ? count : 1)
      << "\n";
  return true;
}

SplitRun::SplitRun(Session& session, std::shared_ptr<client::Table> table,
                   const SplitArguments& arguments)
    : session_(session),
      table_(std::move(table)),
      arguments_(arguments),
      partition_count_(table_->partition_count()) {
  for (int32_t i = 0; i < partition_count_; ++i)
    if (arguments.partition < 0 || arguments.partition == i) partitions_.push_back(i);
  rows_.resize(partitions_.size());
}

int64_t SplitRun::total() const {
  int64_t total = 0;
  for (auto rows : rows_) total += rows;
  return total;
}

Deadline SplitRun::deadline() const {
  return Deadline::in(session_.clock(), async::milliseconds(arguments_.timeout_ms));
}

Task<> SplitRun::run(client::ScanOptions options, TakeBatch take) {
  options.batch_size = rows_a_scan > 0 ? rows_a_scan : arguments_.batch_size;
  arguments_.filters.apply_to(options);
  async::TaskGroup group(co_await asio::this_coro::executor);
  group.spawn(show_progress());
  std::vector<Task<>> workers;
  for (int i = 0; i < kScansAtOnce; ++i) workers.push_back(work(options, take));
  auto result = co_await async::all(std::move(workers));
  ended_ = true;
  group.stop();
  co_await group.join();  // no result
  print_foreign(session_, foreign_);
  if (result) result = co_await check_still_whole();
  co_return result;
}

Task<> SplitRun::check_still_whole() {
  auto whole =
      co_await table_->router().check_still_whole(partition_count_, session_.meta_deadline());
  if (!whole) session_.err() << "ERROR: " << whole.error().to_string() << "\n";
  co_return whole;
}

Task<> SplitRun::work(const client::ScanOptions& options, const TakeBatch& take) {
  while (next_ < partitions_.size() && !failed_ && !out_of_time_) {
    auto split = next_++;
    CO_TRY(co_await scan(split, options, take));
    ++splits_done_;
  }
  co_return Result<void>();
}

Task<> SplitRun::scan(size_t split, const client::ScanOptions& options, const TakeBatch& take) {
  auto scanner = table_->scan_partition(partitions_[split], options);
  while (!failed_ && !out_of_time_) {
    if (session_.stop_signal().requested())
      co_return failed(split, "scan next failed", Error(Code::kInterrupted, "stopped"));
    auto batch = co_await scanner->next(deadline());
    if (!batch) co_return failed(split, "scan next failed", std::move(batch).error());
    if (!*batch) break;
    for (const auto& row : (*batch)->foreign) foreign_.add(row);
    auto taken = co_await take(split, std::move(**batch));
    if (!taken) co_return failed(split, taking, std::move(taken).error());
  }
  co_return Result<void>();
}

// Says it once: what follows is often the same everywhere.
std::unexpected<Error> SplitRun::failed(size_t split, std::string_view what, Error error) {
  if (!std::exchange(failed_, true))
    session_.err() << "ERROR: split[" << split << "] " << what << ": " << data_error_text(error)
                   << "\n";
  return fail(std::move(error));
}

Routine<> SplitRun::show_progress() {
  auto begin = session_.clock().now();
  ProgressLine line(session_.err());
  while (true) {
    co_await session_.clock().sleep_for(kBetweenLines);  // no result
    if (ended_) co_return;
    auto elapsed = std::chrono::duration_cast<async::milliseconds>(session_.clock().now() - begin);
    auto seconds = (elapsed.count() + 500) / 1000;
    if (run_seconds > 0 && seconds >= run_seconds && !failed_) out_of_time_ = true;
    line.print(elapsed, splits_done_, int(partitions_.size()), total(), note ? note() : "",
               failed_);
    if (each_second) each_second(seconds);
  }
}

}  // namespace pegmove::shell
