// What pegmove's cutover sees of the simulated pair: its ports, in a process that may be killed or
// stopped at any of its calls, and a ZooKeeper that is away for a while, whose answers get lost and
// whose servers lag.
#pragma once

#include <fmt/format.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "migration/hot/guard.h"
#include "migration/hot/sim_clients_test.h"

namespace pegmove::migration::hot {

struct SimFaults {
  double lost_node_answers = 0;  // of ZooKeeper: carried out, not, or late
  double stale_node_reads = 0;
  double lost_meta_answers = 0;  // the same, of the meta servers
};

// One node of a ZooKeeper.
class SimZooKeeper {
 public:
  SimZooKeeper(SimWorld& world, std::string data) : world_(world) {
    states_.push_back({.at = 0, .node = {.data = std::move(data)}});
  }
  const routes::Node& node() const { return states_.back().node; }
  // What a server of ZooKeeper shows that lags by this much.
  const routes::Node& node_before(int64_t ms) const {
    auto state = states_.rbegin();
    while (std::next(state) != states_.rend() && state->at > world_.now() - ms) ++state;
    return state->node;
  }
  static constexpr int32_t kAnyVersion = -1;
  bool write(const std::string& data, int32_t version) {
    const auto present = node().version;
    if (version != kAnyVersion && version != present) return false;
    states_.push_back({.at = world_.now(), .node = {.data = data, .version = present + 1}});
    if (on_change) on_change();
    return true;
  }
  void be_away(int64_t ms) { away_until_ = std::max(away_until_, world_.now() + ms); }
  bool is_away() const { return world_.now() < away_until_; }
  std::function<void()> on_change{};

 private:
  struct State {
    int64_t at = 0;
    routes::Node node{};
  };
  SimWorld& world_;
  std::vector<State> states_;
  int64_t away_until_ = -1;
};

// A process of pegmove. Each call of its ports is a point at which it may die, before the call has
// an effect or after it, or be stopped for a while. A dead process's calls have no effect any more,
// fail, and take no time, so that its coroutines end.
class SimProcess {
 public:
  explicit SimProcess(SimWorld& world) : world_(world) {}

  // kill -9, or SIGSTOP for so long, at the call of this number or at this failpoint.
  struct Fate {
    int64_t at_call = -1;
    std::string at_point{};
    int64_t stops_for = 0;  // 0: it dies
  };
  void doom(Fate fate) { fate_ = std::move(fate); }
  bool is_dead() const { return is_dead_; }
  void die() { is_dead_ = true; }
  int64_t calls() const { return calls_; }

  Task<> live() {
    if (++calls_ == fate_.at_call) meet_fate();
    if (const auto stops = std::exchange(stops_for_, 0); stops > 0)
      co_await world_.clock().sleep_for(async::milliseconds(stops));  // no result
    if (is_dead_) co_return fail(Code::kNotFound, "this process is dead");
    co_return Result<void>();
  }
  void at_point(std::string_view point) {
    ++points[std::string(point)];
    if (point == fate_.at_point) meet_fate();
  }
  std::map<std::string, int> points{};

 private:
  void meet_fate() {
    if (fate_.stops_for > 0)
      stops_for_ = fate_.stops_for;
    else
      is_dead_ = true;
  }
  SimWorld& world_;
  Fate fate_;
  bool is_dead_ = false;
  int64_t calls_ = 0, stops_for_ = 0;
};

class SimProcessClock : public Clock {
 public:
  SimProcessClock(SimWorld& world, const SimProcess& process) : world_(world), process_(process) {}
  async::Instant now() const override { return world_.clock().now(); }
  int64_t unix_us() const override { return world_.clock().unix_us(); }
  Routine<> sleep_until(async::Instant at) override {
    if (!process_.is_dead()) co_await world_.clock().sleep_until(at);  // no result
  }

 private:
  SimWorld& world_;
  const SimProcess& process_;
};

class SimNodes : public routes::Nodes {
 public:
  SimNodes(SimWorld& world, SimZooKeeper& zookeeper, SimProcess& process, SimFaults faults)
      : world_(world), zookeeper_(zookeeper), process_(process), faults_(faults) {}

  Task<std::optional<routes::Node>> read(std::string, Deadline deadline) override {
    CO_TRY(co_await reach(deadline));
    if (world_.chance(faults_.stale_node_reads))
      co_return zookeeper_.node_before(world_.between(0, 2'000));
    co_return zookeeper_.node();
  }
  Task<int32_t> write(std::string, std::string data, int32_t version, Deadline deadline) override {
    CO_TRY(co_await reach(deadline));
    if (world_.chance(faults_.lost_node_answers)) {
      const auto carried_out = world_.between(0, 2);  // not, at once, late
      if (carried_out == 1) zookeeper_.write(data, version);
      if (carried_out == 2)
        world_.after(world_.between(100, 8'000),
                     [zookeeper = &zookeeper_, data, version] { zookeeper->write(data, version); });
      co_return fail(co_await no_answer(deadline));
    }
    const bool is_written = zookeeper_.write(data, version);
    CO_TRY(co_await process_.live());
    if (!is_written) co_return fail(Code::kBusy, "the node has another version");
    co_return version + 1;
  }
  Task<std::vector<std::string>> children(std::string, Deadline) override {
    co_return std::vector<std::string>{"t"};
  }
  Task<> create(std::string path, std::string, Deadline) override {
    co_return fail(Code::kAlreadyExists, path);
  }
  Task<> remove(std::string path, Deadline) override {
    co_return fail(Code::kRefused, path + ": no cutover removes it");
  }
  bool is_connected() const override { return !zookeeper_.is_away(); }
  const std::string& description() const override { return description_; }

 private:
  Task<> reach(Deadline deadline) {
    CO_TRY(co_await process_.live());
    co_await world_.clock().sleep_for(async::milliseconds(world_.between(1, 10)));  // no result
    if (zookeeper_.is_away()) co_return fail(co_await no_answer(deadline));
    co_return co_await process_.live();
  }
  Routine<Error> no_answer(Deadline deadline) {
    const auto waits = async::milliseconds(world_.between(200, 3'000));
    co_await world_.clock().sleep_until(  // no result
        std::min(deadline.at, world_.clock().now() + waits));
    co_return Error(Code::kTimeout, "ZooKeeper does not answer");
  }

  SimWorld& world_;
  SimZooKeeper& zookeeper_;
  SimProcess& process_;
  SimFaults faults_;
  std::string description_ = "ZooKeeper";
};

class SimRelay : public Relay {
 public:
  SimRelay(SimWorld& world, SimCluster& from, SimProcess& process, bool lies)
      : world_(world), from_(from), process_(process), lies_(lies) {}
  Task<int64_t> seal(Deadline) override {
    CO_TRY(co_await set(true));
    co_return 0;
  }
  Task<> unseal(Deadline) override { return set(false); }

 private:
  Task<> set(bool is_sealed) {
    CO_TRY(co_await process_.live());
    co_await world_.clock().sleep_for(async::milliseconds(world_.between(1, 5)));  // no result
    CO_TRY(co_await process_.live());
    from_.seal_way(is_sealed && !lies_);
    co_return co_await process_.live();
  }
  SimWorld& world_;
  SimCluster& from_;
  SimProcess& process_;
  bool lies_;
};

class SimSide : public Side {
 public:
  SimSide(SimWorld& world, SimCluster& cluster, SimProcess& process, SimFaults faults)
      : world_(world), cluster_(cluster), process_(process), faults_(faults) {}

  Task<TableView> view(Deadline deadline) override {
    CO_TRY(co_await ask(deadline));
    TableView view;
    for (int p = 0; p < cluster_.partitions(); ++p) {
      PartitionView partition{.ballot = cluster_.at(p).ballot};
      for (const int s : cluster_.at(p).members)
        partition.members.push_back({node_of(s), cluster_.primary(p) == s});
      view.push_back(std::move(partition));
    }
    co_return view;
  }
  Routine<ProbeAnswer> probe(int32_t partition, Member member, Probe kind, Deadline) override {
    if (!co_await process_.live()) co_return ProbeAnswer::kElse;
    co_await world_.clock().sleep_for(async::milliseconds(world_.between(1, 4)));  // no result
    if (process_.is_dead()) co_return ProbeAnswer::kElse;
    const auto answer = cluster_.probe(server_of(member.node), partition, member.is_primary, kind);
    co_return answer == SimAnswer::kOk ? ProbeAnswer::kServed
    : answer == SimAnswer::kDenied     ? ProbeAnswer::kDenied
                                       : ProbeAnswer::kElse;
  }
  Task<std::vector<PartitionProgress>> progress(TableView view, Shipping, Deadline) override {
    CO_TRY(co_await process_.live());
    std::vector<PartitionProgress> all;
    for (int p = 0; p < int(view.size()) && p < cluster_.partitions(); ++p) {
      co_await world_.clock().sleep_for(async::milliseconds(world_.between(1, 4)));  // no result
      const auto& state = cluster_.at(p);
      const auto primary = cluster_.primary(p);
      if (!primary || !cluster_.is_alive(*primary) || !state.shipper.is_started) continue;
      all.push_back({.partition = p,
                     .node = node_of(*primary),
                     .max_prepared = int64_t(state.log.size()),
                     .last_committed = state.committed,
                     .last_applied = state.committed,
                     .confirmed = state.shipper.confirmed,
                     .persisted = state.shipper.persisted});
    }
    CO_TRY(co_await process_.live());
    co_return all;
  }
  Task<> deny(std::string value, Deadline deadline) override {
    return change(std::move(value), deadline);
  }
  Task<> allow(Deadline deadline) override { return change(std::nullopt, deadline); }
  Task<std::optional<std::string>> denied(Deadline deadline) override {
    CO_TRY(co_await ask(deadline));
    co_return cluster_.env();
  }
  async::milliseconds envs_act_within() const override {
    return async::milliseconds(cluster_.options().env_round_ms);
  }
  Task<std::vector<SideTime>> times(Deadline deadline) override {
    CO_TRY(co_await ask(deadline));
    std::vector<SideTime> all;
    const auto now = cluster_.servers_time() * 1000;
    for (int s = 0; s < cluster_.options().servers; ++s)
      if (cluster_.is_alive(s)) all.push_back({node_of(s), now, now});
    co_return all;
  }
  const std::string& name() const override { return cluster_.options().name; }

 private:
  static std::string node_of(int server) { return fmt::format("s{}", server); }
  static int server_of(const std::string& node) { return std::stoi(node.substr(1)); }

  Task<> ask(Deadline deadline) {
    CO_TRY(co_await process_.live());
    co_await world_.clock().sleep_for(async::milliseconds(world_.between(1, 5)));  // no result
    if (world_.chance(faults_.lost_meta_answers)) co_return fail(co_await no_answer(deadline));
    co_return co_await process_.live();
  }
  Routine<Error> no_answer(Deadline deadline) {
    const auto waits = async::milliseconds(world_.between(500, 3'000));
    co_await world_.clock().sleep_until(  // no result
        std::min(deadline.at, world_.clock().now() + waits));
    co_return Error(Code::kTimeout, "the meta server does not answer");
  }
  Task<> change(std::optional<std::string> value, Deadline deadline) {
    CO_TRY(co_await process_.live());
    co_await world_.clock().sleep_for(async::milliseconds(world_.between(1, 5)));  // no result
    CO_TRY(co_await process_.live());
    if (world_.chance(faults_.lost_meta_answers)) {
      const auto carried_out = world_.between(0, 2);  // not, at once, late
      if (carried_out == 1) cluster_.set_env(value);
      if (carried_out == 2)
        world_.after(world_.between(100, 8'000),
                     [cluster = &cluster_, value] { cluster->set_env(value); });
      co_return fail(co_await no_answer(deadline));
    }
    cluster_.set_env(std::move(value));
    co_return co_await process_.live();
  }

  SimWorld& world_;
  SimCluster& cluster_;
  SimProcess& process_;
  SimFaults faults_;
};

}  // namespace pegmove::migration::hot
