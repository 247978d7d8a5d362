// clear_data: deletes the rows that filters let through, or all.
#include <fmt/format.h>

#include <ostream>

#include "async/all.h"
#include "client/join_threshold.h"
#include "record/key.h"
#include "shell/handlers.h"
#include "shell/report.h"
#include "shell/splits.h"

namespace pegmove::shell {
namespace {

constexpr OptionSpec kClearOptions[] = {{'p', "partition", true},
                                        {'b', "max_batch_count", true},
                                        {'t', "timeout_ms", true},
                                        {'h', "hash_key_filter_type", true},
                                        {'x', "hash_key_filter_pattern", true},
                                        {'s', "sort_key_filter_type", true},
                                        {'y', "sort_key_filter_pattern", true},
                                        {'v', "value_filter_type", true},
                                        {'z', "value_filter_pattern", true},
                                        {'f', "force"}};
constexpr size_t kMostRequestBytes = 256 << 10;  // servers take a megabyte

// Sort keys of one hash key, in one request or one each.
struct Group {
  std::string hash_key;
  std::vector<std::string> sort_keys{};
  size_t bytes = 0;
};

class Clearer {
 public:
  Clearer(SplitRun& run, client::Table& table, const RowFilters& filters)
      : run_(run), table_(table), filters_(filters), joins_(table.cluster().client().clock()) {}

  Task<> take(size_t split, client::ScanBatch batch) {
    auto groups = CO_TRY(group(batch));
    client::JoinThreshold::Batch deleted(joins_);
    std::vector<Task<>> requests;
    for (auto& each : groups) {
      if (deleted.joins(each.sort_keys.size())) {
        requests.push_back(del(split, std::move(each)));
        continue;
      }
      for (auto& sort_key : each.sort_keys)
        requests.push_back(del(split, {each.hash_key, {std::move(sort_key)}}));
    }
    CO_TRY(co_await async::all(std::move(requests)));
    deleted.written();
    co_return Result<void>();
  }

 private:
  Result<std::vector<Group>> group(const client::ScanBatch& batch) const {
    std::vector<Group> groups;
    for (const auto& row : batch.rows) {
      auto key = record::split_key(row.key);
      if (!key) return fail(Code::kProtocol, "a scan returned a malformed key");
      if (!filters_.accepts_rest(key->sort_key, row.value)) continue;
      // Without a hash key each row may be of another partition, and goes alone.
      if (groups.empty() || key->hash_key.empty() || groups.back().hash_key != key->hash_key ||
          groups.back().bytes >= kMostRequestBytes)
        groups.push_back({std::string(key->hash_key)});
      groups.back().sort_keys.emplace_back(key->sort_key);
      groups.back().bytes += key->sort_key.size();
    }
    return groups;
  }

  Task<> del(size_t split, Group group) {
    auto count = int64_t(group.sort_keys.size());
    if (count == 1) {
      CO_TRY(co_await table_.del(group.hash_key, group.sort_keys[0], run_.deadline()));
    } else {
      CO_TRY(co_await table_.multi_del(group.hash_key, group.sort_keys, run_.deadline()));
    }
    run_.rows()[split] += count;
    co_return Result<void>();
  }

  SplitRun& run_;
  client::Table& table_;
  const RowFilters& filters_;
  client::JoinThreshold joins_;
};

Outcome clear(Session& session, std::shared_ptr<client::Table> table,
              const SplitArguments& arguments) {
  SplitRun run(session, table, arguments);
  run.taking = "async del failed";
  Clearer clearer(run, *table, arguments.filters);
  client::ScanOptions options{.no_value = arguments.filters.value.match == Match::kAll};
  auto result = session.run(run.run(options, [&](size_t split, client::ScanBatch batch) {
    return clearer.take(split, std::move(batch));
  }));
  auto& err = session.err();
  if (!result) err << "ERROR: error occurred, terminate processing\n";
  for (size_t i = 0; i < run.rows().size(); ++i)
    err << "INFO: split[" << i << "]: " << run.rows()[i] << " rows\n";
  err << "\n";
  session.totals() << "Clear " << (result ? "done" : "terminated") << ", total " << run.total()
                   << " rows.\n";
  return result ? Outcome::kDone : Outcome::kFailed;
}

}  // namespace

Outcome run_clear_data(Session& session, Words words) {
  auto options = Options::parse(words, kClearOptions);
  if (!options) return wrong_usage(session, options.error());
  auto arguments = parse_split_arguments(session, *options);
  if (!arguments) return wrong_usage(session, arguments.error());
  // Elsewhere such a pattern filters nothing, as in Pegasus; here that would clear the table.
  for (auto [type, pattern, name] :
       {std::tuple{'h', 'x', "hash_key"}, std::tuple{'s', 'y', "sort_key"},
        std::tuple{'v', 'z', "value"}})
    if (options->has(pattern) && !options->has(type))
      return wrong_usage(
          session,
          Error(Code::kInvalidArgument,
                fmt::format("{0}_filter_pattern without {0}_filter_type would clear everything",
                            name)));
  bool force = options->has('f');
  echo_split_arguments(session, *arguments);
  session.err() << "INFO: force = " << (force ? "true" : "false") << "\n";
  if (!force)
    return wrong_usage(session,
                       Error(Code::kInvalidArgument,
                             "be careful to clear data!!! Please specify --force if you are "
                             "determined to do."));
  auto table = open_for_splits(session, *arguments);
  return table ? clear(session, std::move(table), *arguments) : Outcome::kFailed;
}

}  // namespace pegmove::shell
