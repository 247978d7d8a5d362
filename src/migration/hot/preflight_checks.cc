#include "migration/hot/preflight_checks.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/table_name.h"
#include "base/units.h"
#include "inspect/server_checks.h"
#include "inspect/table_checks.h"
#include "inspect/table_limits.h"

namespace pegmove::migration::hot {
namespace {

using inspect::Findings;
using inspect::ServerConfig;
using inspect::SideFacts;

constexpr const char* kFollowerEnvs = "duplication.";
// Real sources read their log every 100 ms: so much later a write arrives at least.
constexpr int64_t kShippingDelayUs = 100'000;

struct KnownConfig {
  std::string where;
  const ServerConfig* config;
};

std::vector<KnownConfig> configs_of(const SideFacts& side,
                                    const std::vector<MetaServerFacts>& metas) {
  std::vector<KnownConfig> configs;
  for (const auto& meta : metas)
    if (meta.config)
      configs.push_back(
          {fmt::format("meta server {} of cluster {}", meta.node, side.cluster), &*meta.config});
  for (const auto& node : side.nodes)
    if (node.config)
      configs.push_back(
          {fmt::format("replica server {} of cluster {}", node.node, side.cluster), &*node.config});
  return configs;
}

// All names that need an id: a relay is a cluster to the one that ships to it.
std::vector<std::string> group_names(const HotRequest& request) {
  std::vector<std::string> names{request.source.name, request.target.name};
  for (const auto& relay : {request.other.relay, request.other.relay_back})
    if (!relay.empty()) names.push_back(relay);
  return names;
}

// The ids that any server has; the clusters of a group without ids get free ones.
std::map<std::string, int> known_ids(const std::vector<KnownConfig>& configs,
                                     const std::vector<std::string>& names) {
  std::map<std::string, int> ids;
  std::set<int> used;
  for (const auto& [where, config] : configs)
    for (const auto& name : names)
      if (const auto id = config->id_of(name)) used.insert(ids.emplace(name, *id).first->second);
  for (const auto& name : names) {
    int free = 1;
    while (used.contains(free)) ++free;
    if (ids.emplace(name, free).second) used.insert(free);
  }
  return ids;
}

// What the servers of one side must have in their configuration.
struct GroupNeeds {
  std::string cluster{};             // for people
  std::string own{};                 // the side's name
  std::vector<std::string> names{};  // with ids: itself, who it gets writes from, where it ships to
  std::string remote{};              // the one with an address; "": it ships to nobody
  std::string remote_address{};
  bool waits = false;  // the run waits for the restart
};

// A relay is a cluster of its own to those that ship to it; what it writes has the id of the
// cluster that it comes from.
GroupNeeds needs_of(const HotRequest& request, bool of_source) {
  const auto& own = of_source ? request.source : request.target;
  const auto& other = of_source ? request.target : request.source;
  GroupNeeds needs{.cluster = own.cluster,
                   .own = own.name,
                   .names = {own.name, other.name},
                   .remote = other.name,
                   .remote_address = other.metas,
                   .waits = request.waits_for_restart()};
  if (!request.has_relay()) return needs;
  needs.remote = of_source ? request.other.relay : request.other.relay_back;
  needs.remote_address = "ADDRESS:PORT of each relay";
  if (of_source && !request.has_way_back()) needs.names = {own.name};
  if (!needs.remote.empty()) needs.names.push_back(needs.remote);
  return needs;
}

// What the operator has to add to the configuration of one side's servers.
std::string ini_lines(const std::map<std::string, int>& ids, const GroupNeeds& needs) {
  auto text = fmt::format(
      "add to the configuration of the meta and replica servers of cluster {}, and restart them, "
      "one after the other{}:\n    [duplication-group]",
      needs.cluster,
      needs.waits ? "; the run waits for it"
                  : ", then start again; with --wait-for-restart 1h the run waits for it");
  for (const auto& name : needs.names) text += fmt::format("\n    {} = {}", name, ids.at(name));
  if (!needs.remote.empty())
    text +=
        fmt::format("\n\n    [pegasus.clusters]\n    {} = {}", needs.remote, needs.remote_address);
  return text;
}

void check_group_of(const KnownConfig& known, const std::map<std::string, int>& ids,
                    const GroupNeeds& needs, bool is_embedded, Findings& findings) {
  const auto& config = *known.config;
  std::string missing;
  for (const auto& name : needs.names) {
    const auto id = config.id_of(name);
    if (!id && (name == needs.own || !config.ignores_other_ids))
      missing += fmt::format("{}[duplication-group] has no id of cluster {}",
                             missing.empty() ? "" : "; ", name);
    if (id && *id != ids.at(name))
      findings.error(Code::kRefused, "duplication-id",
                     fmt::format("its [duplication-group] has {} = {}, and other servers have {}",
                                 name, *id, ids.at(name)),
                     known.where, "use one id for a cluster everywhere, and restart the servers");
  }
  if (!is_embedded && !needs.remote.empty() && !config.clusters.contains(needs.remote))
    missing += fmt::format("{}[pegasus.clusters] has no address of cluster {}",
                           missing.empty() ? "" : "; ", needs.remote);
  if (!missing.empty())
    findings.error(Code::kRefused, "duplication-config",
                   missing +
                       "; a server that gets writes from a cluster that it does not know "
                       "makes the sending servers abort",
                   known.where, ini_lines(ids, needs));
}

void check_silent_servers(const SideFacts& side, const std::vector<MetaServerFacts>& metas,
                          Findings& findings) {
  for (const auto& meta : metas)
    if (!meta.config)
      findings.error(Code::kUnreachable, "config-unknown",
                     "it does not show its configuration: " + meta.silent,
                     fmt::format("meta server {} of cluster {}", meta.node, side.cluster),
                     "start it, or take it out of the cluster");
  for (const auto& node : side.nodes)
    if (!node.config)
      findings.error(Code::kUnreachable, "config-unknown", "it does not show its configuration",
                     fmt::format("replica server {} of cluster {}", node.node, side.cluster),
                     "start it, or take it out of the cluster");
}

void check_data_version(const SideFacts& side, Findings& findings) {
  std::set<int> versions;
  for (const auto& node : side.nodes)
    for (const auto& [partition, version] : node.data_versions) versions.insert(version);
  if (versions == std::set<int>{1}) return;
  findings.error(Code::kUnsupported, "data-version",
                 versions.empty() ? "its data version is not known"
                                  : "not all of its rows have a time of writing (data version 0)",
                 side.place(),
                 "only tables of data version 1 can be duplicated; `pegmove copy` moves others");
}

void check_source_envs(const SideFacts& source, Findings& findings) {
  findings.add(
      inspect::check_denied(source.info->envs, {.reads = true, .writes = true}, source.place()));
  for (const auto& throttle : inspect::throttles_of(source.info->envs, inspect::Access::kWrites))
    if (throttle.value.contains("delay"))
      findings.error(Code::kRefused, "throttle",
                     fmt::format("{} = {}: the target table gets it, too, and would delay shipped "
                                 "writes: {}",
                                 throttle.env, throttle.value, throttle.leaves),
                     source.place(), "delete the env, or use `reject` instead of `delay`");
  for (const auto& [name, value] : source.info->envs)
    if (name.starts_with(kFollowerEnvs))
      return findings.error(
          Code::kRefused, "was-follower",
          fmt::format("it has the env {}, since a duplication has made it: the target would ask "
                      "the wrong cluster for its rows",
                      name),
          source.place(),
          "when that duplication is over, delete all its envs that begin with `duplication.`");
}

void check_new_table(const HotFacts& facts, const HotRequest& request, Findings& findings) {
  const auto& target = facts.inspection.target;
  if (target.info)
    return findings.error(Code::kAlreadyExists, "target-exists", "it already exists",
                          target.place(), "give another name with --to-table, or drop it");
  if (auto named = base::check_table_name(request.target.table); !named)
    findings.error(Code::kInvalidArgument, "table-name", named.error().message(), target.place(),
                   "name the new table with --to-table");
  const auto replicas = request.replica_count > 0 ? request.replica_count
                                                  : facts.inspection.source.info->replica_count;
  if (replicas > target.alive_nodes)
    findings.error(Code::kRefused, "too-few-servers",
                   fmt::format("the table would have {} replicas, and {} replica servers are alive "
                               "here: the duplication would prepare for ever",
                               replicas, target.alive_nodes),
                   "cluster " + target.cluster, "give fewer with --replicas");
  if (target.level && int(*target.level) <= int(client::MetaLevel::kFreezed))
    findings.error(Code::kRefused, "meta-level",
                   fmt::format("its function level is {}, at which no table can be created",
                               client::meta_level_name(*target.level)),
                   "cluster " + target.cluster, "`set_meta_level steady` in the shell allows it");
}

void check_other_duplications(const SideFacts& source, const HotRequest& request,
                              Findings& findings) {
  if (!source.duplications)
    return findings.error(Code::kUnreachable, "duplications-unknown",
                          "it is not known whether the table is duplicated already", source.place(),
                          "");
  for (const auto& duplication : *source.duplications) {
    if (duplication.remote == (request.has_relay() ? request.other.relay : request.target.name))
      findings.error(Code::kAlreadyExists, "duplication-exists",
                     fmt::format("it is duplicated to cluster {} already ({})", duplication.remote,
                                 duplication.status),
                     source.place(),
                     "remove that duplication, and drop the table that it has made");
    else
      findings.warning("duplicated-elsewhere",
                       fmt::format("it is duplicated to cluster {}, too: what clients write after "
                                   "the cutover does not arrive there",
                                   duplication.remote),
                       source.place());
  }
}

bool is_same_cluster(const SideFacts& source, const SideFacts& target) {
  return std::ranges::any_of(source.nodes, [&](const auto& node) {
    return std::ranges::count(target.nodes, node.node, &inspect::NodeFacts::node) > 0;
  });
}

void check_clocks(const SideFacts& from, const SideFacts& to, Findings& findings) {
  for (const auto& sender : from.nodes)
    for (const auto& receiver : to.nodes) {
      if (!sender.clock || !receiver.clock) continue;
      const auto least_ahead = sender.clock->low_us - receiver.clock->high_us;
      const auto most_ahead = sender.clock->high_us - receiver.clock->low_us;
      const auto what = fmt::format(
          "its clock is {} ms ahead of that of replica server {}, which aborts on a write from the "
          "future, and again at each start until that time has come",
          (least_ahead > 0 ? least_ahead : most_ahead) / 1000, receiver.node);
      const auto where = fmt::format("replica server {} of cluster {}", sender.node, from.cluster);
      if (least_ahead > 0)
        findings.error(Code::kRefused, "clock-ahead", what, where, "synchronize the clocks (NTP)");
      else if (most_ahead > kShippingDelayUs && inspect::is_far_off(*sender.clock))
        findings.warning("clock-ahead", "perhaps " + what, where, "synchronize the clocks (NTP)");
    }
}

}  // namespace

std::string name_in_group(const SideFacts& side, const std::vector<MetaServerFacts>& metas) {
  std::set<std::string> names;
  for (const auto& [where, config] : configs_of(side, metas))
    if (!config->cluster_name.empty()) names.insert(config->cluster_name);
  return names.size() == 1 ? *names.begin() : "";
}

int32_t id_in_group(const HotFacts& facts, const std::string& name) {
  for (const auto* side : {&facts.inspection.source, &facts.inspection.target})
    for (const auto& [where, config] : configs_of(*side, {}))
      if (const auto id = config->id_of(name)) return *id;
  return 0;
}

Findings check_groups(const HotFacts& facts, const HotRequest& request) {
  Findings findings;
  const auto of_source = configs_of(facts.inspection.source, facts.source_metas);
  const auto of_target = configs_of(facts.inspection.target, facts.target_metas);
  auto all = of_source;
  std::ranges::copy(of_target, std::back_inserter(all));
  const auto ids = known_ids(all, group_names(request));
  for (const auto& known : of_source)
    check_group_of(known, ids, needs_of(request, true), facts.source_is_embedded, findings);
  for (const auto& known : of_target)
    check_group_of(known, ids, needs_of(request, false), facts.target_is_embedded, findings);
  check_silent_servers(facts.inspection.source, facts.source_metas, findings);
  check_silent_servers(facts.inspection.target, facts.target_metas, findings);
  return findings;
}

Findings check_hot_tables(const HotFacts& facts, const HotRequest& request) {
  Findings findings;
  const auto &source = facts.inspection.source, &target = facts.inspection.target;
  if (!source.info) {
    findings.error(Code::kNotFound, "no-source-table", "the table does not exist", source.place(),
                   "`ls` in the shell lists the tables");
    return findings;
  }
  findings.add(inspect::check_partitions(source));
  check_data_version(source, findings);
  check_source_envs(source, findings);
  check_other_duplications(source, request, findings);
  if (is_same_cluster(source, target)) {
    findings.error(Code::kInvalidArgument, "same-cluster", "the target is the source itself",
                   "cluster " + target.cluster, "give another cluster with --to");
    return findings;
  }
  check_new_table(facts, request, findings);
  return findings;
}

Findings check_hot_clocks(const HotFacts& facts) {
  Findings findings;
  const auto &source = facts.inspection.source, &target = facts.inspection.target;
  if (!facts.target_is_embedded) check_clocks(source, target, findings);
  if (!facts.source_is_embedded) check_clocks(target, source, findings);  // the way back
  return findings;
}

Findings check_route(const HotFacts& facts, const HotRequest& request) {
  Findings findings;
  const auto set = fmt::format("`pegmove routes set --table {} --to {}` writes it",
                               request.source.table, request.source.cluster);
  if (!facts.route) {
    const auto& error = *facts.route_error;
    findings.error(error.code(), "no-route", error.to_string(), "ZooKeeper " + request.zookeeper,
                   error.code() == Code::kNotFound ? set : "");
    return findings;
  }
  const auto& node = *facts.route;
  if (!node.route) {
    findings.error(Code::kCorrupt, "bad-route", node.problem, "node " + node.path, set);
  } else if (node.route->cluster == request.target.cluster) {
    findings.error(Code::kRefused, "already-moved", "it names the target already",
                   "node " + node.path, "");
  } else if (node.route->cluster != request.source.cluster) {
    findings.error(Code::kRefused, "other-route",
                   fmt::format("it names cluster {}, and the source is cluster {}",
                               node.route->cluster, request.source.cluster),
                   "node " + node.path, "give the cluster that has the table with --from");
  }
  if (request.source.table != request.target.table)
    findings.error(Code::kInvalidArgument, "other-table-name",
                   "clients find their table by its name, behind a MetaProxy, too",
                   facts.inspection.target.place(), "leave out --to-table");
  for (const auto& proxy : facts.proxies) {
    const auto where = "MetaProxy " + proxy.proxy;
    if (proxy.error)
      findings.error(proxy.error->code(), "proxy", proxy.error->to_string(), where,
                     "start it, or leave it out of --proxies");
    else if (std::ranges::none_of(proxy.primaries, [&](const auto& server) {
               return facts.source_primaries.contains(server);
             }))
      findings.error(Code::kRefused, "proxy-route",
                     "it sends clients of the table to other servers than those of the source",
                     where, "does it use another ZooKeeper, or another root?");
  }
  if (facts.proxies.empty())
    findings.warning("proxies-unknown", "no MetaProxy is given, so none is looked at", "",
                     "name all of them with --proxies");
  return findings;
}

Findings check_hold(const HotFacts& facts, const HotRequest& request) {
  Findings findings;
  const bool is_embedded = facts.source_is_embedded && facts.target_is_embedded;
  const auto fence = request.first_fence();
  const auto least = least_write_hold(is_embedded, fence);
  const auto most = request.max_write_hold.count() > 0 ? request.max_write_hold
                                                       : usual_write_hold(is_embedded, fence);
  if (most < least)
    findings.error(Code::kInvalidArgument, "write-hold",
                   fmt::format("a cutover cannot be proven and given back within {}",
                               base::format_duration(most)),
                   "--max-write-hold", "give at least " + base::format_duration(least));
  else if (!is_embedded)
    findings.note(
        "write-hold",
        fmt::format("writes{} wait for up to {} during the cutover, since servers act on "
                    "app envs within 30 s{}",
                    fence == FenceKind::kAll ? " and reads" : "", base::format_duration(most),
                    request.ships_in_batches && request.max_write_hold.count() == 0
                        ? ", and for twice the time that the verification takes"
                        : ""),
        "");
  if (!facts.source_is_embedded || !facts.target_is_embedded)
    findings.note(
        "two-writes-at-once",
        "two unacknowledged writes of one key at the same time may arrive in either order", "");
  return findings;
}

// What a restart corrects is no error of a run that waits for it.
Findings check_restart(const HotFacts& facts, const HotRequest& request) {
  auto findings = check_groups(facts, request);
  if (!request.waits_for_restart()) return findings;
  for (auto& finding : findings.all)
    if (finding.severity == inspect::Severity::kError)
      finding.severity = inspect::Severity::kWarning;
  return findings;
}

Findings check_hot(const HotFacts& facts, const HotRequest& request) {
  Findings findings;
  const auto &source = facts.inspection.source, &target = facts.inspection.target;
  findings.add(inspect::check_reachability(source));
  findings.add(inspect::check_reachability(target));
  findings.add(check_route(facts, request));
  findings.add(check_direct_clients(facts, request));
  if (source.unreachable || target.unreachable) return findings;
  findings.add(inspect::note_versions(source, target));
  findings.add(inspect::check_servers(source, !facts.target_is_embedded));
  findings.add(inspect::check_servers(target, !facts.target_is_embedded));
  findings.add(check_hot_tables(facts, request));
  findings.add(check_load(facts, request));
  findings.add(check_other_count(facts, request));
  findings.add(check_restart(facts, request));
  findings.add(check_hot_clocks(facts));
  findings.add(check_hold(facts, request));
  return findings;
}

}  // namespace pegmove::migration::hot
