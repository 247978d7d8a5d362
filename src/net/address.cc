#include "net/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>

#include <memory>

#include "base/bytes.h"
#include "base/units.h"

namespace pegmove::net {

std::string Address::to_string() const { return host_port_of(*this).to_string(); }

HostPort host_port_of(Address address) {
  const auto ipv4 = address.ipv4;
  return {fmt::format("{}.{}.{}.{}", ipv4 >> 24, ipv4 >> 16 & 255, ipv4 >> 8 & 255, ipv4 & 255),
          address.port};
}

Result<HostPort> parse_host_port(std::string_view text) {
  auto wrong = [&](const char* why) {
    return fail(Code::kInvalidArgument,
                fmt::format("'{}' is not an address: {}; write it like 10.0.0.1:34601",
                            base::printable(text), why));
  };
  auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong("it has no port");
  auto host = text.substr(0, colon);
  if (host.empty()) return wrong("it has no host");
  if (host.find(':') != std::string_view::npos)
    return wrong("only IPv4 addresses and names are supported");
  for (char c : host)
    if (!std::isalnum(uint8_t(c)) && c != '.' && c != '-' && c != '_')
      return wrong("its host has a character that is not allowed in host names");
  auto port = base::parse_integer(text.substr(colon + 1), 1, 65535);
  if (!port) return wrong("its port is not a number from 1 to 65535");
  return HostPort{std::string(host), uint16_t(*port)};
}

Result<std::vector<HostPort>> parse_host_port_list(std::string_view text) {
  std::vector<HostPort> list;
  while (true) {
    auto comma = text.find(',');
    auto part = text.substr(0, comma);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    list.push_back(TRY(parse_host_port(part)));
    if (comma == std::string_view::npos) return list;
    text.remove_prefix(comma + 1);
  }
}

std::string list_text(const std::vector<HostPort>& list) {
  std::string text;
  for (const auto& each : list) text += (text.empty() ? "" : ",") + each.to_string();
  return text;
}

bool looks_like_addresses(std::string_view text) {
  return text.find(':') != std::string_view::npos;
}

Result<std::vector<Address>> look_up(const HostPort& host_port) {
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  int error = getaddrinfo(host_port.host.c_str(), nullptr, &hints, &found);
  std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  if (error != 0)
    return fail(Code::kUnreachable, fmt::format("host '{}' cannot be looked up: {}", host_port.host,
                                                gai_strerror(error)));
  std::vector<Address> addresses;
  for (auto* entry = found; entry; entry = entry->ai_next) {
    auto* ip = reinterpret_cast<sockaddr_in*>(entry->ai_addr);
    addresses.push_back({ntohl(ip->sin_addr.s_addr), host_port.port});
  }
  return addresses;
}

Result<uint32_t> parse_ipv4(std::string_view text) {
  in_addr parsed{};
  if (inet_pton(AF_INET, std::string(text).c_str(), &parsed) != 1)
    return fail(Code::kInvalidArgument,
                fmt::format("'{}' is not an IPv4 address", base::printable(text)));
  return ntohl(parsed.s_addr);
}

}  // namespace pegmove::net
