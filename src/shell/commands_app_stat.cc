// app_stat: how busy tables, or the partitions of one, are, and what they take of disk and memory.
#include <algorithm>
#include <map>
#include <ostream>

#include "shell/handlers.h"
#include "shell/metrics.h"
#include "shell/report.h"
#include "shell/session.h"

namespace pegmove::shell {
namespace {

constexpr OptionSpec kStatOptions[] = {{'a', "app_name", true}, {'q', "only_qps"},
                                       {'u', "only_usage"},     {'j', "json"},
                                       {'o', "output", true},   {'i', "sample_interval_ms", true}};
constexpr int kDecimals = 3;
constexpr double kMiB = 1 << 20;

// What of two samples is shown.
enum class Kind { kRate, kIncrease, kLast };

struct StatMetric {
  std::string_view metric;
  Kind kind;
  const char* column;  // nullptr: for ratios alone
};
// In the order of the columns.
constexpr StatMetric kMetrics[] = {
    {"get_requests", Kind::kRate, "GET"},
    {"multi_get_requests", Kind::kRate, "MGET"},
    {"batch_get_requests", Kind::kRate, "BGET"},
    {"put_requests", Kind::kRate, "PUT"},
    {"multi_put_requests", Kind::kRate, "MPUT"},
    {"remove_requests", Kind::kRate, "DEL"},
    {"multi_remove_requests", Kind::kRate, "MDEL"},
    {"incr_requests", Kind::kRate, "INCR"},
    {"check_and_set_requests", Kind::kRate, "CAS"},
    {"check_and_mutate_requests", Kind::kRate, "CAM"},
    {"scan_requests", Kind::kRate, "SCAN"},
    {"read_capacity_units", Kind::kIncrease, "RCU"},
    {"write_capacity_units", Kind::kIncrease, "WCU"},
    {"read_expired_values", Kind::kIncrease, "expire"},
    {"read_filtered_values", Kind::kIncrease, "filter"},
    {"abnormal_read_requests", Kind::kIncrease, "abnormal"},
    {"throttling_delayed_write_requests", Kind::kIncrease, "delay"},
    {"throttling_rejected_write_requests", Kind::kIncrease, "reject"},
    {"rdb_total_sst_size_mb", Kind::kLast, "file_mb"},
    {"rdb_total_sst_files", Kind::kLast, "file_num"},
    {"rdb_memtable_mem_usage_bytes", Kind::kLast, "mem_tbl_mb"},
    {"rdb_index_and_filter_blocks_mem_usage_bytes", Kind::kLast, "mem_idx_mb"},
    {"rdb_block_cache_hit_count", Kind::kLast, nullptr},
    {"rdb_block_cache_total_count", Kind::kLast, nullptr},
    {"rdb_bloom_filter_seek_negatives", Kind::kLast, nullptr},
    {"rdb_bloom_filter_seek_total", Kind::kLast, nullptr},
    {"rdb_bloom_filter_point_lookup_true_positives", Kind::kLast, nullptr},
    {"rdb_bloom_filter_point_lookup_positives", Kind::kLast, nullptr},
    {"rdb_bloom_filter_point_lookup_negatives", Kind::kLast, nullptr},
};

// A table, or a partition of one.
struct StatRow {
  std::string name;
  int32_t app_id = 0;
  int32_t partition_count = 0;
  std::map<std::string_view, double> values{};  // by metric

  double of(std::string_view metric) const {
    auto found = values.find(metric);
    return found == values.end() ? 0 : found->second;
  }
  void add(const StatRow& other) {
    partition_count += other.partition_count;
    for (const auto& [metric, value] : other.values) values[metric] += value;
  }
};

// Where a partition's numbers count, and the node whose numbers they are.
struct Place {
  size_t row;
  net::HostPort primary;
};
using Places = std::map<Gpid, Place>;

void add_samples(const NodeSamples& samples, const Places& places, std::vector<StatRow>& rows) {
  auto add = [&](const MetricsSample& sample, bool is_start) {
    for (const auto& entity : sample.entities) {
      auto place = places.find(entity.partition());
      if (place == places.end() || place->second.primary != samples.node) continue;
      auto& values = rows[place->second.row].values;
      for (const auto& [metric, kind, column] : kMetrics) {
        if (is_start && kind == Kind::kLast) continue;
        auto value = entity.value(metric) / (kind == Kind::kRate ? samples.seconds() : 1);
        values[metric] += is_start ? -value : value;
      }
    }
  };
  add(samples.start, true);
  add(samples.end, false);
}

MetricsQuery stat_query(const std::vector<std::string>& attributes) {
  MetricsQuery query{.types = {"replica"}, .names = {}, .attributes = attributes};
  for (const auto& metric : kMetrics) query.names.push_back(metric.metric);
  return query;
}

// A row a table.
Task<std::vector<StatRow>> stat_tables(std::shared_ptr<client::Cluster> cluster,
                                       async::milliseconds interval, Deadline deadline) {
  auto tables = CO_TRY(co_await cluster->tables(client::ListedTables::kAvailable, deadline));
  std::vector<StatRow> rows;
  Places places;
  for (const auto& table : tables) {
    auto config = co_await cluster->table_config(table.name, {}, deadline);
    if (!config && config.error().code() == Code::kNotFound) continue;  // dropped meanwhile
    if (!config) co_return fail(std::move(config).error());
    for (size_t i = 0; i < config->partitions.size(); ++i)
      places[{table.app_id, int32_t(i)}] = {rows.size(), config->partitions[i].primary};
    rows.push_back({table.name, table.app_id, table.partition_count});
  }
  auto query = stat_query({});
  for (const auto& samples :
       CO_TRY(co_await sample_nodes_twice(cluster, query, "row data requests", interval)))
    add_samples(samples, places, rows);
  co_return rows;
}

// A row a partition.
Task<std::vector<StatRow>> stat_partitions(std::shared_ptr<client::Cluster> cluster,
                                           std::string table, async::milliseconds interval,
                                           Deadline deadline) {
  auto config = CO_TRY(co_await cluster->table_config(table, {}, deadline));
  std::vector<StatRow> rows;
  Places places;
  for (size_t i = 0; i < config.partitions.size(); ++i) {
    places[{config.app_id, int32_t(i)}] = {i, config.partitions[i].primary};
    rows.push_back({std::to_string(i)});
  }
  auto id = std::to_string(config.app_id);
  auto query = stat_query({"table_id", id});
  auto what = "row data requests for table(id=" + id + ")";
  for (const auto& samples : CO_TRY(co_await sample_nodes_twice(cluster, query, what, interval)))
    add_samples(samples, places, rows);
  co_return rows;
}

double ratio(double part, double whole) { return std::abs(whole) < 1e-6 ? 0 : part / whole; }

// What is shown of a metric: file_num without decimals, memory in MiB.
std::string cell(const StatRow& row, const StatMetric& metric) {
  auto value = row.of(metric.metric);
  if (metric.metric == "rdb_total_sst_files") return std::to_string(whole_number(value));
  if (metric.metric.ends_with("_bytes")) value /= kMiB;
  return format_double(value, kDecimals);
}

std::vector<double> ratios(const StatRow& row) {
  auto positives = row.of("rdb_bloom_filter_point_lookup_positives");
  auto negatives = row.of("rdb_bloom_filter_point_lookup_negatives");
  auto false_positives = positives - row.of("rdb_bloom_filter_point_lookup_true_positives");
  return {ratio(row.of("rdb_block_cache_hit_count"), row.of("rdb_block_cache_total_count")),
          ratio(row.of("rdb_bloom_filter_seek_negatives"), row.of("rdb_bloom_filter_seek_total")),
          ratio(negatives, negatives + positives),
          ratio(false_positives, false_positives + negatives)};
}

Table stat_table(const std::vector<StatRow>& rows, const Options& options) {
  bool has_tables = !options.has('a');
  auto is_shown = [&](const StatMetric& metric) {
    return metric.column && !options.has(metric.kind == Kind::kLast ? 'q' : 'u');
  };
  std::vector<Column> columns{{has_tables ? "app_name" : "pidx"}};
  auto add = [&](const char* name) { columns.push_back({name, Align::kRight}); };
  if (has_tables)
    for (const char* name : {"app_id", "pcount"}) add(name);
  for (const auto& metric : kMetrics)
    if (is_shown(metric)) add(metric.column);
  for (const char* name : {"hit_rate", "seek_n_rate", "point_n_rate", "point_fp_rate"}) add(name);
  auto table = Table::with_columns("app_stat", std::move(columns));
  for (const auto& row : rows) {
    std::vector<std::string> cells{row.name};
    if (has_tables)
      for (auto number : {row.app_id, row.partition_count}) cells.push_back(std::to_string(number));
    for (const auto& metric : kMetrics)
      if (is_shown(metric)) cells.push_back(cell(row, metric));
    for (auto value : ratios(row)) cells.push_back(format_double(value, kDecimals));
    table.add_row(std::move(cells));
  }
  return table;
}

}  // namespace

Outcome run_app_stat(Session& session, Words words) {
  auto options = Options::parse(words, kStatOptions);
  if (!options) return wrong_usage(session, options.error());
  auto interval = sample_interval(*options);
  if (!interval) return wrong_usage(session, interval.error());
  if (options->has('q') && options->has('u')) {
    session.err() << "ERROR: only_qps and only_usage should not be set at the same time\n";
    return Outcome::kFailed;
  }
  auto deadline = session.meta_deadline();
  auto rows = session.run(options->has('a') ? stat_partitions(session.cluster(), options->text('a'),
                                                              *interval, deadline)
                                            : stat_tables(session.cluster(), *interval, deadline));
  if (!rows) {
    if (!metrics_failed(session, rows.error()))
      session.err() << "ERROR: query app stat from server failed: " << meta_error_text(rows.error())
                    << "\n";
    return Outcome::kFailed;
  }
  rows->push_back({total_name(rows->size())});
  for (size_t i = 0; i + 1 < rows->size(); ++i) rows->back().add((*rows)[i]);
  return print_table(session, stat_table(*rows, *options), report_options(*options));
}

}  // namespace pegmove::shell
