// What clients and tools are shown of the catalog and its cluster. Nothing here changes anything.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "base/ids.h"
#include "meta_types.h"
#include "server/meta/app_catalog.h"
#include "wire/frame.h"

namespace pegmove::server::meta {

// A node of the cluster as clients reach it; the catalog's node numbers are places in a list of
// these.
struct NodeAddress {
  wire::rpc_address address;
  wire::host_port host_port;
  bool is_alive = true;
};

// The hp_* fields of an answer. Clients in the RDSN framing need them; old ones in the THFT framing
// cannot skip them and fail, and none of those needs them.
enum class HostPorts { kOmit, kInclude };
HostPorts host_ports_for(const wire::RequestHead& head);

// RPC_CM_LIST_APPS: ascending ids, dropped tables too unless the status says otherwise. A pattern
// counts only together with its match type. Answers ERR_NOT_IMPLEMENTED with a hint for regular
// expressions and unknown match types.
// Pegasus: server_state::list_apps in src/meta/server_state.cpp, pattern_match in
// src/utils/strings.cpp.
wire::configuration_list_apps_response list_apps(
    const AppCatalog& catalog, const wire::configuration_list_apps_request& request);

// RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX: the partitions asked for, in that order, each once;
// indices that do not exist are passed over; all partitions when none is left. `is_served` says
// whether a partition's node serves it; one that is not served, or lives on a dead node, has no
// primary, no hp_primary and ballot 0. Answers ERR_OBJECT_NOT_FOUND for a table that does not exist
// or is dropped.
// Pegasus: server_state::query_configuration_by_index in src/meta/server_state.cpp.
wire::query_cfg_response query_config(const AppCatalog& catalog,
                                      const wire::query_cfg_request& request,
                                      std::span<const NodeAddress> nodes,
                                      const std::function<bool(Gpid)>& is_served,
                                      HostPorts host_ports);

// RPC_CM_LIST_NODES: those that are alive, then those that are not.
// Pegasus: meta_service::on_list_nodes in src/meta/meta_service.cpp.
wire::configuration_list_nodes_response list_nodes(
    const wire::configuration_list_nodes_request& request, std::span<const NodeAddress> nodes,
    HostPorts host_ports);

struct ClusterFacts {
  std::string cluster_name;
  std::string meta_servers;         // "127.0.0.1:34601", a comma between several
  std::string primary_meta_server;  // "host:port"; the shell looks it up in its own list
  std::string zookeeper_hosts;      // empty: the embedded cluster has none
  std::string zookeeper_root;
  std::string meta_function_level = "lively";
};

// RPC_CM_CLUSTER_INFO: keys and values in the order of Pegasus. The balance of the nodes counts
// available tables on living nodes that have partitions at all, as in Pegasus.
// Pegasus: meta_service::on_query_cluster_info in src/meta/meta_service.cpp,
// greedy_load_balancer::score in src/meta/greedy_load_balancer.cpp.
wire::configuration_cluster_info_response cluster_info(const AppCatalog& catalog,
                                                       const ClusterFacts& facts,
                                                       std::span<const NodeAddress> nodes);

}  // namespace pegmove::server::meta
