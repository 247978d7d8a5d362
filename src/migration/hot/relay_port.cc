#include "migration/hot/relay_port.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "base/json_fields.h"
#include "base/json_text.h"
#include "relay/ownership.h"
#include "relay/seal.h"

namespace pegmove::migration::hot {
namespace {

constexpr int kHttpOk = 200;

}  // namespace

std::string relay_command(const RelayEnds& ends, const std::string& zookeeper) {
  auto command =
      fmt::format("pegmove relay --from {} --to {} --table {} --zookeeper {} --listen ADDRESS:PORT",
                  ends.from.metas, ends.to.metas, ends.from.table, zookeeper);
  if (ends.to.table != ends.from.table) command += " --to-table " + ends.to.table;
  if (ends.root != kUsualRelayRoot) command += " --relay-root " + ends.root;
  return command;
}

Result<std::unique_ptr<RelayPort>> RelayPort::open(routes::Nodes& nodes, Clock& clock,
                                                   std::shared_ptr<client::Cluster> cluster,
                                                   const RelayEnds& ends) {
  auto folder =
      TRY(relay::relay_folder(ends.root, ends.from.cluster, ends.from.table, ends.to.cluster));
  return std::unique_ptr<RelayPort>(
      new RelayPort(nodes, clock, std::move(cluster), std::move(folder), ends));
}

RelayPort::RelayPort(routes::Nodes& nodes, Clock& clock, std::shared_ptr<client::Cluster> cluster,
                     std::string folder, const RelayEnds& ends)
    : nodes_(nodes),
      clock_(clock),
      cluster_(std::move(cluster)),
      folder_(std::move(folder)),
      from_cluster_(ends.from.cluster),
      table_(ends.from.table),
      to_cluster_(ends.to.cluster),
      to_table_(ends.to.table) {}

Task<std::string> RelayPort::ask(net::HostPort relay, Deadline deadline) {
  auto answer = CO_TRY(co_await cluster_->client().http_get(std::move(relay), "/relay", deadline));
  if (answer.status != kHttpOk)
    co_return fail(Code::kProtocol, fmt::format("GET /relay: status {}", answer.status));
  co_return std::move(answer.body);
}

// What all relays of these clusters and this table have written down that they do.
Task<> RelayPort::check_duty(int32_t partitions, Deadline deadline) {
  const auto node = CO_TRY(co_await nodes_.read(folder_, deadline));
  if (!node)
    co_return fail(Code::kNotFound, fmt::format("{} has no node {}: no relay has begun",
                                                nodes_.description(), folder_));
  const auto json = base::parse_json<nlohmann::json>(node->data);
  const auto in = CO_TRY(base::JsonFields::of(json, "node " + folder_));
  const auto count = CO_TRY(in.integer("partitions", 1, INT32_MAX));
  const auto to_table = CO_TRY(in.text("to_table"));
  if (count != partitions || to_table != to_table_)
    co_return fail(
        Code::kRefused,
        fmt::format("node {} says that the relays take {} partitions to table '{}', and it must be "
                    "{} to table '{}': stop those relays, remove the node, and start others",
                    folder_, count, to_table, partitions, to_table_));
  if (CO_TRY(co_await nodes_.read(relay::seal_path(folder_), deadline)))
    co_return fail(
        Code::kRefused,
        fmt::format("the relays are sealed: `pegmove relay seal --undo --from {} --to {} "
                    "--table {}` removes the seal",
                    from_cluster_, to_cluster_, table_));
  co_return Result<void>();
}

// As the sending cluster asks.
Task<> RelayPort::check_config(std::vector<net::HostPort> relays, int32_t partitions,
                               Deadline deadline) {
  const auto poses =
      CO_TRY(co_await client::Cluster::connect(cluster_->client(), std::move(relays), deadline));
  const auto config = CO_TRY(co_await poses->table_config(table_, {}, deadline));
  if (config.partition_count != partitions)
    co_return fail(Code::kRefused,
                   fmt::format("the relay answers that table '{}' has {} partitions, and it has {}",
                               table_, config.partition_count, partitions));
  co_return Result<void>();
}

Task<> RelayPort::look(int32_t partitions, Deadline deadline) {
  CO_TRY(co_await check_duty(partitions, deadline));
  std::map<std::string, net::HostPort> relays;
  for (int32_t i = 0; i < partitions; ++i) {
    const auto path = relay::owner_path(folder_, i);
    const auto owner = CO_TRY(co_await nodes_.read(path, deadline));
    if (!owner) co_return fail(Code::kBusy, fmt::format("partition {} has no relay", i));
    const auto at = CO_TRY(in_context(relay::parse_owner(owner->data), path));
    relays.emplace(at.to_string(), at);
  }
  std::vector<net::HostPort> addresses;
  for (const auto& [name, relay] : relays) {
    const auto text = CO_TRY(in_context(co_await ask(relay, deadline), "the relay at " + name));
    const auto json = base::parse_json<nlohmann::json>(text);
    const auto in =
        CO_TRY(base::JsonFields::of(json, "GET /relay of the relay at " + name, Code::kProtocol));
    const auto problem = CO_TRY(in.text("problem"));
    if (!problem.empty())
      co_return fail(Code::kBusy, fmt::format("the relay at {}: {}", name, problem));
    addresses.push_back(relay);
  }
  co_return co_await check_config(std::move(addresses), partitions, deadline);
}

Task<int64_t> RelayPort::seal(Deadline deadline) {
  const auto ask_one = [this](net::HostPort relay, Deadline until) {
    return ask(std::move(relay), until);
  };
  CO_TRY(co_await relay::seal(nodes_, clock_, folder_, ask_one, deadline));
  co_return 0;
}

Task<> RelayPort::unseal(Deadline deadline) { return relay::unseal(nodes_, folder_, deadline); }

}  // namespace pegmove::migration::hot
