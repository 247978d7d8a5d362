#include "shell/host_name.h"

#include <arpa/inet.h>
#include <netdb.h>

namespace pegmove::shell {
namespace {

std::string name_of(const std::string& host) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) return host;
  char name[NI_MAXHOST];
  auto error = getnameinfo(reinterpret_cast<const sockaddr*>(&address), sizeof address, name,
                           sizeof name, nullptr, 0, NI_NAMEREQD);
  return error == 0 ? name : host;
}

}  // namespace

std::string node_text(const net::HostPort& node, bool resolve) {
  if (node.port == 0) return "-";
  return resolve ? net::HostPort{name_of(node.host), node.port}.to_string() : node.to_string();
}

std::string node_list_text(const std::string& nodes, bool resolve) {
  auto list = net::parse_host_port_list(nodes);
  if (!resolve || !list) return nodes;
  std::string text;
  for (const auto& node : *list) text += (text.empty() ? "" : ",") + node_text(node, true);
  return text;
}

}  // namespace pegmove::shell
