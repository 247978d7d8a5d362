// The request of a hot migration, in the form that the journal keeps.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "async/clock.h"
#include "base/result.h"
#include "migration/hot/plan.h"
#include "splitter/split.h"

namespace pegmove::migration::hot {

inline constexpr std::string_view kHotMethod = "hot";
// Below which relays say in ZooKeeper what they own, unless --relay-root says otherwise.
inline constexpr const char* kUsualRelayRoot = "/pegmove/relay";

// "all", "writes"; "fence-first", "routes-first": as options have them.
std::string_view to_string(FenceKind fence);
std::string_view to_string(Order order);
// Errors: kInvalidArgument, naming what there is.
Result<FenceKind> parse_fence(std::string_view text);
Result<Order> parse_order(std::string_view text);

// The tables, and how each cluster is called.
struct HotSide {
  std::string metas{};  // "host:port,...": a name may mean another cluster on another machine
  std::string table{};
  // Its name in the other cluster's [pegasus.clusters] and [duplication-group]; "": not asked yet.
  std::string name{};
  int32_t id = 0;            // the name's, in [duplication-group]; 0: not asked yet
  std::string cluster{};     // its own name, as routes have it
  bool is_embedded = false;  // envs act at once there, and repeated writes are recognized
};

// How a table gets another partition count: a relay (docs/relay.md) takes what is written to the
// target, and the older rows go there as files, behind it.
struct OtherCount {
  int32_t partitions = 0;    // of the target table; 0: as many as the source has, without a relay
  std::string relay{};       // its name in the source's [pegasus.clusters]; "": there is none
  std::string relay_back{};  // that of the one on the way back, in the target's; "": no way back
  bool no_way_back = false;  // the operator knows it
  std::string relay_root{};  // of relays in ZooKeeper; checked by routes::check_root()
  std::string store{};       // a [block_service.NAME] of both clusters and of pegmove
  std::string path{};        // of the backup in it
  std::string split_path{};  // of the files; "": chosen when the run begins
  splitter::SplitLimits limits{};
};

// By real servers, of which each request ships one write; measured on two cores. A longer way
// between the clusters makes it less: --ship-rate.
inline constexpr int64_t kShippedPerSecond = 5'400;

// Everything that a later process needs to resume it.
struct HotRequest {
  HotSide source{}, target{};
  std::string zookeeper{};             // "host:port,..."
  std::string zk_root{};               // checked by routes::check_root()
  std::vector<std::string> proxies{};  // the MetaProxies that clients ask: "host:port" of each
  // The operator says that no client asks the source's meta servers: they do not tell.
  bool no_direct_clients = false;
  // How long the run waits for servers to be restarted with the configuration that they need; 0: it
  // does not begin before they are.
  async::milliseconds restart_within{0};
  // How long the preflight watches what clients write; 0: usual_measured_for(). Not journaled.
  async::milliseconds measured_for{0};
  int64_t ships_per_second = kShippedPerSecond;  // writes, one by one, from a real source
  // The preflight has found that clients write faster: then writes are shipped in batches, and the
  // cutover compares and repairs the tables while it denies writes.
  bool ships_in_batches = false;
  int32_t replica_count = 0;     // of the target table; 0: that of the source
  bool cuts_over_alone = false;  // --auto
  FenceKind fence = FenceKind::kAll;
  Order order = Order::kFenceFirst;
  // Clients wait no longer: then the side that is left serves again. 0: usual_write_hold(), and the
  // time that a comparison is expected to take where a switch compares the tables.
  async::milliseconds max_write_hold{0};
  int64_t most_lag = 1000;    // mutations, at which the run is ready
  bool opens_source = false;  // for the way back, when every proxy sends its clients to the target
  bool drops_source = false;  // at the end
  bool drops_target = false;  // by a cancel, when the run has made it
  OtherCount other{};
  async::milliseconds timeout{30'000};

  bool has_relay() const { return !other.relay.empty(); }
  bool has_way_back() const { return !has_relay() || !other.relay_back.empty(); }
  bool waits_for_restart() const { return restart_within.count() > 0; }
  // Of the first cutover: where the tables are compared under it, reads stay open.
  FenceKind first_fence() const { return ships_in_batches ? FenceKind::kWrites : fence; }
};
std::string to_json(const HotRequest& request);
// Errors: kCorrupt, naming the field.
Result<HotRequest> hot_request_from_json(std::string_view text);

// When --measure is not given. Embedded clusters ship in order at any rate.
async::milliseconds usual_measured_for(bool is_embedded);

// How long an env may take until all servers act on it. Pegasus: config_sync_interval_ms.
async::milliseconds env_delay(bool is_embedded);
// In a shorter hold the fence could not be proven and opened again: it is refused. Where a cluster
// is real: closing, the time in which its meta server persists (15 s), and opening.
async::milliseconds least_write_hold(bool is_embedded, FenceKind fence);
// When --max-write-hold is not given.
async::milliseconds usual_write_hold(bool is_embedded, FenceKind fence);

}  // namespace pegmove::migration::hot
