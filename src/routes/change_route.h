// Reading and changing the route of one table: what `pegmove routes` and a cutover do.
#pragma once

#include "routes/nodes.h"
#include "routes/route.h"

namespace pegmove::routes {

// A table's node, good or not.
struct RouteNode {
  std::string table;
  std::string path;
  Node node;
  std::optional<Route> route{};  // nullopt: `problem` says what is wrong with the node's data
  std::string problem{};
};

// Errors: those of Nodes::read(); kNotFound, naming the node and what to do; kInvalidArgument for
// a name that no node can have.
Task<RouteNode> read_route(Nodes& nodes, std::string root, std::string table, Deadline deadline);
// All below the root, by table. Errors: also kNotFound for the root.
Task<std::vector<RouteNode>> list_routes(Nodes& nodes, std::string root, Deadline deadline);

struct RouteChange {
  std::string table;
  Route to;
  // The version that the node must have; nullopt: the one that it is found with.
  std::optional<int32_t> version{};
  bool may_create = false;  // if there is no node yet
};

struct ChangedRoute {
  std::optional<RouteNode> before{};  // nullopt: the node was created
  int32_t version = 0;                // now
};

// Replaces the node's data by compare-and-set on its version. A lost connection leaves it open
// whether that was done: the node is read again, and decides. May be repeated: with `version` given
// a second call is refused. Errors: kBusy when the node has another version, or gets one meanwhile:
// nothing was changed; kNotFound; kUnreachable and kTimeout, saying what is known.
Task<ChangedRoute> change_route(Nodes& nodes, Clock& clock, std::string root, RouteChange change,
                                Deadline deadline);

}  // namespace pegmove::routes
