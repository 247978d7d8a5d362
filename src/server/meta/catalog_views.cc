#include "server/meta/catalog_views.h"

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pegmove::server::meta {
namespace {

using wire::ErrorCode;
using wire::pattern_match_type;

// Nothing when this kind of match is not to be had.
std::optional<bool> matches(std::string_view name, std::string_view pattern,
                            pattern_match_type type) {
  switch (type) {
    case pattern_match_type::PMT_MATCH_ALL: return true;
    case pattern_match_type::PMT_MATCH_EXACT: return name == pattern;
    case pattern_match_type::PMT_MATCH_ANYWHERE: return name.contains(pattern);
    case pattern_match_type::PMT_MATCH_PREFIX: return name.starts_with(pattern);
    case pattern_match_type::PMT_MATCH_POSTFIX: return name.ends_with(pattern);
    default: return std::nullopt;
  }
}

std::string name_of(pattern_match_type type) {
  const auto name = wire::_pattern_match_type_VALUES_TO_NAMES.find(type);
  return name == wire::_pattern_match_type_VALUES_TO_NAMES.end() ? "unknown" : name->second;
}

wire::partition_configuration configuration_of(const AppRecord& app, int32_t index,
                                               const NodeAddress* primary, HostPorts host_ports) {
  wire::partition_configuration configuration;
  configuration.pid.id = {.app_id = app.info.app_id, .partition_index = index};
  configuration.max_replica_count = app.info.max_replica_count;
  if (primary) {
    // Without primary the ballot stays 0: clients take any other for a partition that is served.
    configuration.ballot = app.partitions[static_cast<size_t>(index)].ballot;
    configuration.primary = primary->address;
  }
  if (host_ports == HostPorts::kInclude) {
    if (primary) configuration.__set_hp_primary(primary->host_port);
    configuration.__set_hp_secondaries({});
    configuration.__set_hp_last_drops({});
  }
  return configuration;
}

// Indices that exist, each once, in the order of the request: no answer is longer than the table.
std::vector<int32_t> wanted_indices(const std::vector<int32_t>& asked, size_t partition_count) {
  std::vector<int32_t> wanted;
  std::vector<bool> is_taken(partition_count);
  for (const int32_t index : asked) {
    if (index < 0 || static_cast<size_t>(index) >= partition_count) continue;
    const auto place = static_cast<size_t>(index);
    if (!is_taken[place]) wanted.push_back(index);
    is_taken[place] = true;
  }
  if (!wanted.empty()) return wanted;
  for (size_t index = 0; index < partition_count; ++index) {
    wanted.push_back(static_cast<int32_t>(index));
  }
  return wanted;
}

// The standard deviation of the partitions a node, over living nodes that have some.
double partition_count_deviation(const AppCatalog& catalog, std::span<const NodeAddress> nodes) {
  std::vector<double> counts(nodes.size());
  for (const auto& [id, app] : catalog.apps()) {
    if (!app.is_available()) continue;
    for (const auto& partition : app.partitions) {
      const auto node = static_cast<size_t>(partition.node);
      if (node < nodes.size() && nodes[node].is_alive) ++counts[node];
    }
  }
  std::erase(counts, 0.0);
  if (counts.size() <= 1) return 0;
  const auto size = static_cast<double>(counts.size());
  double sum = 0;
  for (const double count : counts) sum += count;
  const double mean = sum / size;
  double squares = 0;
  for (const double count : counts) squares += (count - mean) * (count - mean);
  return std::sqrt(squares / size);
}

std::string two_decimals(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", value);
  return text;
}

}  // namespace

HostPorts host_ports_for(const wire::RequestHead& head) {
  return head.framing == wire::Framing::kRdsn ? HostPorts::kInclude : HostPorts::kOmit;
}

wire::configuration_list_apps_response list_apps(
    const AppCatalog& catalog, const wire::configuration_list_apps_request& request) {
  wire::configuration_list_apps_response response;
  const bool has_pattern = request.__isset.app_name_pattern && request.__isset.match_type;
  if (has_pattern && !matches("", "", request.match_type)) {
    response.err.code = ErrorCode::kNotImplemented;
    response.__set_hint_message(
        "match_type is not supported: val=" + std::to_string(static_cast<int>(request.match_type)) +
        ", str=" + name_of(request.match_type));
    return response;
  }
  for (const auto& [id, app] : catalog.apps()) {
    const auto& info = app.info;
    const bool has_status =
        request.status == wire::app_status::AS_INVALID || request.status == info.status;
    const bool has_name =
        !has_pattern || *matches(info.app_name, request.app_name_pattern, request.match_type);
    if (has_status && has_name) response.infos.push_back(info);
  }
  return response;
}

wire::query_cfg_response query_config(const AppCatalog& catalog,
                                      const wire::query_cfg_request& request,
                                      std::span<const NodeAddress> nodes,
                                      const std::function<bool(Gpid)>& is_served,
                                      HostPorts host_ports) {
  wire::query_cfg_response response;
  const AppRecord* app = catalog.find(request.app_name);
  if (!app) {
    response.err.code = ErrorCode::kObjectNotFound;
    return response;
  }
  response.app_id = app->info.app_id;
  response.partition_count = app->info.partition_count;
  response.is_stateful = app->info.is_stateful;
  for (const int32_t index : wanted_indices(request.partition_indices, app->partitions.size())) {
    const auto node = static_cast<size_t>(app->partitions[static_cast<size_t>(index)].node);
    const bool has_primary = node < nodes.size() && nodes[node].is_alive &&
                             is_served({.app_id = app->info.app_id, .partition_index = index});
    response.partitions.push_back(
        configuration_of(*app, index, has_primary ? &nodes[node] : nullptr, host_ports));
  }
  return response;
}

wire::configuration_list_nodes_response list_nodes(
    const wire::configuration_list_nodes_request& request, std::span<const NodeAddress> nodes,
    HostPorts host_ports) {
  wire::configuration_list_nodes_response response;
  for (const bool alive : {true, false}) {
    const auto status = alive ? wire::node_status::NS_ALIVE : wire::node_status::NS_UNALIVE;
    if (request.status != wire::node_status::NS_INVALID && request.status != status) continue;
    for (const auto& node : nodes) {
      if (node.is_alive != alive) continue;
      wire::node_info info;
      info.status = status;
      info.node = node.address;
      if (host_ports == HostPorts::kInclude) info.__set_hp_node(node.host_port);
      response.infos.push_back(std::move(info));
    }
  }
  return response;
}

wire::configuration_cluster_info_response cluster_info(const AppCatalog& catalog,
                                                       const ClusterFacts& facts,
                                                       std::span<const NodeAddress> nodes) {
  // One replica a partition: all are primaries, so the two deviations are the same.
  const std::string deviation = two_decimals(partition_count_deviation(catalog, nodes));
  // No balancer, no operations; the text is laid out as Pegasus lays it out.
  const std::string operations =
      "{\n  \"copy_pri\": 0,\n  \"copy_sec\": 0,\n  \"move_pri\": 0,\n  \"total\": 0\n}";
  wire::configuration_cluster_info_response response;
  const auto add = [&response](std::string key, std::string value) {
    response.keys.push_back(std::move(key));
    response.values.push_back(std::move(value));
  };
  add("meta_servers", facts.meta_servers);
  add("primary_meta_server", facts.primary_meta_server);
  add("zookeeper_hosts", facts.zookeeper_hosts);
  add("zookeeper_root", facts.zookeeper_root);
  add("meta_function_level", facts.meta_function_level);
  add("balance_operation_count", operations);
  add("primary_replica_count_stddev", deviation);
  add("total_replica_count_stddev", deviation);
  add("cluster_name", facts.cluster_name);
  return response;
}

}  // namespace pegmove::server::meta
