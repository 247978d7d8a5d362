// Names of hosts, for the option -r|--resolve_ip of the commands that show nodes.
#pragma once

#include <string>

#include "client/cluster.h"

namespace pegmove::shell {

// "host:port". With `resolve`, an IPv4 address becomes the name that the system has for it, if any
// (blocks for as long as that takes). Port 0 (nobody) gives "-".
std::string node_text(const net::HostPort& node, bool resolve);

// The same for "host:port,host:port"; parts that are none stay as they are.
std::string node_list_text(const std::string& nodes, bool resolve);

}  // namespace pegmove::shell
