// A meta server's answers about tables: for every process that acts as a cluster. They are made
// from plain structs, which the caller provides.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "meta_types.h"
#include "meta_view/node_address.h"

namespace pegmove::meta_view {

struct PartitionView {
  int64_t ballot = 1;                    // at least 1: clients read 0 as "not ready"
  const NodeAddress* primary = nullptr;  // null: it is not served now
  // Shown only beside a primary. Tools take a partition with fewer than max_replica_count - 1 as
  // unhealthy, and those that create a table wait for them.
  std::vector<const NodeAddress*> secondaries = {};
};

struct TableView {
  int32_t app_id = 0;
  bool is_stateful = true;
  int32_t max_replica_count = 1;
  std::vector<PartitionView> partitions = {};
};

// RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX: the requested partitions, in that order, each once;
// indices that do not exist are ignored; all partitions when none is left. One that has no primary
// has no hp_primary, no secondaries, and ballot 0. For null (the table does not exist or is
// dropped): answers ERR_OBJECT_NOT_FOUND. Pegasus: server_state::query_configuration_by_index in
// src/meta/server_state.cpp.
wire::query_cfg_response query_config(const wire::query_cfg_request& request,
                                      const TableView* table, HostPorts host_ports);

// RPC_CM_LIST_APPS: the tables that the request selects, in their order: by ascending id, as real
// servers answer, including dropped tables unless the status excludes them. A pattern is used only
// together with its match type. Answers ERR_NOT_IMPLEMENTED with a hint for regular expressions and
// unknown match types. Pegasus: server_state::list_apps in src/meta/server_state.cpp, pattern_match
// in src/utils/strings.cpp.
wire::configuration_list_apps_response list_apps(
    const wire::configuration_list_apps_request& request,
    std::span<const wire::app_info* const> tables);

}  // namespace pegmove::meta_view
