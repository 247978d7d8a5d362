// Whether a hot migration may begin, from what is known of both clusters, of ZooKeeper and of the
// MetaProxies. Pure: no clock, no network.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "inspect/finding.h"
#include "inspect/inspection.h"
#include "migration/hot/hot_request.h"
#include "migration/hot/source_load.h"
#include "routes/change_route.h"

namespace pegmove::migration::hot {

struct MetaServerFacts {
  std::string node;
  std::optional<inspect::ServerConfig> config{};
  std::string silent{};                  // why it is not known
  std::optional<int64_t> connections{};  // to it, whoever has opened them
};

// What a MetaProxy answers to a client that asks for the table.
struct ProxyFacts {
  std::string proxy;
  std::optional<Error> error{};  // it does not answer, or not as a proxy
  int32_t app_id = 0;
  std::set<std::string> primaries{};  // of the table
};

struct HotFacts {
  inspect::Inspection inspection{};
  std::vector<MetaServerFacts> source_metas{}, target_metas{};
  bool source_is_embedded = false, target_is_embedded = false;
  std::optional<routes::RouteNode> route{};  // nullopt: `route_error` says why
  std::optional<Error> route_error{};
  std::vector<ProxyFacts> proxies{};
  std::set<std::string> source_primaries{};
  std::optional<Error> store_error{};  // of the store for another partition count
  std::optional<WriteLoad> load{};     // of the source table; nullopt: `load_error` says why
  std::optional<Error> load_error{};
};

// The name under which the side's servers know themselves in [duplication-group]; "" when they
// differ or do not say it: then the cluster's own name is used.
std::string name_in_group(const inspect::SideFacts& side,
                          const std::vector<MetaServerFacts>& metas);

// The name's id in the first server's [duplication-group] that has one; 0: none has.
int32_t id_in_group(const HotFacts& facts, const std::string& name);

// All checks. The request has the sides' names.
inspect::Findings check_hot(const HotFacts& facts, const HotRequest& request);

// Whether clients of a real source write faster than it can ship one by one.
bool is_too_fast_to_ship(const HotFacts& facts, const HotRequest& request);

// Parts of it. Whether clients bypass the MetaProxies is for the operator to say.
inspect::Findings check_direct_clients(const HotFacts& facts, const HotRequest& request);
// What clients write: atomic writes, and whether it can be shipped in order.
inspect::Findings check_load(const HotFacts& facts, const HotRequest& request);
// Both clusters must know both ids, and the address of the other one.
inspect::Findings check_groups(const HotFacts& facts, const HotRequest& request);
// The same for the beginning: of a run that waits for a restart these are warnings.
inspect::Findings check_restart(const HotFacts& facts, const HotRequest& request);
// The source table, and that the target table can be made.
inspect::Findings check_hot_tables(const HotFacts& facts, const HotRequest& request);
// Another partition count: its relays, the store, and what servers can load. Also whether there is
// one without a relay.
inspect::Findings check_other_count(const HotFacts& facts, const HotRequest& request);
// A real target aborts on a write from the future.
inspect::Findings check_hot_clocks(const HotFacts& facts);
// The node must name the source, and each proxy must follow it.
inspect::Findings check_route(const HotFacts& facts, const HotRequest& request);
// Whether the fence can be closed and opened within --max-write-hold.
inspect::Findings check_hold(const HotFacts& facts, const HotRequest& request);

}  // namespace pegmove::migration::hot
