// The nodes of the cluster: how they are, what they hold, and how busy they are.
#include <algorithm>
#include <cmath>
#include <map>
#include <ostream>

#include "shell/handlers.h"
#include "shell/host_name.h"
#include "shell/metrics.h"
#include "shell/report.h"
#include "shell/session.h"

namespace pegmove::shell {
namespace {

constexpr OptionSpec kNodesOptions[] = {{'d', "detailed"},     {'j', "json"},
                                        {'r', "resolve_ip"},   {'u', "resource_usage"},
                                        {'o', "output", true}, {'s', "status", true},
                                        {'q', "qps"},          {'i', "sample_interval_ms", true}};
constexpr double kNsInMs = 1e6;

void append(const std::vector<std::string>& from, std::vector<std::string>& to) {
  to.insert(to.end(), from.begin(), from.end());
}

struct NodeRow {
  net::HostPort address;
  bool is_alive = false;
  std::vector<std::string> cells{};  // what was asked for besides
};

struct NodesView {
  bool detailed = false;
  bool resolve = false;
  bool usage = false;
  bool qps = false;
  std::string status;  // "", "all", "alive" or "unalive"
  async::milliseconds interval{};
};

// The rows of nodes, with their further columns.
struct NodesTable {
  std::vector<Column> columns;
  std::vector<NodeRow> rows;

  void add_columns(std::initializer_list<const char*> names) {
    for (const char* name : names) columns.push_back({name, Align::kRight});
  }
  // nullptr for a node that is not listed.
  NodeRow* find(const net::HostPort& address) {
    auto row = std::ranges::find(rows, address, &NodeRow::address);
    return row == rows.end() ? nullptr : &*row;
  }
  // Rows that got nothing, since their node is not alive, get zeros like in Pegasus.
  void fill(std::string_view zero) {
    for (auto& row : rows) row.cells.resize(columns.size(), std::string(zero));
  }
};

// Over all available tables.
Task<> add_replica_counts(std::shared_ptr<client::Cluster> cluster, NodesTable& nodes,
                          Deadline deadline) {
  std::map<std::string, std::pair<int64_t, int64_t>> counts;  // of primaries and secondaries
  auto tables = CO_TRY(co_await cluster->tables(client::ListedTables::kAvailable, deadline));
  for (const auto& table : tables) {
    auto config = co_await cluster->table_config(table.name, {}, deadline);
    if (!config && config.error().code() == Code::kNotFound) continue;  // dropped meanwhile
    if (!config) co_return fail(std::move(config).error());
    for (const auto& partition : config->partitions) {
      if (partition.primary.port != 0) ++counts[partition.primary.to_string()].first;
      for (const auto& node : partition.secondaries) ++counts[node.to_string()].second;
    }
  }
  nodes.add_columns({"replica_count", "primary_count", "secondary_count"});
  for (auto& row : nodes.rows) {
    auto [primaries, secondaries] = counts[row.address.to_string()];
    for (auto count : {primaries + secondaries, primaries, secondaries})
      row.cells.push_back(std::to_string(count));
  }
  co_return Result<void>();
}

int64_t percent(double part, double whole) {
  return whole == 0 ? 0 : whole_number(std::round(part * 100.0 / whole));
}

// One node's memory in MiB, then what is available of its disks in percent.
std::vector<std::string> usage_cells(const MetricsSample& sample) {
  std::map<std::string, double> sums;
  double total_mb = 0, available_mb = 0;
  int64_t least_percent = 100;
  for (const auto& entity : sample.entities) {
    for (const auto& [name, value] : entity.values) sums[name] += value;
    if (entity.type != "disk") continue;
    auto disk_mb = entity.value("disk_capacity_total_mb");
    auto disk_available_mb = entity.value("disk_capacity_avail_mb");
    total_mb += disk_mb;
    available_mb += disk_available_mb;
    least_percent = std::min(least_percent, percent(disk_available_mb, disk_mb));
  }
  std::vector<std::string> cells{std::to_string(whole_number(sums["resident_mem_usage_mb"]))};
  for (const char* bytes : {"rdb_block_cache_mem_usage_bytes", "rdb_wbm_total_mem_usage_bytes",
                            "rdb_wbm_mutable_mem_usage_bytes", "rdb_memtable_mem_usage_bytes",
                            "rdb_index_and_filter_blocks_mem_usage_bytes"})
    cells.push_back(std::to_string(whole_number(sums[bytes]) >> 20));
  cells.push_back(std::to_string(percent(available_mb, total_mb)));
  cells.push_back(std::to_string(least_percent));
  return cells;
}

Task<> add_usage(std::shared_ptr<client::Cluster> cluster, NodesTable& nodes, Deadline deadline) {
  MetricsQuery query{
      .types = {"server", "replica", "disk"},
      .names = {"resident_mem_usage_mb", "rdb_block_cache_mem_usage_bytes",
                "rdb_wbm_total_mem_usage_bytes", "rdb_wbm_mutable_mem_usage_bytes",
                "rdb_memtable_mem_usage_bytes", "rdb_index_and_filter_blocks_mem_usage_bytes",
                "disk_capacity_total_mb", "disk_capacity_avail_mb"}};
  auto samples = CO_TRY(co_await sample_nodes(cluster, query, "resource", deadline));
  nodes.add_columns({"memused_res_mb", "block_cache_mb", "wbm_total_mb", "wbm_mutable_mb",
                     "mem_tbl_mb", "mem_idx_mb", "disk_avl_total_ratio", "disk_avl_min_ratio"});
  for (const auto& [node, sample] : samples)
    if (auto* row = nodes.find(node)) append(usage_cells(sample), row->cells);
  nodes.fill("0");
  co_return Result<void>();
}

double sum_of(const MetricsSample& sample, std::string_view name) {
  double sum = 0;
  for (const auto& entity : sample.entities) sum += entity.value(name);
  return sum;
}

Task<> add_rates(std::shared_ptr<client::Cluster> cluster, NodesTable& nodes,
                 async::milliseconds interval) {
  static constexpr const char* kMetrics[] = {
      "get_requests", "multi_get_requests", "batch_get_requests",  "read_capacity_units",
      "put_requests", "multi_put_requests", "write_capacity_units"};
  MetricsQuery query{.types = {"replica"}, .names = {std::begin(kMetrics), std::end(kMetrics)}};
  auto samples = CO_TRY(co_await sample_nodes_twice(cluster, query, "rw requests", interval));
  nodes.add_columns(
      {"get_qps", "mget_qps", "bget_qps", "read_cu", "put_qps", "mput_qps", "write_cu"});
  for (const auto& both : samples) {
    auto* row = nodes.find(both.node);
    for (const char* metric : kMetrics) {
      if (!row) break;
      auto increase = sum_of(both.end, metric) - sum_of(both.start, metric);
      bool is_rate = std::string_view(metric).ends_with("requests");
      row->cells.push_back(format_double(is_rate ? increase / both.seconds() : increase));
    }
  }
  nodes.fill("0.00");
  co_return Result<void>();
}

Task<> add_latencies(std::shared_ptr<client::Cluster> cluster, NodesTable& nodes,
                     Deadline deadline) {
  MetricsQuery query{
      .field = "p99", .types = {"profiler"}, .names = {"profiler_server_rpc_latency_ns"}};
  auto samples = CO_TRY(co_await sample_nodes(cluster, query, "profiler latency", deadline));
  nodes.add_columns({"get_p99(ms)", "mget_p99(ms)", "bget_p99(ms)", "put_p99(ms)", "mput_p99(ms)"});
  for (const auto& [node, sample] : samples) {
    auto* row = nodes.find(node);
    if (!row) continue;
    std::map<std::string, double> by_task;
    for (const auto& entity : sample.entities)
      if (auto task = entity.attributes.find("task_name"); task != entity.attributes.end())
        by_task[task->second] = entity.value(query.names[0]);
    for (const char* task : {"GET", "MULTI_GET", "BATCH_GET", "PUT", "MULTI_PUT"})
      row->cells.push_back(format_double(by_task[std::string("RPC_RRDB_RRDB_") + task] / kNsInMs));
  }
  nodes.fill("0.00");
  co_return Result<void>();
}

Table details_table(const NodesTable& nodes, bool resolve) {
  std::vector<Column> columns{{"address"}, {"status"}};
  columns.insert(columns.end(), nodes.columns.begin(), nodes.columns.end());
  auto table = Table::with_columns("details", std::move(columns));
  for (const auto& row : nodes.rows) {
    std::vector<std::string> cells{node_text(row.address, resolve),
                                   row.is_alive ? "ALIVE" : "UNALIVE"};
    append(row.cells, cells);
    table.add_row(std::move(cells));
  }
  return table;
}

Table nodes_summary(const NodesTable& nodes) {
  auto alive = std::ranges::count(nodes.rows, true, &NodeRow::is_alive);
  auto table = Table::with_values("summary");
  table.add_value("total_node_count", std::to_string(nodes.rows.size()));
  table.add_value("alive_node_count", std::to_string(alive));
  table.add_value("unalive_node_count", std::to_string(int64_t(nodes.rows.size()) - alive));
  return table;
}

// Those of the status asked for, in order of their names.
Task<NodesTable> list_nodes(std::shared_ptr<client::Cluster> cluster, std::string status,
                            Deadline deadline) {
  NodesTable nodes;
  for (const auto& node : CO_TRY(co_await cluster->nodes(deadline)))
    if ((status != "alive" && status != "unalive") || node.is_alive == (status == "alive"))
      nodes.rows.push_back({node.address, node.is_alive});
  std::ranges::sort(nodes.rows, {}, [](const NodeRow& row) {
    return std::pair(row.address.host, row.address.port);
  });
  co_return nodes;
}

Task<TableSet> describe_nodes(std::shared_ptr<client::Cluster> cluster, NodesView view,
                              std::string out_file, Deadline deadline) {
  auto nodes = CO_TRY(co_await list_nodes(cluster, view.status, deadline));
  if (view.detailed) CO_TRY(co_await add_replica_counts(cluster, nodes, deadline));
  if (view.usage) CO_TRY(co_await add_usage(cluster, nodes, deadline));
  if (view.qps) {
    CO_TRY(co_await add_rates(cluster, nodes, view.interval));
    auto later = Deadline::in(cluster->client().clock(), async::milliseconds(10'000));
    CO_TRY(co_await add_latencies(cluster, nodes, later));
  }
  TableSet tables;
  if (!view.status.empty() || !out_file.empty()) {
    auto parameters = Table::with_values("parameters");
    if (!view.status.empty()) parameters.add_value("status", view.status);
    if (!out_file.empty()) parameters.add_value("out_file", out_file);
    tables.add(std::move(parameters));
  }
  tables.add(details_table(nodes, view.resolve));
  tables.add(nodes_summary(nodes));
  co_return tables;
}

}  // namespace

Outcome run_nodes(Session& session, Words words) {
  auto options = Options::parse(words, kNodesOptions);
  if (!options) return wrong_usage(session, options.error());
  auto interval = sample_interval(*options);
  if (!interval) return wrong_usage(session, interval.error());
  NodesView view{.detailed = options->has('d'),
                 .resolve = options->has('r'),
                 .usage = options->has('u'),
                 .qps = options->has('q'),
                 .status = options->text('s'),
                 .interval = *interval};
  if (options->has('s') && view.status != "all" && view.status != "alive" &&
      view.status != "unalive") {
    session.err() << "parse " << view.status << " as node_status::type failed\n";
    return Outcome::kWrongUsage;
  }
  auto report = report_options(*options);
  auto tables =
      session.run(describe_nodes(session.cluster(), view, report.file, session.meta_deadline()));
  if (tables) return print_tables(session, *tables, report);
  if (metrics_failed(session, tables.error())) return Outcome::kFailed;
  session.err() << "list nodes failed, error=" << meta_error_text(tables.error()) << "\n";
  return Outcome::kFailed;
}

}  // namespace pegmove::shell
