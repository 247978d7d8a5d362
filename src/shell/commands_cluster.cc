// The cluster: its settings and its nodes.
#include <algorithm>
#include <map>
#include <ostream>

#include "shell/handlers.h"
#include "shell/host_name.h"
#include "shell/report.h"
#include "shell/session.h"

namespace pegmove::shell {
namespace {

constexpr OptionSpec kInfoOptions[] = {{'r', "resolve_ip"}, {'o', "output", true}, {'j', "json"}};
constexpr OptionSpec kNodesOptions[] = {{'d', "detailed"},     {'j', "json"},
                                        {'r', "resolve_ip"},   {'u', "resource_usage"},
                                        {'o', "output", true}, {'s', "status", true},
                                        {'q', "qps"},          {'i', "sample_interval_ms", true}};

struct ReplicaCounts {
  int64_t primaries = 0;
  int64_t secondaries = 0;
};
using CountsByNode = std::map<std::string, ReplicaCounts>;

// Over all available tables.
Task<CountsByNode> count_replicas(std::shared_ptr<client::Cluster> cluster, Deadline deadline) {
  CountsByNode counts;
  auto tables = CO_TRY(co_await cluster->tables(client::ListedTables::kAvailable, deadline));
  for (const auto& table : tables) {
    auto config = co_await cluster->table_config(table.name, {}, deadline);
    if (!config && config.error().code() == Code::kNotFound) continue;  // dropped meanwhile
    if (!config) co_return fail(std::move(config).error());
    for (const auto& partition : config->partitions) {
      if (partition.primary.port != 0) ++counts[partition.primary.to_string()].primaries;
      for (const auto& node : partition.secondaries) ++counts[node.to_string()].secondaries;
    }
  }
  co_return counts;
}

struct NodesView {
  bool detailed = false;
  bool resolve = false;
  std::string status;  // "", "all", "alive" or "unalive"
};

Table details_table(const std::vector<client::NodeInfo>& nodes, CountsByNode& counts,
                    const NodesView& view) {
  std::vector<Column> columns{{"address"}, {"status"}};
  if (view.detailed)
    for (const char* name : {"replica_count", "primary_count", "secondary_count"})
      columns.push_back({name, Align::kRight});
  auto table = Table::with_columns("details", std::move(columns));
  for (const auto& node : nodes) {
    std::vector<std::string> row{node_text(node.address, view.resolve),
                                 node.is_alive ? "ALIVE" : "UNALIVE"};
    if (view.detailed) {
      auto count = counts[node.address.to_string()];
      row.push_back(std::to_string(count.primaries + count.secondaries));
      row.push_back(std::to_string(count.primaries));
      row.push_back(std::to_string(count.secondaries));
    }
    table.add_row(std::move(row));
  }
  return table;
}

Table nodes_summary(const std::vector<client::NodeInfo>& nodes) {
  auto alive = std::ranges::count(nodes, true, &client::NodeInfo::is_alive);
  auto table = Table::with_values("summary");
  table.add_value("total_node_count", std::to_string(nodes.size()));
  table.add_value("alive_node_count", std::to_string(alive));
  table.add_value("unalive_node_count", std::to_string(int64_t(nodes.size()) - alive));
  return table;
}

// Those of the status asked for, in order of their names.
void select_nodes(std::vector<client::NodeInfo>& nodes, const std::string& status) {
  if (status == "alive" || status == "unalive")
    std::erase_if(nodes, [&](const auto& node) { return node.is_alive != (status == "alive"); });
  std::ranges::sort(nodes, {}, [](const client::NodeInfo& node) {
    return std::pair(node.address.host, node.address.port);
  });
}

Task<TableSet> describe_nodes(std::shared_ptr<client::Cluster> cluster, NodesView view,
                              std::string out_file, Deadline deadline) {
  auto nodes = CO_TRY(co_await cluster->nodes(deadline));
  CountsByNode counts;
  if (view.detailed) counts = CO_TRY(co_await count_replicas(cluster, deadline));
  select_nodes(nodes, view.status);
  TableSet tables;
  if (!view.status.empty() || !out_file.empty()) {
    auto parameters = Table::with_values("parameters");
    if (!view.status.empty()) parameters.add_value("status", view.status);
    if (!out_file.empty()) parameters.add_value("out_file", out_file);
    tables.add(std::move(parameters));
  }
  tables.add(details_table(nodes, counts, view));
  tables.add(nodes_summary(nodes));
  co_return tables;
}

}  // namespace

Outcome run_cluster_info(Session& session, Words words) {
  auto options = Options::parse(words, kInfoOptions);
  if (!options) return wrong_usage(session, options.error());
  auto pairs = session.run(session.cluster()->info(session.meta_deadline()));
  if (!pairs) {
    session.err() << "get cluster info failed, error=" << meta_error_text(pairs.error()) << "\n";
    return Outcome::kFailed;
  }
  auto table = Table::with_values("cluster_info");
  for (auto& [key, value] : *pairs) {
    bool has_nodes = key == "meta_servers" || key == "primary_meta_server";
    table.add_value(key, has_nodes ? node_list_text(value, options->has('r')) : value);
  }
  return print_table(session, table, report_options(*options));
}

Outcome run_nodes(Session& session, Words words) {
  auto options = Options::parse(words, kNodesOptions);
  if (!options) return wrong_usage(session, options.error());
  for (const char* letter : {"-u", "-q", "-i"})
    if (options->has(letter[1]))
      return not_supported(session, letter, "read /metrics of the replica servers over HTTP");
  NodesView view{options->has('d'), options->has('r'), options->text('s')};
  if (options->has('s') && view.status != "all" && view.status != "alive" &&
      view.status != "unalive") {
    session.err() << "parse " << view.status << " as node_status::type failed\n";
    return Outcome::kWrongUsage;
  }
  auto report = report_options(*options);
  auto tables =
      session.run(describe_nodes(session.cluster(), view, report.file, session.meta_deadline()));
  if (!tables) {
    session.err() << "list nodes failed, error=" << meta_error_text(tables.error()) << "\n";
    return Outcome::kFailed;
  }
  return print_tables(session, *tables, report);
}

}  // namespace pegmove::shell
