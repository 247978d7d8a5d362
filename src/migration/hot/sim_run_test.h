// One seed of the simulation: a pair of clusters with clients, a cutover with its guard and what
// goes wrong meanwhile, perhaps a rollback, and what must be so at the end.
#pragma once

#include "migration/hot/cutover.h"
#include "migration/hot/drain.h"
#include "migration/hot/failpoints.h"
#include "migration/hot/route_switch.h"
#include "migration/hot/sim_lies_test.h"

namespace pegmove::migration::hot {

struct SimSettings {
  uint64_t seed = 0;
  Removed removed = Removed::kNothing;
  FenceKind fence = FenceKind::kAll;
  Order order = Order::kFenceFirst;
  bool with_faults = true;  // servers, ZooKeeper, lost answers
  bool with_fates = true;   // of pegmove and the guard
  bool with_rollback = false;
  bool with_relay = false;
  // ms, at most, between the clusters' clocks; above 0: the relays keep the later row.
  int64_t clocks_differ = 0;
  bool with_compare = false;
  bool is_embedded = false;  // envs act at once
  int most_troubles = 3;
  int64_t troubles_from = 0;
  double missed_rounds = 0.05;
  int64_t pauses = 1;  // of clients, between their operations: so many times the usual ones
  double waits = 0.02;
  double hangs = 0.0003;
  // The fate of the process that carries out the cutover, instead of a random one.
  std::optional<SimProcess::Fate> fate{};
  std::optional<SimProcess::Fate> guards_fate{};
};

struct SimOutcome {
  std::vector<std::string> wrong{};
  int switched = 0, given_back = 0;
  int64_t longest_hold = 0;
  std::map<std::string, int> points{};  // failpoints that were reached
};

class SimRun {
 public:
  explicit SimRun(SimSettings settings);
  SimOutcome run();

 private:
  static constexpr int kKeys = 5;
  static constexpr int kStrayKey = 4;  // of a client that comes back to a side that it had left

  // One attempt: its processes, and what its journal says.
  struct Attempt {
    CutoverPlan plan{};
    CutoverBefore before{};
    bool has_begun = false;  // `before` is journaled
    bool is_over = false;    // the coroutine has ended
    bool has_ended = false;  // journaled
    int64_t late_at = 0;
  };
  struct Ports {
    Ports(SimRun& run, SimProcess& process, bool is_back);
    CutoverPorts get() {
      return {lying_source, lying_target, lying_nodes, clock, has_relay ? &relay : nullptr};
    }
    SimSide source, target;
    LyingSide lying_source, lying_target;
    SimNodes nodes;
    LyingNodes lying_nodes;
    SimProcessClock clock;
    bool has_relay;
    SimRelay relay;
  };
  class SimHolder : public Holder {
   public:
    SimHolder(SimWorld& world, const Attempt& attempt, const SimProcess& process)
        : world_(world), attempt_(attempt), process_(process) {}
    Task<HolderState> state() override {
      if (attempt_.has_ended) co_return HolderState::kEnded;
      if (process_.is_dead() || attempt_.is_over) co_return HolderState::kGone;
      co_return world_.now() >= attempt_.late_at ? HolderState::kLate : HolderState::kInTime;
    }

   private:
    SimWorld& world_;
    const Attempt& attempt_;
    const SimProcess& process_;
  };

  SimClusterOptions options_of(std::string name) {
    return {.name = std::move(name),
            .servers = 4,
            .replicas = int(world_.between(2, 3)),
            .env_round_ms = settings_.is_embedded ? 0 : 30'000,
            .missed_rounds = settings_.with_faults ? settings_.missed_rounds : 0,
            .ships_one_by_one = settings_.removed != Removed::kOneByOne,
            .waits = settings_.waits,
            .hangs = settings_.hangs,
            .report_every_ms = settings_.is_embedded ? 500 : 10'000,
            .clock_ahead_ms = has_times() ? world_.between(0, settings_.clocks_differ) : 0,
            .later_time_wins = has_times()};
  }
  bool has_times() const { return settings_.clocks_differ > 0; }
  void start_clients();
  void prepare();
  void make_trouble();
  void trouble(SimCluster& cluster);
  void attempt(bool is_back);
  CutoverPlan plan_of(bool is_back);
  CutoverHooks hooks_of(SimProcess& process);
  static Task<> compare(Clock& clock, int64_t takes);
  SimProcess::Fate random_fate();
  Routine<> hold_it(Ports& ports, SimProcess& process, Attempt& attempt,
                    std::function<void()> start_guard);
  Routine<> guard_it(Ports& ports, SimProcess& process, SimHolder& holder, Attempt& attempt);
  Routine<> resume_it(Ports& ports, Attempt& attempt);
  struct Watched {
    bool is_over = false;
    int64_t longest_hold = 0;
  };
  void watch_hold(bool is_back, std::shared_ptr<Watched> watched);
  void unseal_way_to_b();
  Routine<> unseal(Ports& ports, Shipping shipping);
  void stray_writes(int64_t value);
  int serving() const { return zookeeper_.node().data == routes::route_text(routes_[1]) ? 1 : 0; }
  SimCluster& cluster(int index) { return index == 0 ? a_ : b_; }
  void check_end();

  SimSettings settings_;
  SimWorld world_;
  std::array<routes::Route, 2> routes_{
      routes::Route{.cluster = "A", .metas = {{"10.0.0.1", 34601}}},
      routes::Route{.cluster = "B", .metas = {{"10.0.1.1", 34601}}}};
  SimCluster a_, b_;
  SimZooKeeper zookeeper_;
  SimFaults faults_;
  SimTable table_;
  SimHistory history_{kKeys};
  std::vector<std::shared_ptr<SimClient>> clients_;
  bool has_trouble_ = true;
  int64_t stale_proxy_ms_ = 0;
  SimOutcome outcome_;
};

}  // namespace pegmove::migration::hot
