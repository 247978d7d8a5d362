#include "migration/hot/preflight.h"

#include <fmt/format.h>

#include "client/node.h"
#include "migration/hot/cluster_side.h"

namespace pegmove::migration::hot {
namespace {

constexpr async::milliseconds kHotQuestion{5000};

Deadline question(const Ports& ports) { return Deadline::in(ports.clock, kHotQuestion); }

// An embedded cluster is one process with one configuration, which its replica servers show.
Routine<std::vector<MetaServerFacts>> ask_meta_servers(const Ports& ports,
                                                       client::Cluster& cluster) {
  std::vector<MetaServerFacts> all;
  std::string list = cluster.meta_list();
  const auto info = co_await cluster.info(question(ports));
  for (const auto& [key, value] : info.value_or(std::vector<std::pair<std::string, std::string>>()))
    if (key == "meta_servers") list = value;
  const auto nodes = net::parse_host_port_list(list);
  if (!nodes) {
    all.push_back({.node = list, .silent = nodes.error().to_string()});
    co_return all;
  }
  for (const auto& node : *nodes) {
    const auto text =
        co_await client::remote_command(cluster.client(), node, "config-dump", {}, question(ports));
    const auto config = text ? inspect::parse_config_dump(*text)
                             : Result<inspect::ServerConfig>(fail(text.error()));
    all.push_back({.node = node.to_string(),
                   .config = config ? std::optional(*config) : std::nullopt,
                   .silent = config ? "" : config.error().to_string()});
  }
  co_return all;
}

// As a client of the proxy asks.
Task<client::TableConfig> ask_through(const Ports& ports, std::string proxy, std::string table) {
  const auto cluster = CO_TRY(co_await ports.connect(proxy));
  if (!cluster->is_behind_proxy())
    co_return fail(Code::kInvalidArgument, proxy + " is no MetaProxy but a meta server");
  co_return co_await cluster->table_config(std::move(table), {}, question(ports));
}

Routine<> ask_zookeeper(const Ports& ports, const HotRequest& request, HotFacts& facts) {
  auto nodes = ports.open_nodes(request.zookeeper);
  if (!nodes) {
    facts.route_error = nodes.error();
    co_return;
  }
  auto route =
      co_await routes::read_route(**nodes, request.zk_root, request.source.table, question(ports));
  if (route)
    facts.route = *std::move(route);
  else
    facts.route_error = route.error();
}

// What a cluster says of itself.
Routine<> ask_kind(const Ports& ports, client::Cluster& cluster, const inspect::SideFacts& facts,
                   std::vector<MetaServerFacts>& metas, bool& embedded, HotSide& side) {
  const auto kind = co_await is_embedded(cluster, question(ports));
  embedded = kind.value_or(false);
  if (!embedded) metas = co_await ask_meta_servers(ports, cluster);
  side.metas = cluster.meta_list();
  side.cluster = cluster.name();
  side.is_embedded = embedded;
  side.name = name_in_group(facts, metas);
  if (side.name.empty()) side.name = side.cluster;
}

}  // namespace

// By their names and by their addresses: the original MetaProxy passes on only these.
std::set<std::string> primaries_in(const client::TableConfig& config) {
  std::set<std::string> primaries;
  for (const auto& partition : config.partitions) {
    if (partition.primary.port != 0) primaries.insert(partition.primary.to_string());
    if (partition.primary_address.port != 0)
      primaries.insert(partition.primary_address.to_string());
  }
  return primaries;
}

Routine<std::vector<ProxyFacts>> ask_proxies(const Ports& ports, const HotRequest& request) {
  std::vector<ProxyFacts> proxies;
  for (const auto& proxy : request.proxies) {
    ProxyFacts seen{.proxy = proxy};
    const auto config = co_await ask_through(ports, proxy, request.source.table);
    if (config) {
      seen.app_id = config->app_id;
      seen.primaries = primaries_in(*config);
    } else {
      seen.error = config.error();
    }
    proxies.push_back(std::move(seen));
  }
  co_return proxies;
}

Routine<HotPreflight> look_before_hot(const Ports& ports, inspect::Side source,
                                      inspect::Side target, HotRequest request) {
  auto gathered = co_await inspect::gather(std::move(source), std::move(target),
                                           {.table = request.source.table,
                                            .to_table = request.target.table,
                                            .timeout = request.timeout});
  HotPreflight look{.request = std::move(request),
                    .source = gathered.source_cluster,
                    .target = gathered.target_cluster};
  auto& facts = look.facts;
  facts.inspection = std::move(gathered.inspection);
  if (look.source) {
    co_await ask_kind(ports, *look.source, facts.inspection.source, facts.source_metas,
                      facts.source_is_embedded, look.request.source);  // no result
    const auto config =
        co_await look.source->table_config(look.request.source.table, {}, question(ports));
    if (config) facts.source_primaries = primaries_in(*config);
  }
  if (look.target)
    co_await ask_kind(ports, *look.target, facts.inspection.target, facts.target_metas,
                      facts.target_is_embedded, look.request.target);  // no result
  for (auto* side : {&look.request.source, &look.request.target})
    side->id = id_in_group(facts, side->name);
  if (look.request.has_relay() && !look.request.other.store.empty())
    if (const auto store = ports.get_store(look.request.other.store); !store)
      facts.store_error = store.error();
  co_await ask_zookeeper(ports, look.request, facts);  // no result
  facts.proxies = co_await ask_proxies(ports, look.request);
  look.findings = check_hot(facts, look.request);
  co_return look;
}

}  // namespace pegmove::migration::hot
