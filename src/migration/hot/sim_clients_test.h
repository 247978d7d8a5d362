// Clients of the simulated pair, which find the table through a proxy that follows the ZooKeeper
// node with a delay, and the history of what was acknowledged to them.
#pragma once

#include <fmt/format.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "migration/hot/sim_cluster_test.h"

namespace pegmove::migration::hot {

// Each key is written by several clients, one write at a time, with growing values: so a read tells
// how old what it has read is.
class SimHistory {
 public:
  explicit SimHistory(int keys) : keys_(size_t(keys)) {}

  // Whether somebody's write of the key is under way.
  bool is_being_written(int key) const { return keys_[size_t(key)].is_being_written; }
  int64_t begin_write(int key) {
    keys_[size_t(key)].is_being_written = true;
    return ++keys_[size_t(key)].begun;
  }
  void end_write(int key) { keys_[size_t(key)].is_being_written = false; }
  void acknowledged(int key, int64_t value) {
    auto& state = keys_[size_t(key)];
    state.acknowledged = std::max(state.acknowledged, value);
    ++writes_;
  }
  int64_t floor_of(int key) const { return keys_[size_t(key)].acknowledged; }
  // `floor`: floor_of() when the read began.
  void was_read(int key, int64_t floor, int64_t value, int64_t at, const char* where) {
    ++reads_;
    if (value < floor && (is_strict || is_over()))
      note(fmt::format("{} ms: a read of key {} on {} got {}, after {} was acknowledged", at, key,
                       where, value, floor));
    if (value > keys_[size_t(key)].begun)
      note(fmt::format("key {} has {}, which nobody has written", key, value));
  }
  void note(std::string wrong) {
    if (wrong_.size() < 5) wrong_.push_back(std::move(wrong));
  }

  int keys() const { return int(keys_.size()); }
  int64_t writes() const { return writes_; }
  int64_t reads() const { return reads_; }
  const std::vector<std::string>& wrong() const { return wrong_; }
  bool is_strict = true;  // reads never go back, not even for a moment
  // Whether nobody reads from the side that was left any more: reads do not go back then.
  std::function<bool()> is_over = [] { return false; };

 private:
  struct Key {
    int64_t begun = 0, acknowledged = 0;
    bool is_being_written = false;
  };
  std::vector<Key> keys_;
  int64_t writes_ = 0, reads_ = 0;
  std::vector<std::string> wrong_;
};

// What both sides and the proxies are to a client.
struct SimTable {
  std::array<SimCluster*, 2> clusters{};  // A, B
  std::vector<int> proxies{};             // which cluster each of them names now
  // Which cluster the node names, where no other one may accept writes; -1: any may.
  std::function<int()> only_writer = [] { return -1; };
};

// One client: it keeps the servers that it knows, and asks its proxy again after an error.
class SimClient : public std::enable_shared_from_this<SimClient> {
 public:
  struct Habits {
    int key = 0;  // -1: reads random keys
    size_t proxy = 0;
    int64_t least_pause = 50, most_pause = 700;
    int64_t patience = 20'000;  // of one operation
  };
  SimClient(SimWorld& world, SimTable& table, SimHistory& history, Habits habits)
      : world_(world), table_(table), history_(history), habits_(habits) {
    known_.resize(size_t(table.clusters[0]->partitions()));
  }

  void start() {
    world_.after(world_.between(0, habits_.most_pause),
                 [self = shared_from_this()] { self->next(); });
  }
  void stop() { is_stopped_ = true; }

 private:
  static constexpr int64_t kLateWrite = 5'000;

  SimCluster& cluster() { return *table_.clusters[size_t(cluster_)]; }
  const char* where() const { return cluster_ == 0 ? "A" : "B"; }
  void rest(int64_t more = 0) {
    world_.after(more + world_.between(habits_.least_pause, habits_.most_pause),
                 [self = shared_from_this()] { self->next(); });
  }
  void next() {
    if (is_stopped_) return;
    is_write_ = habits_.key >= 0 && world_.chance(0.8) && !history_.is_being_written(habits_.key);
    key_ = habits_.key >= 0 ? habits_.key : int(world_.between(0, history_.keys() - 1));
    value_ = is_write_ ? history_.begin_write(key_) : 0;
    floor_ = history_.floor_of(key_);
    begun_at_ = world_.now();
    back_off_ = 8;
    try_it();
  }
  void try_it() {
    const int partition = table_.clusters[0]->partition_of(key_);
    auto& known = known_[size_t(partition)];
    if (known.server < 0) {
      known.cluster = table_.proxies[habits_.proxy];
      known.server = table_.clusters[size_t(known.cluster)]->primary(partition).value_or(-1);
      if (known.server < 0) return failed();
    }
    cluster_ = known.cluster;
    world_.after(world_.between(1, 5),
                 [self = shared_from_this(), partition, server = known.server] {
                   self->arrive(partition, server);
                 });
  }
  void arrive(int partition, int server) {
    only_writer_ = table_.only_writer();
    if (is_write_)
      return cluster().write(
          server, partition,
          {.key = key_,
           .value = value_,
           .kind = SimCluster::Kind::kClient,
           .done = [self = shared_from_this()](SimAnswer answer) { self->answered(answer); }});
    int64_t value = 0;
    const auto answer = cluster().read(server, partition, key_, value);
    if (answer == SimAnswer::kOk) history_.was_read(key_, floor_, value, world_.now(), where());
    answered(answer);
  }
  void answered(SimAnswer answer) {
    if (answer != SimAnswer::kOk) {
      known_[size_t(cluster().partition_of(key_))].server = -1;
      return failed();
    }
    if (is_write_) {
      if (only_writer_ >= 0 && cluster_ != only_writer_)
        history_.note(fmt::format("{} ms: {} has accepted a write of key {} after the switch",
                                  world_.now(), where(), key_));
      history_.acknowledged(key_, value_);
      history_.end_write(key_);
    }
    rest();
  }
  void failed() {
    // Given up: it may still be carried out, which careful writers wait for.
    if (world_.now() - begun_at_ >= habits_.patience) {
      if (is_write_)
        world_.after(kLateWrite,
                     [self = shared_from_this(), key = key_] { self->history_.end_write(key); });
      return rest(kLateWrite);
    }
    back_off_ = std::min<int64_t>(back_off_ * 2, 1'000);
    world_.after(back_off_, [self = shared_from_this()] { self->try_it(); });
  }

  SimWorld& world_;
  SimTable& table_;
  SimHistory& history_;
  Habits habits_;
  struct Known {
    int cluster = 0;
    int server = -1;
  };
  std::vector<Known> known_;  // primaries, by partition
  int cluster_ = 0;           // of the operation under way
  int only_writer_ = -1;      // when it arrived
  bool is_write_ = false, is_stopped_ = false;
  int key_ = 0;
  int64_t value_ = 0, floor_ = 0, begun_at_ = 0, back_off_ = 8;
};

}  // namespace pegmove::migration::hot
