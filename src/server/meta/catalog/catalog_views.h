// Read-only views of the catalog for clients and tools, as the answers that meta_view reads.
#pragma once

#include <functional>
#include <span>

#include "base/ids.h"
#include "meta_types.h"
#include "meta_view/cluster_view.h"
#include "meta_view/table_view.h"
#include "server/meta/catalog/app_catalog.h"

namespace pegmove::server::meta {

using meta_view::HostPorts;
using meta_view::NodeAddress;  // the catalog's node numbers are indexes of a list of these

// RPC_CM_LIST_APPS.
wire::configuration_list_apps_response list_apps(
    const AppCatalog& catalog, const wire::configuration_list_apps_request& request);

// RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX. `is_served` returns whether a partition's node serves it;
// one that is not served, or is on a dead node, has no primary. Secondaries on dead nodes are left
// out.
wire::query_cfg_response query_config(const AppCatalog& catalog,
                                      const wire::query_cfg_request& request,
                                      std::span<const NodeAddress> nodes,
                                      const std::function<bool(Gpid)>& is_served,
                                      HostPorts host_ports);

// RPC_CM_CLUSTER_INFO: with the balance of the nodes, which counts available tables on live nodes,
// as in Pegasus.
wire::configuration_cluster_info_response cluster_info(const AppCatalog& catalog,
                                                       meta_view::ClusterFacts facts,
                                                       std::span<const NodeAddress> nodes);

}  // namespace pegmove::server::meta
