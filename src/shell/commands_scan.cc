// Scans that print rows.
#include <algorithm>
#include <fstream>
#include <limits>
#include <ostream>

#include "record/key.h"
#include "shell/handlers.h"
#include "shell/host_name.h"
#include "shell/report.h"
#include "shell/row_filter.h"
#include "shell/session.h"
#include "shell/words.h"

namespace pegmove::shell {
namespace {

using client::Scanner;

constexpr int32_t kMostRowsInRequest = 500;

constexpr OptionSpec kHashScanOptions[] = {{'a', "start_inclusive", true},
                                           {'b', "stop_inclusive", true},
                                           {'s', "sort_key_filter_type", true},
                                           {'y', "sort_key_filter_pattern", true},
                                           {'v', "value_filter_type", true},
                                           {'z', "value_filter_pattern", true},
                                           {'o', "output", true},
                                           {'n', "max_count", true},
                                           {'t', "timeout_ms", true},
                                           {'d', "detailed"},
                                           {'i', "no_value"}};
constexpr OptionSpec kFullScanOptions[] = {{'h', "hash_key_filter_type", true},
                                           {'x', "hash_key_filter_pattern", true},
                                           {'s', "sort_key_filter_type", true},
                                           {'y', "sort_key_filter_pattern", true},
                                           {'v', "value_filter_type", true},
                                           {'z', "value_filter_pattern", true},
                                           {'o', "output", true},
                                           {'n', "max_count", true},
                                           {'t', "timeout_ms", true},
                                           {'d', "detailed"},
                                           {'i', "no_value"},
                                           {'p', "partition", true}};

struct ScanArguments {
  RowFilters filters{};
  bool start_inclusive = true;
  bool stop_inclusive = false;
  std::string file{};      // rows go there; empty: out
  int32_t max_count = -1;  // not positive: all
  int32_t timeout_ms = 0;  // of a request
  bool detailed = false;
  bool no_value = false;
  int32_t partition = -1;  // negative: all
};

Result<ScanArguments> parse_scan_arguments(Session& session, const Options& options) {
  ScanArguments scan{.filters = TRY(parse_filters(options, Patterns::kPlain))};
  scan.start_inclusive = TRY(options.boolean('a', "start_inclusive", true));
  scan.stop_inclusive = TRY(options.boolean('b', "stop_inclusive", false));
  scan.max_count = TRY(options.number('n', "max_count", -1));
  scan.timeout_ms =
      TRY(options.number('t', "timeout_ms", int32_t(session.settings().timeout.count())));
  scan.partition = TRY(options.number('p', "partition", -1));
  scan.file = options.text('o');
  scan.detailed = options.has('d');
  scan.no_value = options.has('i');
  if (scan.timeout_ms <= 0)
    return fail(Code::kInvalidArgument, "timeout_ms should be greater than 0");
  if (options.has('p') && scan.partition < 0)
    return fail(Code::kInvalidArgument, "partition should be greater than 0");
  if (scan.no_value && scan.filters.value.match != Match::kAll)
    return fail(Code::kInvalidArgument, "no_value should not be set when value_filter_type is set");
  return scan;
}

client::ScanOptions scan_options(const ScanArguments& scan) {
  client::ScanOptions options;
  options.batch_size = kMostRowsInRequest;
  if (scan.max_count > 0 && !scan.filters.need_rows_here())
    options.batch_size = std::min(options.batch_size, scan.max_count);
  options.no_value = scan.no_value;
  scan.filters.apply_to(options);
  return options;
}

void echo_rest(Session& session, const ScanArguments& scan) {
  print_filter(session.err(), "sort_key", scan.filters.sort_key);
  print_filter(session.err(), "value", scan.filters.value);
  session.err() << "max_count: " << scan.max_count
                << "\ntimout_ms: " << scan.timeout_ms  // so the original spells it
                << "\ndetailed: " << text_of(scan.detailed)
                << "\nno_value: " << text_of(scan.no_value) << "\n\n";
}

// Prints the rows of scans until there are enough of them.
class RowPrinter {
 public:
  RowPrinter(Session& session, const ScanArguments& scan, std::ostream& to)
      : session_(session), scan_(scan), to_(to) {}

  // Looks up who serves what, for -d.
  Task<> prepare(std::shared_ptr<client::Table> table, Deadline deadline) {
    app_id_ = table->app_id();
    if (!scan_.detailed) co_return Result<void>();
    auto config = CO_TRY(co_await table->cluster().table_config(table->name(), {}, deadline));
    for (const auto& partition : config.partitions)
      servers_.push_back(node_text(partition.primary, false));
    co_return Result<void>();
  }

  Task<> print(Scanner& scanner) {
    while (!is_full()) {
      if (session_.stop_signal().requested()) co_return fail(Code::kInterrupted, "stopped");
      auto deadline = Deadline::in(session_.clock(), async::milliseconds(scan_.timeout_ms));
      auto batch = CO_TRY(co_await scanner.next(deadline));
      if (!batch) break;
      for (const auto& row : batch->foreign) foreign_.add(row);
      for (const auto& row : batch->rows) {
        if (is_full()) break;
        print_row(row, scanner.partition_index());
      }
      if (!to_)
        co_return fail(Code::kIo, scan_.file.empty() ? "the output takes no more rows"
                                                     : "cannot write file " + scan_.file);
    }
    co_return Result<void>();
  }

  bool is_full() const { return scan_.max_count > 0 && rows_ >= scan_.max_count; }
  int64_t rows() const { return rows_; }
  const client::ForeignRows& foreign() const { return foreign_; }

 private:
  void print_row(const wire::KeyValueView& row, int32_t partition) {
    auto key = record::split_key(row.key);
    if (!key || !scan_.filters.accepts_rest(key->sort_key, row.value)) return;
    ++rows_;
    to_ << quoted(session_, key->hash_key) << " : " << quoted(session_, key->sort_key);
    if (!scan_.no_value) to_ << " => " << quoted(session_, row.value);
    if (scan_.detailed) {
      auto server = size_t(partition) < servers_.size() ? servers_[size_t(partition)] : "-";
      to_ << " {app_id=" << app_id_ << ", partition_index=" << partition << ", server=" << server
          << "}";
    }
    to_ << "\n";
  }

  Session& session_;
  const ScanArguments& scan_;
  std::ostream& to_;
  int32_t app_id_ = 0;
  std::vector<std::string> servers_;
  int64_t rows_ = 0;
  client::ForeignRows foreign_;
};

// Runs the scanners one after the other; prints rows and their number.
Outcome print_scans(Session& session, const ScanArguments& scan,
                    std::shared_ptr<client::Table> table,
                    std::vector<std::unique_ptr<Scanner>> scanners) {
  std::ofstream file;
  if (!scan.file.empty()) file.open(scan.file, std::ios::binary);
  if (!scan.file.empty() && !file) {
    session.err() << "ERROR: open filename " << scan.file << " failed\n";
    return Outcome::kFailed;
  }
  RowPrinter printer(session, scan, scan.file.empty() ? session.out() : file);
  auto result = session.run(printer.prepare(table, session.meta_deadline()));
  for (auto& scanner : scanners)
    if (result && !printer.is_full()) result = session.run(printer.print(*scanner));
  if (scan.file.empty() && printer.rows() > 0) session.out() << "\n";
  session.out() << printer.rows() << " key-value pairs got.\n";
  print_foreign(session, printer.foreign());
  if (!result) return data_failed(session, result.error());
  if (scan.file.empty()) return Outcome::kDone;
  file.close();
  if (file) return Outcome::kDone;
  session.err() << "ERROR: cannot write file " << scan.file << "\n";
  return Outcome::kFailed;
}

Outcome no_scanner(Session& session, const Error& error) {
  if (error.code() == Code::kNotFound) session.forget_table();
  session.err() << "ERROR: get scanner failed: " << data_error_text(error) << "\n";
  return Outcome::kFailed;
}

void echo_hash_scan(Session& session, const std::vector<std::string>& keys,
                    const ScanArguments& scan) {
  session.err() << "hash_key: \"" << c_escape(keys[0], false) << "\"\nstart_sort_key: \""
                << c_escape(keys[1], false)
                << "\"\nstart_inclusive: " << text_of(scan.start_inclusive) << "\nstop_sort_key: \""
                << c_escape(keys[2], false)
                << "\"\nstop_inclusive: " << text_of(scan.stop_inclusive) << "\n";
  echo_rest(session, scan);
}

}  // namespace

Outcome run_hash_scan(Session& session, Words words) {
  auto options = Options::parse(words, kHashScanOptions);
  if (!options) return wrong_usage(session, options.error());
  const auto& keys = options->rest();
  if (keys.size() != 3) return Outcome::kWrongUsage;
  auto scan = parse_scan_arguments(session, *options);
  if (!scan) return wrong_usage(session, scan.error());
  echo_hash_scan(session, keys, *scan);
  auto table = session.table();
  if (!table) return no_scanner(session, table.error());
  auto scanner = (*table)->scan_hash_key(keys[0], keys[1], keys[2], scan->start_inclusive,
                                         scan->stop_inclusive, scan_options(*scan));
  if (!scanner) return no_scanner(session, scanner.error());
  std::vector<std::unique_ptr<Scanner>> scanners;
  scanners.push_back(std::move(*scanner));
  return print_scans(session, *scan, *table, std::move(scanners));
}

Outcome run_full_scan(Session& session, Words words) {
  auto options = Options::parse(words, kFullScanOptions);
  if (!options) return wrong_usage(session, options.error());
  auto scan = parse_scan_arguments(session, *options);
  if (!scan) return wrong_usage(session, scan.error());
  session.err() << "partition: " << (scan->partition < 0 ? "all" : std::to_string(scan->partition))
                << "\n";
  print_filter(session.err(), "hash_key", scan->filters.hash_key);
  echo_rest(session, *scan);
  auto table = session.table();
  if (!table) return no_scanner(session, table.error());
  auto count = (*table)->partition_count();
  if (scan->partition >= count) {
    session.err() << "ERROR: partition " << scan->partition
                  << " out of range, should be in range of [0," << count - 1 << "]\n";
    return Outcome::kFailed;
  }
  std::vector<std::unique_ptr<Scanner>> scanners;
  for (int32_t i = 0; i < count; ++i)
    if (scan->partition < 0 || scan->partition == i)
      scanners.push_back((*table)->scan_partition(i, scan_options(*scan)));
  return print_scans(session, *scan, *table, std::move(scanners));
}

}  // namespace pegmove::shell
