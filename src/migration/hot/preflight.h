// The look before a hot migration: both clusters, ZooKeeper and the MetaProxies are asked once, and
// all problems are reported. Read-only.
#pragma once

#include "inspect/gather.h"
#include "migration/hot/preflight_checks.h"
#include "migration/ports.h"
#include "runs/work.h"

namespace pegmove::migration::hot {

struct HotPreflight {
  HotRequest request;  // with what the clusters say of themselves
  HotFacts facts{};
  inspect::Findings findings{};
  std::shared_ptr<client::Cluster> source{}, target{};  // null: not reached
};

// Asks, watches what clients write (request.measured_for), fills in what the request leaves open
// (names, kinds, whether writes are shipped in batches), and checks. A question that is not
// answered is a finding.
Routine<HotPreflight> look_before_hot(const Ports& ports, inspect::Side source,
                                      inspect::Side target, HotRequest request);

// For the engine: the findings, and all of it as JSON.
runs::Assessment assessment_of(const HotPreflight& look);
// {"can_begin", "writes": {...} or null, "ships_per_second", "ships_in_batches",
// "no_direct_clients", "findings": [...]}
std::string to_json(const HotPreflight& look);

// The configurations of the servers that are alive, and nothing else: to wait for a restart.
Routine<HotFacts> ask_configurations(const Ports& ports, client::Cluster& source,
                                     client::Cluster& target, const HotRequest& request);

// What each MetaProxy of the request answers to a client that asks for the table.
Routine<std::vector<ProxyFacts>> ask_proxies(const Ports& ports, const HotRequest& request);
// The servers' names and addresses.
std::set<std::string> primaries_in(const client::TableConfig& config);

}  // namespace pegmove::migration::hot
