// Which cluster serves a table, as MetaProxy's nodes in ZooKeeper say it: node ROOT/TABLE, with
// JSON. Pegasus: pegasus-kv/meta-proxy (meta/client.go, zookeeper.go), and admin-cli's
// table-migrator, which writes the nodes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/address.h"

namespace pegmove::routes {

struct Route {
  std::string cluster;  // its own name
  std::vector<net::HostPort> metas;

  bool operator==(const Route&) const = default;
  std::string metas_text() const;  // "10.0.0.1:34601,10.0.0.2:34601"
};

// {"cluster_name": "c", "meta_addrs": "h1:p1,h2:p2"}; other fields are ignored, as in the original.
// Unlike there one address is enough, and blanks around an address are allowed. Errors: kCorrupt,
// with what is wrong and what is right.
Result<Route> parse_route(std::string_view json);

// The text as table-migrator writes it, byte for byte: `{"cluster_name": "c", "meta_addrs": "a"}`.
std::string route_text(const Route& route);

// The parent of all nodes: "/pegasus-cluster", without a slash at its end ("/" itself is "").
// Errors: kInvalidArgument.
Result<std::string> check_root(std::string_view root);

// ROOT/TABLE. Errors: kInvalidArgument for a name that no node can have.
Result<std::string> node_path(const std::string& root, std::string_view table);

}  // namespace pegmove::routes
