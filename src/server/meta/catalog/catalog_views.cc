#include "server/meta/catalog/catalog_views.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "meta_types.h"

namespace pegmove::server::meta {
namespace {

// Null: it is dead, or not there.
const NodeAddress* live_node(std::span<const NodeAddress> nodes, int32_t node) {
  const auto place = static_cast<size_t>(node);
  return place < nodes.size() && nodes[place].is_alive ? &nodes[place] : nullptr;
}

meta_view::TableView view_of(const AppCatalog& catalog, const AppRecord& app,
                             std::span<const NodeAddress> nodes,
                             const std::function<bool(Gpid)>& is_served) {
  meta_view::TableView view{.app_id = app.info.app_id,
                            .is_stateful = app.info.is_stateful,
                            .max_replica_count = app.info.max_replica_count};
  for (size_t index = 0; index < app.partitions.size(); ++index) {
    const auto& partition = app.partitions[index];
    const Gpid gpid{.app_id = app.info.app_id, .partition_index = static_cast<int32_t>(index)};
    meta_view::PartitionView shown{.ballot = partition.ballot};
    if (is_served(gpid)) shown.primary = live_node(nodes, partition.node);
    for (const auto node : catalog.secondaries_of(app, index))
      if (const auto* secondary = live_node(nodes, node)) shown.secondaries.push_back(secondary);
    view.partitions.push_back(std::move(shown));
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
  const auto view = view_of(catalog, *app, nodes, is_served);
  return meta_view::query_config(request, &view, host_ports);
}

wire::configuration_cluster_info_response cluster_info(const AppCatalog& catalog,
                                                       meta_view::ClusterFacts facts,
                                                       std::span<const NodeAddress> nodes) {
  std::vector<int64_t> primaries(nodes.size()), replicas(nodes.size());
  for (const auto& [id, app] : catalog.apps()) {
    if (!app.is_available()) continue;
    for (size_t index = 0; index < app.partitions.size(); ++index) {
      const auto primary = app.partitions[index].node;
      if (!live_node(nodes, primary)) continue;
      ++primaries[static_cast<size_t>(primary)];
      ++replicas[static_cast<size_t>(primary)];
      for (const auto node : catalog.secondaries_of(app, index))
        if (live_node(nodes, node)) ++replicas[static_cast<size_t>(node)];
    }
  }
  facts.primary_count_deviation = meta_view::balance_deviation(primaries);
  facts.replica_count_deviation = meta_view::balance_deviation(replicas);
  return meta_view::cluster_info(facts);
}

}  // namespace pegmove::server::meta
