#include "relay/seal.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/json_fields.h"
#include "base/json_text.h"
#include "relay/ownership.h"

namespace pegmove::relay {
namespace {

constexpr async::milliseconds kBetweenQuestions{50};
constexpr int32_t kMostSourcePartitions = 1 << 16;

struct OwnerNode {
  net::HostPort address;
  int64_t epoch = 0;

  bool operator==(const OwnerNode&) const = default;
};

Error missing(int32_t partition, const std::string& what) {
  return Error(Code::kBusy, fmt::format("source partition {} {}", partition, what));
}

Task<int32_t> partitions_of(routes::Nodes& nodes, std::string folder, Deadline deadline) {
  const auto node = CO_TRY(co_await nodes.read(folder, deadline));
  if (!node)
    co_return fail(Code::kNotFound,
                   fmt::format("{} has no node {}: no relay has begun for these clusters and this "
                               "table; check their names and --relay-root",
                               nodes.description(), folder));
  const auto json = base::parse_json<nlohmann::json>(node->data);
  const auto fields = CO_TRY(base::JsonFields::of(json, "node " + folder));
  co_return fields.int32("partitions", 1, kMostSourcePartitions);
}

Task<std::vector<OwnerNode>> owners_of(routes::Nodes& nodes, std::string folder, int32_t partitions,
                                       Deadline deadline) {
  std::vector<OwnerNode> owners;
  for (int32_t i = 0; i < partitions; ++i) {
    const auto path = owner_path(folder, i);
    const auto node = CO_TRY(co_await nodes.read(path, deadline));
    if (!node) co_return fail(missing(i, "has no relay; start one with `pegmove relay`"));
    owners.push_back({CO_TRY(in_context(parse_owner(node->data), path)), node->epoch});
  }
  co_return owners;
}

// What one relay says of a partition that it owns.
Result<void> check_partition(const base::JsonFields& partition, int32_t index, int64_t epoch) {
  if (TRY(partition.integer("partition", 0, kMostSourcePartitions)) != index ||
      !TRY(partition.boolean("is_ours")) || TRY(partition.integer("epoch", 0, INT64_MAX)) != epoch)
    return fail(missing(index, "has another owner for its relay than in ZooKeeper"));
  if (TRY(partition.boolean("in_flight")))
    return fail(missing(index, "has a request in flight: " + TRY(partition.text("waits_for"))));
  if (!TRY(partition.boolean("may_forward")))
    return fail(missing(index, "is not safely owned yet: " + TRY(partition.text("waits_for"))));
  return {};
}

Result<void> check_relay(const std::string& text, const net::HostPort& relay,
                         const std::vector<OwnerNode>& owners) {
  const auto json = base::parse_json<nlohmann::json>(text);
  const auto fields =
      TRY(base::JsonFields::of(json, "GET /relay of " + relay.to_string(), Code::kProtocol));
  if (!TRY(fields.boolean("sealed")))
    return fail(Code::kBusy,
                fmt::format("the relay at {} has not seen the seal yet", relay.to_string()));
  const auto partitions = TRY(fields.objects("partitions"));
  if (partitions.size() != owners.size())
    return fail(Code::kProtocol, fmt::format("the relay at {} has {} partitions, not {}",
                                             relay.to_string(), partitions.size(), owners.size()));
  for (size_t i = 0; i < owners.size(); ++i)
    if (owners[i].address == relay)
      TRY(check_partition(partitions[i], int32_t(i), owners[i].epoch));
  return {};
}

}  // namespace

Task<SealReport> check_sealed(routes::Nodes& nodes, std::string folder, AskRelay ask,
                              Deadline deadline) {
  const auto partitions = CO_TRY(co_await partitions_of(nodes, folder, deadline));
  if (!CO_TRY(co_await nodes.read(seal_path(folder), deadline)))
    co_return fail(Code::kBusy, "the relays are not sealed");
  const auto owners = CO_TRY(co_await owners_of(nodes, folder, partitions, deadline));
  std::map<std::string, net::HostPort> relays;
  for (const auto& owner : owners) relays[owner.address.to_string()] = owner.address;
  for (const auto& [name, relay] : relays) {
    const auto text = CO_TRY(in_context(co_await ask(relay, deadline), "asking the relay " + name));
    CO_TRY(check_relay(text, relay, owners));
  }
  // A relay that took a partition over meanwhile has not waited for the one before it.
  if (CO_TRY(co_await owners_of(nodes, folder, partitions, deadline)) != owners)
    co_return fail(Code::kBusy, "partitions were taken over meanwhile");
  co_return SealReport{.partitions = partitions, .relays = int32_t(relays.size())};
}

Task<SealReport> seal(routes::Nodes& nodes, Clock& clock, std::string folder, AskRelay ask,
                      Deadline deadline) {
  CO_TRY(co_await partitions_of(nodes, folder, deadline));
  auto made = co_await nodes.create(seal_path(folder), "", deadline);
  if (!made && made.error().code() != Code::kAlreadyExists) co_return fail(std::move(made).error());
  while (true) {
    auto sealed = co_await check_sealed(nodes, folder, ask, deadline);
    if (sealed) co_return sealed;
    if (deadline.left(clock) <= kBetweenQuestions)
      co_return fail(
          Code::kTimeout,
          fmt::format("the relays are being sealed, but it is not proven that nothing is "
                      "in flight: {}; repeat the command, or lift the seal with --undo",
                      sealed.error().to_string()));
    co_await clock.sleep_for(kBetweenQuestions);  // no result
  }
}

Task<> unseal(routes::Nodes& nodes, std::string folder, Deadline deadline) {
  CO_TRY(co_await partitions_of(nodes, folder, deadline));
  co_return co_await nodes.remove(seal_path(folder), deadline);
}

}  // namespace pegmove::relay
