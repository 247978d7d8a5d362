// What a cutover is to do, what it must know to give back, and what it works with.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "migration/hot/side.h"
#include "routes/nodes.h"
#include "routes/route.h"

namespace pegmove::migration::hot {

enum class FenceKind {
  kAll,     // reads and writes are refused: nobody reads what is older than the last write
  kWrites,  // reads stay open until the switch, and may be old for a moment after it
};
// The values of replica.deny_client_request. Never `timeout*`: requests would hang, shipped ones
// for 100 s.
inline constexpr std::string_view kDenyAll = "reconfig*all";
inline constexpr std::string_view kDenyWrites = "reconfig*write";

enum class Order {
  kFenceFirst,
  // The procedure of Pegasus's documentation: no hold, but for as long as servers take to act on
  // the fence both clusters accept writes, and acknowledged ones may be overwritten.
  kRoutesFirst,
};

// Whether a drain proof waits until the source's meta server has persisted what is confirmed: after
// a failover shipping begins behind it, and would overwrite what is newer on the target. Not needed
// where the target recognizes what is shipped twice, or a relay is sealed.
enum class MustPersist { kYes, kNo };

// "Source" is who serves before the switch, "target" who does after it: a rollback is a cutover
// with the sides exchanged and `opens_target`.
struct CutoverPlan {
  std::string path{};  // of the table's node in ZooKeeper
  routes::Route from{};
  routes::Route to{};
  Shipping shipping{};             // source to target
  std::optional<Shipping> back{};  // target to source, when there is one
  FenceKind fence = FenceKind::kAll;
  Order order = Order::kFenceFirst;
  // The target is denied, since an earlier cutover, and so gets nothing that is shipped: it is
  // opened when the source is fenced. Every client must have left it before: clients that come to
  // it by themselves while it is behind would write below what is still to be shipped.
  bool opens_target = false;
  // From the request for the fence until the source serves again, or the target does. A cutover
  // gives back early enough for that: servers open one by one, as they close.
  async::milliseconds max_write_hold{0};
  // What giving back takes besides the time that servers take to act: a compare-and-set, a request.
  async::milliseconds give_back_takes{2'000};
  // Between the two readings of a drain proof: longer than a server takes from accepting a write
  // to giving it a decree.
  async::milliseconds readings_apart{1'000};
  MustPersist must_persist = MustPersist::kYes;
  // With relays, in either direction: of two writes of a row the one with the later time is kept.
  bool later_time_wins = false;
};

// Found out before the fence, and journaled: enough to give back.
struct CutoverBefore {
  int32_t version = 0;   // of the node: the switch is a compare-and-set on exactly this one
  std::string text{};    // the node's data, which names the source
  int64_t began_ms = 0;  // Unix time; for texts
  bool operator==(const CutoverBefore&) const = default;
};
std::string to_json(const CutoverBefore& before);
// Errors: kCorrupt, saying what is wrong.
Result<CutoverBefore> cutover_before_from_json(std::string_view text);

// All on one executor; they must outlive what they are given to.
struct CutoverPorts {
  Side& source;
  Side& target;
  routes::Nodes& nodes;
  Clock& clock;
  Relay* relay = nullptr;  // on the way from the source to the target
};

// Each may be empty.
struct CutoverHooks {
  std::function<void(std::string_view point)> at{};     // hot/failpoints.h
  std::function<void(const std::string& line)> show{};  // progress; replaces the previous line
  std::function<void(const std::string& text)> warn{};  // a line that remains
  // Whether the operator has asked to stop: a cutover gives back then, unless it has switched.
  std::function<bool()> stopped{};
  // Whether not even giving back is waited for any more: the guard, or a later process, does it.
  std::function<bool()> abandoned{};
  // Right before the fence: its time begins now. An error ends the cutover, and nothing was
  // changed.
  std::function<Task<>()> before_fence{};
  // Compares the sides under the fence, after the drain. An error gives back.
  std::function<Task<>(Deadline deadline)> compare{};

  void pass(std::string_view point) const {
    if (at) at(point);
  }
  void show_line(const std::string& line) const {
    if (show) show(line);
  }
  void warn_of(const std::string& text) const {
    if (warn) warn(text);
  }
  bool is_stopped() const { return (stopped && stopped()) || is_abandoned(); }
  bool is_abandoned() const { return abandoned && abandoned(); }
};

// What a node's data says about who serves the table.
enum class NodeNames {
  kSource,
  kTarget,
  kElse,  // another cluster, no route at all, or there is no node
};
NodeNames names_in(const std::optional<routes::Node>& node, const CutoverPlan& plan);

}  // namespace pegmove::migration::hot
