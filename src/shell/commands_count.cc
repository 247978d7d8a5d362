// count_data: how many rows a table has, by scans of all partitions at once.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <ostream>

#include "record/key.h"
#include "shell/handlers.h"
#include "shell/report.h"
#include "shell/row_statistics.h"
#include "shell/splits.h"
#include "shell/words.h"

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
constexpr int64_t kSecondsBetweenStates = 10;

struct CountArguments {
  SplitArguments splits{};
  bool diff_hash_key = false;
  bool stat_size = false;
  int32_t top_count = 0;
  int32_t run_seconds = 0;  // 0: to the end

  // Nothing but the number of rows is needed: their keys, since servers count foreign rows too.
  bool only_count() const {
    return !diff_hash_key && !stat_size && !splits.filters.need_rows_here();
  }
};

Result<CountArguments> parse_count_arguments(Session& session, const Options& options) {
  CountArguments count;
  count.top_count = TRY(options.number('n', "top_count", 0));
  count.run_seconds = TRY(options.number('r', "run_seconds", 0));
  count.diff_hash_key = options.has('d');
  count.stat_size = options.has('a');
  if (!options.has('c'))
    return fail(Code::kInvalidArgument,
                "you must input [-c|--precise] flag when you expect to get precise result by "
                "scaning all record online");
  count.splits = TRY(parse_split_arguments(session, options));
  if (count.top_count < 0)
    return fail(Code::kInvalidArgument, "top_count should be no less than 0");
  if (count.run_seconds < 0)
    return fail(Code::kInvalidArgument, "run_seconds should be no less than 0");
  return count;
}

void echo(Session& session, const CountArguments& count) {
  echo_split_arguments(session, count.splits);
  session.err() << "INFO: diff_hash_key = " << text_of(count.diff_hash_key)
                << "\nINFO: stat_size = " << text_of(count.stat_size)
                << "\nINFO: top_count = " << count.top_count
                << "\nINFO: run_seconds = " << count.run_seconds << "\n";
  if (count.only_count()) session.err() << "INFO: scanner only return kv count, not return value\n";
}

class Counter {
 public:
  Counter(Session& session, std::shared_ptr<client::Table> table, const CountArguments& count)
      : session_(session),
        count_(count),
        run_(session, std::move(table), count.splits),
        hash_keys_(run_.rows().size()),
        statistics_(size_t(count.top_count)) {}

  Outcome run() {
    run_.run_seconds = count_.run_seconds;
    run_.note = [this] { return hash_key_note(all_hash_keys()); };
    run_.each_second = [this](int64_t seconds) {
      if (count_.stat_size && seconds % kSecondsBetweenStates == 0)
        print_state(session_.err(), "partially");
    };
    client::ScanOptions options;
    options.no_value = !count_.stat_size && count_.splits.filters.value.match == Match::kAll;
    auto result = session_.run(run_.run(options, [this](size_t split, client::ScanBatch batch) {
      return take(split, std::move(batch));
    }));
    if (!result)
      session_.err() << "ERROR: error occurred, terminate processing\n";
    else if (run_.ran_out_of_time())
      session_.err() << "INFO: reached run seconds, terminate processing\n";
    print_state(session_.totals(), !result                  ? "terminated as error occurred"
                                   : run_.ran_out_of_time() ? "terminated as run time used out"
                                                            : "done");
    if (count_.stat_size) print_top();
    return result ? Outcome::kDone : Outcome::kFailed;
  }

 private:
  // The hash keys of a split, which come one behind the other.
  struct HashKeys {
    int64_t count = 0;
    std::optional<std::string> last;
  };

  Task<> take(size_t split, client::ScanBatch batch) {
    if (count_.only_count()) {
      run_.rows()[split] += int64_t(batch.rows.size());
      co_return Result<void>();
    }
    for (const auto& row : batch.rows) {
      auto key = record::split_key(row.key);
      if (!key) co_return fail(Code::kProtocol, "a scan returned a malformed key");
      if (!count_.splits.filters.accepts_rest(key->sort_key, row.value)) continue;
      ++run_.rows()[split];
      if (count_.stat_size) statistics_.add(key->hash_key, key->sort_key, row.value);
      if (auto& known = hash_keys_[split]; known.last != key->hash_key) {
        ++known.count;
        known.last = key->hash_key;
      }
    }
    co_return Result<void>();
  }

  int64_t all_hash_keys() const {
    int64_t count = 0;
    for (const auto& of_split : hash_keys_) count += of_split.count;
    return count;
  }

  std::string hash_key_note(int64_t hash_keys) const {
    if (!count_.diff_hash_key) return "";
    return fmt::format(" ({} hash keys)", hash_keys);
  }

  void print_state(std::ostream& to, std::string_view how) {
    for (size_t i = 0; i < hash_keys_.size(); ++i)
      session_.err() << "INFO: split[" << i << "]: " << run_.rows()[i] << " rows"
                     << hash_key_note(hash_keys_[i].count) << "\n";
    to << "Count " << how << ", total " << run_.total() << " rows."
       << hash_key_note(all_hash_keys()) << "\n";
    if (count_.stat_size) to << statistics_.to_text();
  }

  void print_top() {
    size_t place = 0;
    for (const auto& row : statistics_.top().rows()) {
      auto head = fmt::format("[top][{}].", ++place);
      session_.totals() << head << "hash_key = " << quoted(session_, row.hash_key) << "\n"
                        << head << "sort_key = " << quoted(session_, row.sort_key) << "\n"
                        << head << "row_size = " << row.size << "\n";
    }
  }

  Session& session_;
  const CountArguments& count_;
  SplitRun run_;
  std::vector<HashKeys> hash_keys_;
  RowStatistics statistics_;
};

}  // namespace

Outcome run_count_data(Session& session, Words words) {
  auto options = Options::parse(words, kCountOptions);
  if (!options) return wrong_usage(session, options.error());
  if (words.empty()) return run_count_estimate(session);
  auto count = parse_count_arguments(session, *options);
  if (!count) return wrong_usage(session, count.error());
  echo(session, *count);
  auto table = open_for_splits(session, count->splits);
  return table ? Counter(session, std::move(table), *count).run() : Outcome::kFailed;
}

}  // namespace pegmove::shell
