#include "server/meta/catalog/catalog_views.h"

#include <cstdint>
#include <vector>

#include "meta_types.h"

namespace pegmove::server::meta {
namespace {

meta_view::TableView view_of(const AppRecord& app, std::span<const NodeAddress> nodes,
                             const std::function<bool(Gpid)>& is_served) {
  meta_view::TableView view{.app_id = app.info.app_id,
                            .is_stateful = app.info.is_stateful,
                            .max_replica_count = app.info.max_replica_count};
  for (const auto& partition : app.partitions) {
    const auto node = static_cast<size_t>(partition.node);
    const Gpid gpid{.app_id = app.info.app_id,
                    .partition_index = static_cast<int32_t>(view.partitions.size())};
    const bool has_primary = node < nodes.size() && nodes[node].is_alive && is_served(gpid);
    view.partitions.push_back(
        {.ballot = partition.ballot, .primary = has_primary ? &nodes[node] : nullptr});
  }
  return view;
}

}  // namespace

wire::configuration_list_apps_response list_apps(
    const AppCatalog& catalog, const wire::configuration_list_apps_request& request) {
  std::vector<const wire::app_info*> tables;
  for (const auto& [id, app] : catalog.apps()) tables.push_back(&app.info);
  return meta_view::list_apps(request, tables);
}

wire::query_cfg_response query_config(const AppCatalog& catalog,
                                      const wire::query_cfg_request& request,
                                      std::span<const NodeAddress> nodes,
                                      const std::function<bool(Gpid)>& is_served,
                                      HostPorts host_ports) {
  const AppRecord* app = catalog.find(request.app_name);
  if (!app) return meta_view::query_config(request, nullptr, host_ports);
  const auto view = view_of(*app, nodes, is_served);
  return meta_view::query_config(request, &view, host_ports);
}

wire::configuration_cluster_info_response cluster_info(const AppCatalog& catalog,
                                                       meta_view::ClusterFacts facts,
                                                       std::span<const NodeAddress> nodes) {
  std::vector<int64_t> partitions(nodes.size());
  for (const auto& [id, app] : catalog.apps()) {
    if (!app.is_available()) continue;
    for (const auto& partition : app.partitions) {
      const auto node = static_cast<size_t>(partition.node);
      if (node < nodes.size() && nodes[node].is_alive) ++partitions[node];
    }
  }
  // One replica per partition: all are primaries.
  facts.primary_count_deviation = facts.replica_count_deviation =
      meta_view::balance_deviation(partitions);
  return meta_view::cluster_info(facts);
}

}  // namespace pegmove::server::meta
