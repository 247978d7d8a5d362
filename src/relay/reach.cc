#include "relay/reach.h"

#include <fmt/format.h>

#include <algorithm>

namespace pegmove::relay {
namespace {

bool is_loopback(const net::HostPort& at) {
  const auto ipv4 = net::parse_ipv4(at.host);
  return ipv4 ? *ipv4 >> 24 == 127 : at.host == "localhost";
}

}  // namespace

std::optional<std::string> why_out_of_reach(const net::HostPort& address,
                                            std::span<const net::HostPort> sources) {
  const auto away = std::ranges::find_if_not(sources, is_loopback);
  if (!is_loopback(address) || away == sources.end()) return std::nullopt;
  return fmt::format(
      "sources are given the address {}, which only this host can reach, and their server {} is "
      "elsewhere: give an address that it can reach with --listen, or with --address",
      address.to_string(), away->to_string());
}

}  // namespace pegmove::relay
