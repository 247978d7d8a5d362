// Where clients reach a node, and which fields of an answer contain that.
#pragma once

#include "wire/dsn_types.h"
#include "wire/frame.h"

namespace pegmove::meta_view {

struct NodeAddress {
  wire::rpc_address address;
  wire::host_port host_port;
  bool is_alive = true;
};

// The hp_* fields of an answer. Clients in the RDSN framing need them; old ones in the THFT framing
// cannot skip them and fail, and none of those needs them.
enum class HostPorts { kOmit, kInclude };
inline HostPorts host_ports_for(const wire::RequestHead& head) {
  return head.framing == wire::Framing::kRdsn ? HostPorts::kInclude : HostPorts::kOmit;
}

}  // namespace pegmove::meta_view
