// Addresses of nodes: IPv4 and port, and their text form.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pegmove::net {

// An IPv4 address (host byte order) and a port; Pegasus has nothing else on the wire.
struct Address {
  uint32_t ipv4 = 0;
  uint16_t port = 0;

  auto operator<=>(const Address&) const = default;
  std::string to_string() const;  // "127.0.0.1:34601"
};

// A name or IPv4 address and a port, not looked up yet.
struct HostPort {
  std::string host;
  uint16_t port = 0;

  auto operator<=>(const HostPort&) const = default;
  std::string to_string() const { return host + ":" + std::to_string(port); }
};

// "host:port", and "host:port,host:port" for the meta servers of a cluster.
// Errors: kInvalidArgument, naming the wrong part.
Result<HostPort> parse_host_port(std::string_view text);
Result<std::vector<HostPort>> parse_host_port_list(std::string_view text);
std::string list_text(const std::vector<HostPort>& list);  // "host:port,host:port"

HostPort host_port_of(Address address);  // the host is the IPv4 address: "127.0.0.1"

// True when the text means addresses and not the name of a cluster: it has a colon.
bool looks_like_addresses(std::string_view text);

// The IPv4 addresses of a host, in the system's order. Blocks (a name may take seconds): HostNames
// calls it on a pool. Errors: kUnreachable, naming the host.
Result<std::vector<Address>> look_up(const HostPort& host_port);

// A dotted IPv4 address; no names. Errors: kInvalidArgument.
Result<uint32_t> parse_ipv4(std::string_view text);

}  // namespace pegmove::net

template <>
struct std::hash<pegmove::net::Address> {
  size_t operator()(const pegmove::net::Address& address) const noexcept {
    return std::hash<uint64_t>()(uint64_t(address.ipv4) << 16 | address.port);
  }
};
