// What a hot migration needs around it, as processes of their own on this machine: two clusters, a
// real ZooKeeper, a MetaProxy, relays.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/child_process.h"
#include "bench_cluster.h"

namespace pegmove::bench {

// Clusters A and B know each other; the table's node in ZooKeeper is made by route_to_source().
class HotWorld {
 public:
  // Errors: a process does not start; kNotFound: there is no ZooKeeper.
  static Result<std::unique_ptr<HotWorld>> start(std::string pegmove, std::string folder);

  const std::string& source() const { return source_->meta(); }
  const std::string& target() const { return target_->meta(); }
  const std::string& proxy() const { return proxy_address_; }

  // The table's node names A; then the MetaProxy is started.
  Result<void> route_to_source();
  // Words of `pegmove hot`, for the table; with a relay also those for another partition count.
  std::vector<std::string> hot_words(int other_partitions) const;
  // `pegmove VERB RUN`, with the options that each needs.
  std::vector<std::string> words_of(const std::string& verb, const std::string& run) const;
  // A relay in each direction, as soon as both tables exist. Errors: they do not start in time.
  Result<void> start_relays();

 private:
  HotWorld() = default;
  std::vector<std::string> relay_words(bool goes_back) const;

  std::string pegmove_, folder_, config_, zookeeper_address_, proxy_address_;
  std::string relay_address_, relay_back_address_;
  std::unique_ptr<BenchCluster> source_, target_;
  std::vector<std::unique_ptr<base::ChildProcess>> processes_;  // ended by their destructors
};

// Waits; nothing happens meanwhile.
void pause_for(std::chrono::milliseconds length);

}  // namespace pegmove::bench
