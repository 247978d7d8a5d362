// A simulated cluster with one table, as real servers were seen to behave (docs/cutover.md): app
// envs act and end server by server, a failover raises the ballot and changes members, shipping
// starts late, at the decrees of that moment, restarts from the persisted decree after a failover,
// reorders and drops at the default batch size, and hangs for 101 s when a connection closes; the
// meta server's view of it is stale.
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "migration/hot/plan.h"
#include "migration/hot/sim_world_test.h"

namespace pegmove::migration::hot {

struct SimClusterOptions {
  std::string name{};
  int servers = 4;
  int replicas = 2;
  int partitions = 2;
  int64_t env_round_ms = 30'000;  // 0: envs act at once
  double missed_rounds = 0.05;    // a server that has missed one does not miss the next
  bool ships_one_by_one = true;
  double waits = 0.02;               // of writes, before they get a decree
  double hangs = 0.0003;             // of shipped requests
  int64_t report_every_ms = 10'000;  // of shipping, to the meta server
  int64_t clock_ahead_ms = 0;        // of the servers' clocks
  // What is shipped comes from a relay, which leaves out what is older than the row by the times
  // that the two clusters gave them. That relays wait for clocks is not relied on.
  bool later_time_wins = false;
};

enum class SimAnswer { kOk, kDenied, kLost };  // lost: no answer, whatever has happened

class SimCluster {
 public:
  using Done = std::function<void(SimAnswer)>;
  enum class Kind { kClient, kShipped, kEmpty };
  struct Entry {
    int key = -1;
    int64_t value = 0;
    Kind kind = Kind::kEmpty;
    Done done{};
    int64_t time = 0;  // of the cluster whose client wrote it
  };
  // Of the duplication of one partition to the other cluster.
  struct Shipper {
    bool is_started = false;  // its server knows it
    int64_t confirmed = -1, persisted = -1;
    int64_t reported_committed = -1;  // with `persisted`: what the meta server shows
    uint64_t epoch = 0;               // another one: another primary, or another start
    bool is_busy = false;
  };
  struct Partition {
    int64_t ballot = 1;
    std::vector<int> members{};  // servers; the primary first, if there is one
    bool has_primary = true;
    std::vector<Entry> log{};  // decree d is log[d - 1]
    int64_t committed = 0;
    std::map<int, int64_t> rows{};
    std::map<int, int64_t> times{};  // of the rows
    int64_t last_time = 0;           // that a write was given
    Shipper shipper{};
  };

  SimCluster(SimWorld& world, SimClusterOptions options)
      : world_(world), options_(std::move(options)), servers_(size_t(options_.servers)) {
    for (int s = 0; s < options_.servers; ++s) {
      servers_[size_t(s)].acting.resize(size_t(options_.partitions));
      servers_[size_t(s)].active_from.resize(size_t(options_.partitions));
      if (options_.env_round_ms > 0) begin_rounds(s, world_.between(0, options_.env_round_ms));
    }
    partitions_.resize(size_t(options_.partitions));
    for (int p = 0; p < options_.partitions; ++p) {
      for (int r = 0; r < options_.replicas; ++r)
        at(p).members.push_back((p + r) % options_.servers);
      at(p).log.push_back({});  // the mutation that every partition is given before a duplication
      at(p).committed = 1;
    }
  }

  const SimClusterOptions& options() const { return options_; }
  Partition& at(int partition) { return partitions_[size_t(partition)]; }
  const Partition& at(int partition) const { return partitions_[size_t(partition)]; }
  int partitions() const { return options_.partitions; }
  int partition_of(int key) const { return key % options_.partitions; }
  bool is_alive(int server) const { return servers_[size_t(server)].is_alive; }
  std::optional<int> primary(int partition) const {
    return at(partition).has_primary ? std::optional(at(partition).members[0]) : std::nullopt;
  }
  // The repair of a live verification, which has compared everything: all rows of the other one.
  void take_rows(const SimCluster& other) {
    for (int p = 0; p < partitions(); ++p)
      for (const auto& [key, value] : other.at(p).rows) {
        at(p).rows[key] = value;
        at(p).times[key] = other.at(p).times.at(key);
      }
  }
  bool ships_everywhere() const {  // every partition has a confirmed decree
    return std::ranges::all_of(partitions_,
                               [](const Partition& p) { return p.shipper.is_started; });
  }
  void ship_to(SimCluster* peer) { peer_ = peer; }
  // A relay on the way refuses everything, retryably.
  void seal_way(bool is_sealed) { is_way_sealed_ = is_sealed; }

  // Requests, as they arrive at a server.
  void write(int server, int partition, Entry entry);
  SimAnswer read(int server, int partition, int key, int64_t& value) const;
  SimAnswer probe(int server, int partition, bool is_primary, Probe kind);

  // The env, at the meta server.
  void set_env(std::optional<std::string> value) {
    env_ = std::move(value);
    if (options_.env_round_ms == 0)
      for (int s = 0; s < options_.servers; ++s) act(s);
  }
  const std::optional<std::string>& env() const { return env_; }
  int64_t servers_time() const { return world_.now() + options_.clock_ahead_ms; }
  bool serves_everywhere() const;  // all members of all partitions, reads and writes
  bool is_denied_everywhere() const;

  // The duplication. It ships what is written after its server has heard of it.
  void add_duplication();

  // What goes wrong.
  void kill(int server, int64_t until_failover, int64_t until_restart);
  void move_primary(int partition);
  // A replica on another server, which becomes a member after a time and the primary perhaps.
  void add_member(int partition, int64_t learns, bool becomes_primary, bool replaces);
  void heal();  // all servers run, and no more goes wrong by itself

 private:
  struct Server {
    bool is_alive = true;
    bool has_missed = false;
    std::vector<std::optional<std::string>> acting{};  // of its replica of each partition
    // Until then the replica refuses everything, though the meta server has it as a member.
    std::vector<int64_t> active_from{};
  };

  std::optional<std::string>& acting(int server, int partition) {
    return servers_[size_t(server)].acting[size_t(partition)];
  }
  bool denies(int server, int partition, bool is_write) const {
    const auto& value = servers_[size_t(server)].acting[size_t(partition)];
    return value && (*value == kDenyAll || is_write);
  }
  bool is_active(int server, int partition) const {
    return world_.now() >= servers_[size_t(server)].active_from[size_t(partition)];
  }
  bool refuses(int server, int partition, bool is_write) const {
    return !is_active(server, partition) || denies(server, partition, is_write);
  }
  bool is_member(int server, int partition) const {
    return std::ranges::count(at(partition).members, server) > 0;
  }
  bool all_alive(const Partition& partition) const {
    return std::ranges::all_of(partition.members, [this](int s) { return is_alive(s); });
  }
  void begin_rounds(int server, int64_t first);
  void act(int server) {
    for (auto& value : servers_[size_t(server)].acting) value = env_;
  }
  void open_replica(int server, int partition) { acting(server, partition) = env_; }
  void prepare(int server, int partition, int64_t ballot, Entry entry);
  void try_commit(int partition, int64_t ballot, int64_t decree);
  void commit(int partition, int64_t decree, SimAnswer answer);
  bool is_left_out(const Partition& partition, const Entry& entry) const {
    const auto found = partition.times.find(entry.key);
    return options_.later_time_wins && entry.kind == Kind::kShipped &&
           found != partition.times.end() && found->second >= entry.time;
  }
  void reconfigure(int partition, std::vector<int> members, bool has_primary);
  void fail_over(int server);
  void restart(int server);

  void start_shipping(int partition, int64_t after_ms);
  void report(int partition);
  void kick(int partition);
  void ship_round(int partition, uint64_t epoch);
  using Batches = std::vector<std::vector<Entry>>;
  Batches batches_of(int partition, int64_t end);
  void send(int partition, uint64_t epoch, std::shared_ptr<Batches> batches, size_t index,
            int64_t end);
  SimAnswer take_shipped(int partition, const std::vector<Entry>& entries);

  SimWorld& world_;
  SimClusterOptions options_;
  std::vector<Server> servers_;
  std::vector<Partition> partitions_;
  std::optional<std::string> env_;
  SimCluster* peer_ = nullptr;
  bool is_way_sealed_ = false;
};

inline void SimCluster::begin_rounds(int server, int64_t first) {
  world_.after(first, [this, server] {
    auto& state = servers_[size_t(server)];
    state.has_missed = !state.has_missed && world_.chance(options_.missed_rounds);
    if (!state.has_missed) act(server);
    begin_rounds(server, options_.env_round_ms);
  });
}

inline void SimCluster::write(int server, int partition, Entry entry) {
  if (!is_alive(server))
    return world_.after(1'000, [done = std::move(entry.done)] { done(SimAnswer::kLost); });
  if (refuses(server, partition, true) || primary(partition) != server)
    return entry.done(SimAnswer::kDenied);
  // Accepted, and waiting in the server before it gets a decree.
  const auto waits = world_.chance(options_.waits) ? world_.between(1, 900) : 0;
  const auto ballot = at(partition).ballot;
  if (waits == 0) return prepare(server, partition, ballot, std::move(entry));
  world_.after(waits, [this, server, partition, ballot, entry = std::move(entry)]() mutable {
    prepare(server, partition, ballot, std::move(entry));
  });
}

inline void SimCluster::prepare(int server, int partition, int64_t ballot, Entry entry) {
  auto& state = at(partition);
  if (!is_alive(server) || state.ballot != ballot) return entry.done(SimAnswer::kLost);
  entry.time = state.last_time = std::max(state.last_time + 1, servers_time());
  state.log.push_back(std::move(entry));
  const auto takes = world_.chance(0.05) ? world_.between(50, 600) : world_.between(1, 8);
  world_.after(takes, [this, partition, ballot, decree = int64_t(state.log.size())] {
    try_commit(partition, ballot, decree);
  });
}

// Every member must have it.
inline void SimCluster::try_commit(int partition, int64_t ballot, int64_t decree) {
  if (at(partition).ballot != ballot || decree <= at(partition).committed) return;
  if (all_alive(at(partition))) return commit(partition, decree, SimAnswer::kOk);
  world_.after(500, [this, partition, ballot, decree] { try_commit(partition, ballot, decree); });
}

inline void SimCluster::commit(int partition, int64_t decree, SimAnswer answer) {
  auto& state = at(partition);
  while (state.committed < decree) {
    auto& entry = state.log[size_t(state.committed++)];
    if (entry.key >= 0 && !is_left_out(state, entry)) {
      state.rows[entry.key] = entry.value;
      state.times[entry.key] = entry.time;
    }
    if (entry.done) std::exchange(entry.done, nullptr)(answer);
  }
  kick(partition);
}

inline SimAnswer SimCluster::read(int server, int partition, int key, int64_t& value) const {
  if (!is_alive(server)) return SimAnswer::kLost;
  if (refuses(server, partition, false) || primary(partition) != server) return SimAnswer::kDenied;
  const auto found = at(partition).rows.find(key);
  value = found == at(partition).rows.end() ? 0 : found->second;
  return SimAnswer::kOk;
}

inline SimAnswer SimCluster::probe(int server, int partition, bool is_primary, Probe kind) {
  if (!is_alive(server)) return SimAnswer::kLost;
  const bool is_write = kind == Probe::kWrite;
  if (refuses(server, partition, is_write) || !is_member(server, partition) ||
      is_primary != (primary(partition) == server))
    return SimAnswer::kDenied;
  if (is_write) prepare(server, partition, at(partition).ballot, {.done = [](SimAnswer) {}});
  return SimAnswer::kOk;
}

inline bool SimCluster::serves_everywhere() const {
  for (int p = 0; p < partitions(); ++p)
    for (const int s : at(p).members)
      if (!at(p).has_primary || !is_alive(s) || denies(s, p, true)) return false;
  return true;
}

inline bool SimCluster::is_denied_everywhere() const {
  for (int p = 0; p < partitions(); ++p)
    for (const int s : at(p).members)
      if (!denies(s, p, false)) return false;
  return true;
}

inline void SimCluster::reconfigure(int partition, std::vector<int> members, bool has_primary) {
  auto& state = at(partition);
  const bool keeps_primary = state.has_primary && has_primary && members[0] == state.members[0];
  ++state.ballot;
  for (const int server : members)
    if (!is_member(server, partition) || (!keeps_primary && server == members[0]))
      servers_[size_t(server)].active_from[size_t(partition)] =
          world_.now() + world_.between(0, 3'000);
  state.members = std::move(members);
  state.has_primary = has_primary;
  const auto prepared = int64_t(state.log.size());
  if (keeps_primary) return commit(partition, prepared, SimAnswer::kOk);
  // What was prepared may survive or not; nobody is told.
  const auto kept = world_.between(state.committed, prepared);
  for (auto decree = kept; decree < prepared; ++decree)
    if (auto& done = state.log[size_t(decree)].done) std::exchange(done, nullptr)(SimAnswer::kLost);
  state.log.resize(size_t(kept));
  commit(partition, kept, SimAnswer::kLost);
  auto& shipper = state.shipper;
  ++shipper.epoch;
  shipper.is_started = shipper.is_busy = false;
  if (peer_) start_shipping(partition, world_.between(0, 12'000));
}

inline void SimCluster::kill(int server, int64_t until_failover, int64_t until_restart) {
  if (!is_alive(server)) return;
  servers_[size_t(server)].is_alive = false;
  for (int p = 0; p < partitions(); ++p)
    if (primary(p) == server) at(p).shipper.is_started = false;
  if (until_failover < until_restart)
    world_.after(until_failover, [this, server] { fail_over(server); });
  world_.after(until_restart, [this, server] { restart(server); });
}

// The meta server has noticed that the server is away: its partitions are served without it, by a
// member that runs, if there is one.
inline void SimCluster::fail_over(int server) {
  for (int p = 0; p < partitions(); ++p) {
    if (!is_member(server, p)) continue;
    auto members = at(p).members;
    if (members.size() > 1) std::erase(members, server);
    const auto first_alive = std::ranges::find_if(members, [this](int s) { return is_alive(s); });
    const bool has_primary = first_alive != members.end();
    if (has_primary) std::ranges::rotate(members, first_alive);
    reconfigure(p, std::move(members), has_primary);
  }
}

inline void SimCluster::restart(int server) {
  if (is_alive(server)) return;
  fail_over(server);
  servers_[size_t(server)].is_alive = true;
  for (int p = 0; p < partitions(); ++p) {
    open_replica(server, p);
    if (at(p).members == std::vector<int>{server})
      reconfigure(p, {server}, true);
    else if (int(at(p).members.size()) < options_.replicas)
      add_member(p, world_.between(1'000, 10'000), false, false);
  }
}

inline void SimCluster::move_primary(int partition) {
  auto members = at(partition).members;
  if (members.size() < 2 || !std::ranges::all_of(members, [this](int s) { return is_alive(s); }))
    return;
  std::ranges::rotate(members, members.begin() + 1);
  reconfigure(partition, std::move(members), true);
}

inline void SimCluster::add_member(int partition, int64_t learns, bool becomes_primary,
                                   bool replaces) {
  std::vector<int> free;
  for (int s = 0; s < options_.servers; ++s)
    if (is_alive(s) && !is_member(s, partition)) free.push_back(s);
  if (free.empty()) return;
  const int server = free[size_t(world_.between(0, int64_t(free.size()) - 1))];
  open_replica(server, partition);
  const auto begun_at = world_.now();
  world_.after(learns, [=, this] {
    if (!is_alive(server) || is_member(server, partition) || !at(partition).has_primary) return;
    // Its server has had its round meanwhile, or a second one.
    if (world_.now() - begun_at >= options_.env_round_ms) open_replica(server, partition);
    auto members = at(partition).members;
    members.push_back(server);
    if (becomes_primary) std::ranges::rotate(members, members.end() - 1);
    if (replaces && members.size() > 2) members.pop_back();
    reconfigure(partition, std::move(members), true);
  });
}

inline void SimCluster::heal() {
  options_.missed_rounds = options_.hangs = 0;
  for (int s = 0; s < options_.servers; ++s) restart(s);
}

inline void SimCluster::add_duplication() {
  for (int p = 0; p < partitions(); ++p) {
    start_shipping(p, world_.between(0, 10'000));
    world_.after(world_.between(0, 10'000), [this, p] { report(p); });
  }
}

// The server hears of the duplication: it ships from the decree that the meta server has, or, when
// that has none, from the last one of this moment.
inline void SimCluster::start_shipping(int partition, int64_t after_ms) {
  world_.after(after_ms, [this, partition, epoch = at(partition).shipper.epoch] {
    auto& shipper = at(partition).shipper;
    if (shipper.epoch != epoch || !at(partition).has_primary) return;
    if (shipper.persisted < 0) shipper.persisted = at(partition).committed;
    shipper.confirmed = shipper.persisted;
    shipper.is_started = true;
    kick(partition);
  });
}

// Only a partition whose confirmed decree has moved is in the report.
inline void SimCluster::report(int partition) {
  auto& state = at(partition);
  const auto primary_server = primary(partition);
  if (primary_server && is_alive(*primary_server) && state.shipper.is_started &&
      state.shipper.confirmed != state.shipper.persisted)
    world_.after(
        world_.between(0, options_.report_every_ms / 10),
        [this, partition, confirmed = state.shipper.confirmed, committed = state.committed] {
          auto& shipper = at(partition).shipper;
          shipper.persisted = std::max(shipper.persisted, confirmed);
          shipper.reported_committed = committed;
        });
  world_.after(options_.report_every_ms, [this, partition] { report(partition); });
}

inline void SimCluster::kick(int partition) {
  auto& state = at(partition);
  auto& shipper = state.shipper;
  if (!peer_ || !shipper.is_started || shipper.is_busy || state.committed <= shipper.confirmed)
    return;
  shipper.is_busy = true;
  world_.after(world_.between(1, 100),
               [this, partition, epoch = shipper.epoch] { ship_round(partition, epoch); });
}

inline SimCluster::Batches SimCluster::batches_of(int partition, int64_t end) {
  auto& state = at(partition);
  constexpr size_t kBatch = 3;
  Batches batches;
  std::vector<Entry> batch;
  for (auto decree = state.shipper.confirmed; decree < end; ++decree) {
    const auto& entry = state.log[size_t(decree)];
    if (entry.kind == Kind::kClient)
      batch.push_back({.key = entry.key, .value = entry.value, .time = entry.time});
    if (batch.empty() || (!options_.ships_one_by_one && batch.size() < kBatch)) continue;
    batches.push_back(std::move(batch));
    batch.clear();
  }
  if (options_.ships_one_by_one) return batches;
  // A round that ends with what is not shipped drops what stands before it; others are not in
  // order.
  if (!batch.empty() && state.log[size_t(end - 1)].kind == Kind::kClient)
    batches.push_back(std::move(batch));
  if (batches.size() > 1 && world_.chance(0.3)) std::swap(batches.front(), batches.back());
  return batches;
}

inline void SimCluster::ship_round(int partition, uint64_t epoch) {
  auto& state = at(partition);
  if (state.shipper.epoch != epoch || !state.has_primary) return;
  const auto end = state.committed;
  send(partition, epoch, std::make_shared<Batches>(batches_of(partition, end)), 0, end);
}

inline void SimCluster::send(int partition, uint64_t epoch, std::shared_ptr<Batches> batches,
                             size_t index, int64_t end) {
  auto& state = at(partition);
  const auto again = [=, this](size_t next, int64_t after_ms) {
    world_.after(after_ms, [=, this] { send(partition, epoch, batches, next, end); });
  };
  if (state.shipper.epoch != epoch || !is_alive(state.members[0])) return;
  if (index == batches->size()) {
    state.shipper.confirmed = end;
    state.shipper.is_busy = false;
    return kick(partition);
  }
  if (!is_way_sealed_ && world_.chance(options_.hangs)) {
    if (world_.chance(0.5)) peer_->take_shipped(partition, (*batches)[index]);
    return again(index, 101'000);
  }
  const auto answer =
      is_way_sealed_ ? SimAnswer::kDenied : peer_->take_shipped(partition, (*batches)[index]);
  if (answer == SimAnswer::kOk) return again(index + 1, world_.between(1, 5));
  again(index, 1'000);
}

inline SimAnswer SimCluster::take_shipped(int partition, const std::vector<Entry>& entries) {
  auto& state = at(partition);
  const auto server = primary(partition);
  if (!server || !is_alive(*server) || !all_alive(state)) return SimAnswer::kLost;
  if (refuses(*server, partition, true)) return SimAnswer::kDenied;
  for (const auto& entry : entries)
    state.log.push_back(
        {.key = entry.key, .value = entry.value, .kind = Kind::kShipped, .time = entry.time});
  commit(partition, int64_t(state.log.size()), SimAnswer::kOk);
  return SimAnswer::kOk;
}

}  // namespace pegmove::migration::hot
