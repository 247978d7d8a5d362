#include "meta_view/cluster_view.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>
#include <vector>

namespace pegmove::meta_view {
namespace {

std::string two_decimals(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", value);
  return text;
}

}  // namespace

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

wire::configuration_cluster_info_response cluster_info(const ClusterFacts& facts) {
  // The same layout as in Pegasus.
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
  add("primary_replica_count_stddev", two_decimals(facts.primary_count_deviation));
  add("total_replica_count_stddev", two_decimals(facts.replica_count_deviation));
  add("cluster_name", facts.cluster_name);
  return response;
}

double balance_deviation(std::span<const int64_t> replicas_of_nodes) {
  std::vector<int64_t> counts(replicas_of_nodes.begin(), replicas_of_nodes.end());
  std::erase(counts, 0);
  if (counts.size() <= 1) return 0;
  const auto size = static_cast<double>(counts.size());
  double sum = 0;
  for (const auto count : counts) sum += double(count);
  const double mean = sum / size;
  double squares = 0;
  for (const auto count : counts) squares += (double(count) - mean) * (double(count) - mean);
  return std::sqrt(squares / size);
}

}  // namespace pegmove::meta_view
