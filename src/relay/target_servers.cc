#include "relay/target_servers.h"

#include <algorithm>
#include <utility>

namespace pegmove::relay {
namespace {

using async::milliseconds;

constexpr milliseconds kServersQuestion{5'000};
constexpr milliseconds kRefusalCounts{5'000};

bool is_in(const std::vector<net::HostPort>& servers, const net::HostPort& server) {
  return std::ranges::find(servers, server) != servers.end();
}

}  // namespace

TargetServers::TargetServers(client::Client& client, std::vector<net::HostPort> metas,
                             ServerCheck check)
    : client_(client), cluster_(client, std::move(metas)), check_(std::move(check)) {}

Task<> TargetServers::refresh() {
  const auto nodes =
      CO_TRY(co_await cluster_.nodes(Deadline::in(client_.clock(), kServersQuestion)));
  std::vector<net::HostPort> alive;
  for (const auto& node : nodes)
    if (node.is_alive) alive.push_back(node.address);
  std::erase_if(servers_, [&](const auto& known) {
    return !known.second->is_being_checked && !is_in(alive, known.first);
  });
  alive_ = std::move(alive);
  co_return Result<void>();
}

Task<std::vector<net::HostPort>> TargetServers::all(std::vector<net::HostPort> members) {
  if (!alive_) CO_TRY(co_await refresh());
  for (const auto& server : *alive_)
    if (!is_in(members, server)) members.push_back(server);
  co_return members;
}

std::shared_ptr<TargetServers::Server> TargetServers::server_of(const net::HostPort& name) {
  auto& server = servers_[name];
  if (!server) server = std::make_shared<Server>();
  return server;
}

Task<> TargetServers::check(net::HostPort name) {
  if (!check_) co_return Result<void>();
  const auto server = server_of(name);
  while (server->is_being_checked) co_await server->checked.wait();  // no result
  if (server->is_checked) co_return Result<void>();
  const auto now = client_.clock().now();
  if (server->refusal && now < server->refused_at + kRefusalCounts)
    co_return fail(*server->refusal);
  server->is_being_checked = true;
  auto checked = co_await check_(name);
  server->is_being_checked = false;
  server->is_checked = checked.has_value();
  server->refusal = checked ? std::nullopt : std::optional(checked.error());
  server->refused_at = client_.clock().now();
  server->checked.notify_all();
  co_return checked;
}

void TargetServers::doubt(const net::HostPort& name) {
  const auto server = server_of(name);
  server->is_checked = false;
  server->refusal = std::nullopt;
}

}  // namespace pegmove::relay
