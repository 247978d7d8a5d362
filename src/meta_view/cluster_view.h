// A meta server's answers about its cluster and nodes: for every process that acts as a cluster.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "meta_types.h"
#include "meta_view/node_address.h"

namespace pegmove::meta_view {

// RPC_CM_LIST_NODES: live nodes, then dead ones. Pegasus: meta_service::on_list_nodes in
// src/meta/meta_service.cpp.
wire::configuration_list_nodes_response list_nodes(
    const wire::configuration_list_nodes_request& request, std::span<const NodeAddress> nodes,
    HostPorts host_ports);

struct ClusterFacts {
  std::string cluster_name;
  std::string meta_servers;         // "127.0.0.1:34601", separated by commas
  std::string primary_meta_server;  // "host:port"; the shell looks it up in its own list
  std::string zookeeper_hosts = {};
  std::string zookeeper_root = {};
  std::string meta_function_level = "lively";
  double primary_count_deviation = 0;  // balance_deviation() of primaries per node
  double replica_count_deviation = 0;  // and of all replicas
};

// RPC_CM_CLUSTER_INFO: keys and values in the order of Pegasus. No balancer, no operations.
// Pegasus: meta_service::on_query_cluster_info in src/meta/meta_service.cpp.
wire::configuration_cluster_info_response cluster_info(const ClusterFacts& facts);

// The standard deviation of replicas per node, over the nodes that have some. Pegasus:
// greedy_load_balancer::score in src/meta/greedy_load_balancer.cpp.
double balance_deviation(std::span<const int64_t> replicas_of_nodes);

}  // namespace pegmove::meta_view
