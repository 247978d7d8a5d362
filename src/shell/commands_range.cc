// Ranges of one hash key: multi_get_range, multi_get_sortkeys, multi_del_range.
#include <fmt/format.h>

#include <fstream>
#include <ostream>

#include "record/key.h"
#include "shell/handlers.h"
#include "shell/report.h"
#include "shell/row_filter.h"
#include "shell/session.h"
#include "shell/words.h"

namespace pegmove::shell {
namespace {

constexpr OptionSpec kGetRangeOptions[] = {{'a', "start_inclusive", true},
                                           {'b', "stop_inclusive", true},
                                           {'s', "sort_key_filter_type", true},
                                           {'y', "sort_key_filter_pattern", true},
                                           {'n', "max_count", true},
                                           {'i', "no_value"},
                                           {'r', "reverse"}};
constexpr OptionSpec kDelRangeOptions[] = {{'a', "start_inclusive", true},
                                           {'b', "stop_inclusive", true},
                                           {'s', "sort_key_filter_type", true},
                                           {'y', "sort_key_filter_pattern", true},
                                           {'o', "output", true},
                                           {'i', "silent"}};

// What the two commands on ranges have in common.
struct RangeArguments {
  std::string hash_key;
  std::string start;
  std::string stop;
  bool start_inclusive = true;
  bool stop_inclusive = false;
  rows::RowFilter sort_key{};
};

Result<RangeArguments> parse_range(const Options& options) {
  const auto& keys = options.rest();
  auto filters = TRY(parse_filters(options, Patterns::kPlain));
  if (filters.sort_key.match == Match::kExact)  // other commands have that
    return fail(Code::kInvalidArgument, "invalid sort_key_filter_type param");
  return RangeArguments{.hash_key = keys[0],
                        .start = keys[1],
                        .stop = keys[2],
                        .start_inclusive = TRY(options.boolean('a', "start_inclusive", true)),
                        .stop_inclusive = TRY(options.boolean('b', "stop_inclusive", false)),
                        .sort_key = std::move(filters.sort_key)};
}

void echo(Session& session, const RangeArguments& range) {
  session.err() << "hash_key: \"" << c_escape(range.hash_key, false) << "\"\nstart_sort_key: \""
                << c_escape(range.start, false)
                << "\"\nstart_inclusive: " << text_of(range.start_inclusive)
                << "\nstop_sort_key: \"" << c_escape(range.stop, false)
                << "\"\nstop_inclusive: " << text_of(range.stop_inclusive) << "\n";
  print_filter(session.err(), "sort_key", range.sort_key);
}

const char* how_fetched(bool complete) { return complete ? "completed" : "not completed"; }

// Deletes the rows of a scan, some at a time.
class RangeDeleter {
 public:
  // Where deleted keys are printed; nullptr: nowhere.
  RangeDeleter(Session& session, client::Table& table, std::string hash_key, std::ostream* to)
      : session_(session), table_(table), hash_key_(std::move(hash_key)), to_(to) {}

  Task<> run(client::Scanner& scanner) {
    while (true) {
      if (session_.stop_signal().requested()) co_return fail(Code::kInterrupted, "stopped");
      auto batch =
          CO_TRY(in_context(co_await scanner.next(session_.deadline()), "scan data failed"));
      if (!batch) break;
      for (const auto& row : batch->rows) {
        auto key = record::split_key(row.key);
        if (!key) co_return fail(Code::kProtocol, "a scan returned a malformed key");
        CO_TRY(co_await add(std::string(key->sort_key)));
      }
    }
    co_return co_await flush();
  }

  int64_t count() const { return count_; }

 private:
  static constexpr size_t kMostKeys = 100;
  static constexpr size_t kMostBytes = 256 << 10;  // servers take requests of a megabyte

  Task<> add(std::string sort_key) {
    bytes_ += sort_key.size();
    sort_keys_.push_back(std::move(sort_key));
    if (sort_keys_.size() >= kMostKeys || bytes_ >= kMostBytes) CO_TRY(co_await flush());
    co_return Result<void>();
  }

  Task<> flush() {
    if (sort_keys_.empty()) co_return Result<void>();
    auto deleted =
        CO_TRY(in_context(co_await table_.multi_del(hash_key_, sort_keys_, session_.deadline()),
                          "delete data failed"));
    count_ += deleted.count;
    if (to_)
      for (const auto& sort_key : sort_keys_)
        *to_ << "Deleted: " << quoted(session_, sort_key) << "\n";
    if (to_ && !*to_) co_return fail(Code::kIo, "the deleted sort keys cannot be written");
    sort_keys_.clear();
    bytes_ = 0;
    co_return Result<void>();
  }

  Session& session_;
  client::Table& table_;
  std::string hash_key_;
  std::ostream* to_;
  std::vector<std::string> sort_keys_;
  size_t bytes_ = 0;
  int64_t count_ = 0;
};

Outcome delete_range(Session& session, const RangeArguments& range, bool silent,
                     std::ofstream* file) {
  auto table = session.table();
  auto no_scanner = [&](const Error& error) {
    if (error.code() == Code::kNotFound) session.forget_table();
    session.err() << "ERROR: get scanner failed: " << data_error_text(error)
                  << "\n\nTerminated for error, 0 sort keys deleted.\n";
    return Outcome::kFailed;
  };
  if (!table) return no_scanner(table.error());
  client::ScanOptions options{.no_value = true};
  options.sort_key_filter = int(range.sort_key.match);
  options.sort_key_pattern = range.sort_key.pattern;
  auto scanner = (*table)->scan_hash_key(range.hash_key, range.start, range.stop,
                                         range.start_inclusive, range.stop_inclusive, options);
  if (!scanner) return no_scanner(scanner.error());
  std::ostream& rows = file ? *file : session.out();
  RangeDeleter deleter(session, **table, range.hash_key, silent ? nullptr : &rows);
  auto result = session.run(deleter.run(**scanner));
  if (!result) {
    data_failed(session, result.error());
    session.err() << "\nTerminated for error, " << deleter.count() << " sort keys deleted.\n";
    return Outcome::kFailed;
  }
  if (!file && !silent && deleter.count() > 0) session.out() << "\n";
  session.out() << "OK, " << deleter.count() << " sort keys deleted.\n";
  return Outcome::kDone;
}

}  // namespace

Outcome run_multi_get_range(Session& session, Words words) {
  auto options = Options::parse(words, kGetRangeOptions);
  if (!options) return wrong_usage(session, options.error());
  if (options->rest().size() != 3) return Outcome::kWrongUsage;
  auto range = parse_range(*options);
  if (!range) return wrong_usage(session, range.error());
  auto max_count = options->number('n', "max_count", -1);
  if (!max_count) return wrong_usage(session, max_count.error());
  bool no_value = options->has('i'), reverse = options->has('r');
  echo(session, *range);
  session.err() << "max_count: " << *max_count << "\nno_value: " << text_of(no_value)
                << "\nreverse: " << text_of(reverse) << "\n\n";
  auto table = session.table();
  if (!table) return data_failed(session, table.error());
  auto found =
      session.run((*table)->multi_get(range->hash_key,
                                      {.start_sort_key = range->start,
                                       .stop_sort_key = range->stop,
                                       .start_inclusive = range->start_inclusive,
                                       .stop_inclusive = range->stop_inclusive,
                                       .sort_key_filter = client::Filter(range->sort_key.match),
                                       .sort_key_pattern = range->sort_key.pattern,
                                       .max_rows = *max_count,
                                       .max_bytes = -1,
                                       .no_value = no_value,
                                       .reverse = reverse},
                                      session.deadline()));
  if (!found) return data_failed(session, found.error());
  for (const auto& row : found->rows) {
    session.out() << quoted(session, range->hash_key) << " : " << quoted(session, row.sort_key);
    if (!no_value) session.out() << " => " << quoted(session, row.value);
    session.out() << "\n";
  }
  if (!found->rows.empty()) session.out() << "\n";
  session.out() << found->rows.size() << " key-value pairs got, fetch "
                << how_fetched(found->complete) << ".\n";
  return done_at(session, found->info);
}

Outcome run_multi_get_sortkeys(Session& session, Words words) {
  if (words.size() != 1) return Outcome::kWrongUsage;
  auto table = session.table();
  if (!table) return data_failed(session, table.error());
  auto found = session.run((*table)->multi_get_sort_keys(words[0], -1, -1, session.deadline()));
  if (!found) return data_failed(session, found.error());
  for (const auto& sort_key : found->sort_keys) session.out() << quoted(session, sort_key) << "\n";
  session.out() << "\n"
                << found->sort_keys.size() << " sort keys got, fetch "
                << how_fetched(found->complete) << ".\n";
  return done_at(session, found->info);
}

Outcome run_multi_del_range(Session& session, Words words) {
  auto options = Options::parse(words, kDelRangeOptions);
  if (!options) return wrong_usage(session, options.error());
  if (options->rest().size() != 3) return Outcome::kWrongUsage;
  auto range = parse_range(*options);
  if (!range) return wrong_usage(session, range.error());
  std::ofstream file;
  if (const auto* name = options->value('o')) {
    file.open(*name, std::ios::binary);
    if (!file)
      return wrong_usage(
          session, Error(Code::kInvalidArgument, fmt::format("open filename {} failed", *name)));
  }
  bool silent = options->has('i');
  echo(session, *range);
  session.err() << "silent: " << text_of(silent) << "\n\n";
  auto outcome = delete_range(session, *range, silent, file.is_open() ? &file : nullptr);
  if (!file.is_open()) return outcome;
  file.close();
  if (file) return outcome;
  session.err() << "ERROR: cannot write file " << options->text('o') << "\n";
  return Outcome::kFailed;
}

}  // namespace pegmove::shell
