#include "migration/hot/preflight.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "client/node.h"
#include "inspect/server_answers.h"
#include "migration/assess_findings.h"
#include "migration/hot/cluster_side.h"

namespace pegmove::migration::hot {
namespace {

constexpr async::milliseconds kHotQuestion{5000};

Deadline question(const Ports& ports) { return Deadline::in(ports.clock, kHotQuestion); }

// How many connections the server has; real ones do not tell to whom. Pegasus: src/rpc/network.cpp.
Routine<std::optional<int64_t>> connections_of(const Ports& ports, client::Cluster& cluster,
                                               net::HostPort node) {
  const auto reply = co_await cluster.client().http_get(
      std::move(node),
      "/metrics?with_metric_fields=name,value&types=server&metrics=network_server_sessions",
      question(ports));
  if (!reply || reply->status != 200) co_return std::nullopt;
  const auto answer = inspect::parse_metrics(reply->body);
  if (!answer || answer->sum == 0) co_return std::nullopt;  // this very question has one
  co_return answer->sum;
}

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
    const auto connections = text ? co_await connections_of(ports, cluster, node) : std::nullopt;
    all.push_back({.node = node.to_string(),
                   .config = config ? std::optional(*config) : std::nullopt,
                   .silent = config ? "" : config.error().to_string(),
                   .connections = connections});
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

Routine<> ask_servers(const Ports& ports, client::Cluster& cluster, const HotSide& side,
                      inspect::SideFacts& facts, std::vector<MetaServerFacts>& metas) {
  facts.cluster = side.cluster;
  if (!side.is_embedded) metas = co_await ask_meta_servers(ports, cluster);
  const auto nodes = co_await cluster.nodes(question(ports));
  if (!nodes) {
    facts.unreachable = nodes.error();
    co_return;
  }
  for (const auto& node : *nodes) {
    if (!node.is_alive) continue;
    inspect::NodeFacts known;
    co_await inspect::probe_node(cluster.client(), node.address, 0, kHotQuestion,  // no result
                                 known);
    facts.nodes.push_back(std::move(known));
  }
}

// From the first reading on, until the time is over.
Routine<> measure_load(const Ports& ports, client::Cluster& cluster, const HotRequest& request,
                       Result<WriteReading> first, HotFacts& facts) {
  if (first) {
    const auto window = request.measured_for.count() > 0
                            ? request.measured_for
                            : usual_measured_for(request.source.is_embedded);
    co_await ports.clock.sleep_until(first->at + window);  // no result
    const auto last = co_await read_writes(cluster, request.source.table, question(ports));
    if (last)
      facts.load = load_between(*first, *last);
    else
      facts.load_error = last.error();
  } else {
    facts.load_error = first.error();
  }
  if (facts.load && facts.load->partitions == facts.load->silent) {
    facts.load.reset();
    facts.load_error = Error(Code::kUnreachable, "no server shows its counters (GET /metrics)");
  }
}

nlohmann::ordered_json json_of(const WriteLoad& load) {
  return {{"measured_ms", load.window.count()},
          {"writes", load.writes},
          {"writes_per_second", load.per_second()},
          {"atomic_writes", load.atomic},
          {"atomic_writes_since_start", load.atomic_since_start},
          {"partitions", load.partitions},
          {"silent_partitions", load.silent}};
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
  Result<WriteReading> first = fail(Code::kUnreachable, "the cluster was not reached");
  if (look.source) {
    first = co_await read_writes(*look.source, look.request.source.table, question(ports));
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
  if (look.source)
    co_await measure_load(ports, *look.source, look.request, std::move(first), facts);  // no result
  look.request.ships_in_batches = is_too_fast_to_ship(facts, look.request);
  look.findings = check_hot(facts, look.request);
  co_return look;
}

Routine<HotFacts> ask_configurations(const Ports& ports, client::Cluster& source,
                                     client::Cluster& target, const HotRequest& request) {
  HotFacts facts{.source_is_embedded = request.source.is_embedded,
                 .target_is_embedded = request.target.is_embedded};
  co_await ask_servers(ports, source, request.source, facts.inspection.source,  // no result
                       facts.source_metas);
  co_await ask_servers(ports, target, request.target, facts.inspection.target,  // no result
                       facts.target_metas);
  co_return facts;
}

runs::Assessment assessment_of(const HotPreflight& look) {
  auto assessment = assess(look.findings);
  assessment.checks_json = to_json(look);
  return assessment;
}

std::string to_json(const HotPreflight& look) {
  const auto& load = look.facts.load;
  const nlohmann::ordered_json json{{"can_begin", !look.findings.has_errors()},
                                    {"writes", load ? json_of(*load) : nlohmann::ordered_json()},
                                    {"ships_per_second", look.request.ships_per_second},
                                    {"ships_in_batches", look.request.ships_in_batches},
                                    {"no_direct_clients", look.request.no_direct_clients},
                                    {"findings", inspect::to_json(look.findings.all)}};
  return base::json_text(json, -1, base::NoUtf8::kReplace);
}

}  // namespace pegmove::migration::hot
