// copy_data: the current table's rows into a table that exists, perhaps on another cluster.
#include <limits>
#include <ostream>

#include "migration/copy/prepare_copy.h"
#include "rows/table_rows.h"
#include "shell/handlers.h"
#include "shell/report.h"
#include "shell/splits.h"
#include "shell/words.h"

namespace pegmove::shell {
namespace {

using rows::WriteMode;

constexpr OptionSpec kCopyOptions[] = {{'c', "target_cluster_name", true},
                                       {'a', "target_app_name", true},
                                       {'p', "partition", true},
                                       {'b', "max_batch_count", true},
                                       {'t', "timeout_ms", true},
                                       {'h', "hash_key_filter_type", true},
                                       {'x', "hash_key_filter_pattern", true},
                                       {'s', "sort_key_filter_type", true},
                                       {'y', "sort_key_filter_pattern", true},
                                       {'v', "value_filter_type", true},
                                       {'z', "value_filter_pattern", true},
                                       {'m', "max_multi_set_concurrency", true},
                                       {'o', "scan_option_batch_size", true},
                                       {'e', "no_ttl"},
                                       {'n', "no_overwrite"},
                                       {'i', "no_value"},
                                       {'g', "geo_data"},
                                       {'u', "use_multi_set"}};

struct CopyArguments {
  std::string to_cluster, to_table;
  SplitArguments splits{};
  int32_t most_multi_sets = 20;
  int32_t rows_a_scan = 100;
  bool no_ttl = false, no_overwrite = false, no_value = false, geo = false, multi_set = false;

  std::string geo_table() const { return to_table + "_geo"; }
  // Of those that exclude each other geo counts, as in Pegasus's shell.
  WriteMode mode() const {
    if (geo) return WriteMode::kGeo;
    if (multi_set) return WriteMode::kMultiSet;
    return no_overwrite ? WriteMode::kNoOverwrite : WriteMode::kPlain;
  }
};

std::unexpected<Error> wrong_copy(std::string text) {
  return fail(Code::kInvalidArgument, std::move(text));
}

// In the order in which Pegasus's shell finds what is wrong_copy.
Result<void> check(const CopyArguments& copy) {
  if (copy.to_cluster.empty()) return wrong_copy("target_cluster_name not specified");
  if (copy.to_table.empty()) return wrong_copy("target_app_name not specified");
  TRY(check_split_arguments(copy.splits));
  if (copy.no_value && copy.splits.filters.value.match != Match::kAll)
    return wrong_copy("no_value should not be set when value_filter_type is set");
  if (copy.most_multi_sets <= 0)
    return wrong_copy("max_multi_set_concurrency should be greater than 0");
  if (copy.multi_set && copy.no_overwrite)
    return wrong_copy("copy with multi_set not support no_overwrite!");
  // Pegasus's shell overwrites then.
  if (copy.geo && copy.no_overwrite)
    return wrong_copy("copy with geo_data not support no_overwrite!");
  return {};
}

Result<CopyArguments> parse_copy_arguments(Session& session, const Options& options) {
  CopyArguments copy{.to_cluster = options.text('c'), .to_table = options.text('a')};
  copy.splits = TRY(read_split_arguments(session, options));
  copy.most_multi_sets =
      TRY(options.number('m', "max_multi_set_concurrency", copy.most_multi_sets));
  copy.rows_a_scan = TRY(options.number('o', "scan_option_batch_size", copy.rows_a_scan));
  // As servers take it: as many as there are.
  if (copy.rows_a_scan <= 0) copy.rows_a_scan = std::numeric_limits<int32_t>::max();
  copy.no_ttl = options.has('e');
  copy.no_overwrite = options.has('n');
  copy.no_value = options.has('i');
  copy.geo = options.has('g');
  copy.multi_set = options.has('u');
  TRY(check(copy));
  return copy;
}

void echo(Session& session, const CopyArguments& copy) {
  auto& err = session.err();
  err << "INFO: source_cluster_name = " << session.cluster_word()
      << "\nINFO: source_app_name = " << session.settings().table
      << "\nINFO: target_cluster_name = " << copy.to_cluster
      << "\nINFO: target_app_name = " << copy.to_table << "\n";
  if (copy.geo) err << "INFO: target_geo_app_name = " << copy.geo_table() << "\n";
  if (copy.multi_set)
    err << "INFO: copy use asyncer_multi_set, max_multi_set_concurrency = " << copy.most_multi_sets
        << "\n";
  echo_split_choices(session, copy.splits);
  err << "INFO: no_overwrite = " << text_of(copy.no_overwrite)
      << "\nINFO: no_value = " << text_of(copy.no_value) << "\n";
}

// Says what failed, and why.
std::nullptr_t say(Session& session, std::string_view what, const Error& error) {
  session.err() << "ERROR: " << what << " failed: " << data_error_text(error) << "\n";
  return nullptr;
}

// A table of the target, which must be there and answer; else says why not.
std::shared_ptr<client::Table> open_target(Session& session,
                                           const std::shared_ptr<client::Cluster>& cluster,
                                           const std::string& name, std::string_view what) {
  auto table = session.run(client::Table::open(cluster, name, session.meta_deadline()));
  if (!table) return say(session, what, table.error());
  auto probed = session.run((*table)->exist("a", "b", session.deadline()));
  if (!probed) return say(session, what, probed.error());
  return *table;
}

// The tables of a copy. No source: something is wrong_copy and has been said.
struct CopyTables {
  std::shared_ptr<client::Table> source{}, target{}, geo{};
};

CopyTables open_tables(Session& session, const CopyArguments& copy) {
  auto& err = session.err();
  auto cluster = session.open_cluster(copy.to_cluster);
  if (!cluster) {
    err << "ERROR: get target app client failed: " << cluster.error().to_string() << "\n";
    return {};
  }
  CopyTables tables;
  tables.target = open_target(session, *cluster, copy.to_table, "test target app");
  if (!tables.target) return {};
  if (copy.geo) {
    tables.geo = open_target(session, *cluster, copy.geo_table(), "test target geo app");
    if (!tables.geo) return {};
  }
  auto source = session.table();
  if (!source) {
    if (source.error().code() == Code::kNotFound) session.forget_table();
    say(session, "open source app scanner", source.error());
    return {};
  }
  // Whatever names the clusters were given.
  for (auto* table : {tables.target.get(), tables.geo.get()})
    if (table && inspect::is_same_table(**source, *table)) {
      err << "ERROR: source app and target app is the same\n";
      return {};
    }
  tables.source = *source;
  return tables;
}

class Copier {
 public:
  Copier(SplitRun& run, const CopyTables& tables, const CopyArguments& copy)
      : run_(run),
        reading_(read_options(copy)),
        sink_(tables.target, write_options(tables, copy)) {}

  static rows::TableReadOptions read_options(const CopyArguments& copy) {
    return {.most_rows = copy.rows_a_scan,
            .filters = copy.splits.filters,
            .with_values = !copy.no_value,
            .with_expiry = !copy.no_ttl};
  }
  client::ScanOptions scanning() const { return rows::scan_options(reading_); }

  Task<> take(size_t split, client::ScanBatch scanned) {
    auto batch = CO_TRY(rows::take_rows(std::move(scanned), reading_));
    auto counts = CO_TRY(co_await sink_.write(batch));
    run_.rows()[split] += counts.written;
    expired_ += counts.expired;
    kept_ += counts.kept;
    not_geo_ += counts.not_geo;
    co_return Result<void>();
  }

  // What did not go as the count of rows lets one think.
  void print_left_out(std::ostream& to) const {
    if (expired_ > 0) to << "INFO: " << expired_ << " rows have expired on the way, not copied\n";
    if (kept_ > 0) to << "INFO: " << kept_ << " rows are in the target already, not overwritten\n";
    if (not_geo_ > 0)
      to << "WARN: " << not_geo_
         << " rows have no latitude and longitude in their values, copied without geo rows\n";
  }

 private:
  static rows::TableWriteOptions write_options(const CopyTables& tables,
                                               const CopyArguments& copy) {
    rows::TableWriteOptions options{.timeout = async::milliseconds(copy.splits.timeout_ms),
                                    .mode = copy.mode(),
                                    .most_rows_at_once = copy.splits.batch_size,
                                    .most_multi_sets = copy.most_multi_sets};
    if (tables.geo) options.geo = rows::GeoTarget{.table = tables.geo};
    return options;
  }

  SplitRun& run_;
  rows::TableReadOptions reading_;
  rows::TableSink sink_;
  int64_t expired_ = 0, kept_ = 0, not_geo_ = 0;
};

std::string_view failure_of(WriteMode mode) {
  if (mode == WriteMode::kNoOverwrite) return "async check and set failed";
  return mode == WriteMode::kMultiSet ? "async_multi_set set failed" : "async set failed";
}

Outcome copy_rows(Session& session, const CopyTables& tables, const CopyArguments& copy) {
  SplitRun run(session, tables.source, copy.splits);
  run.taking = failure_of(copy.mode());
  Copier copier(run, tables, copy);
  run.rows_a_scan = copier.scanning().batch_size;
  auto result =
      session.run(run.run(copier.scanning(), [&copier](size_t split, client::ScanBatch batch) {
        return copier.take(split, std::move(batch));
      }));
  auto& err = session.err();
  if (!result) err << "ERROR: error occurred, processing terminated\n";
  copier.print_left_out(err);
  for (size_t i = 0; i < run.rows().size(); ++i)
    err << "INFO: split[" << i << "]: " << run.rows()[i] << " rows\n";
  err << "\n";
  session.totals() << "Copy " << (result ? "done" : "terminated") << ", total " << run.total()
                   << " rows.\n";
  return result ? Outcome::kDone : Outcome::kFailed;
}

}  // namespace

Outcome run_copy_data(Session& session, Words words) {
  auto options = Options::parse(words, kCopyOptions);
  if (!options) return wrong_usage(session, options.error());
  auto copy = parse_copy_arguments(session, *options);
  if (!copy) return wrong_usage(session, copy.error());
  echo(session, *copy);
  if (copy->to_cluster == session.cluster_word() && copy->to_table == session.settings().table) {
    session.err() << "ERROR: source app and target app is the same\n";
    return Outcome::kFailed;
  }
  auto tables = open_tables(session, *copy);
  if (!tables.source || !prepare_splits(session, *tables.source, copy->splits, "source app"))
    return Outcome::kFailed;
  return copy_rows(session, tables, *copy);
}

}  // namespace pegmove::shell
