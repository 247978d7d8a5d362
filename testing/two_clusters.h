// Two embedded clusters and one client of both, for tests that move tables.
#pragma once

#include "async/stop_signal.h"
#include "testing/quick_clock.h"
#include "testing/sim_clock.h"
#include "testing/test_cluster.h"

namespace pegmove::testing {

// The servers' clocks move only when the test moves them; the client's wall time is the source's.
// Objects of the test (tables, further clusters) must be destroyed before this. Used by one thread.
class TwoClusters {
 public:
  explicit TwoClusters(TestClusterOptions source = {}, TestClusterOptions target = {});

  template <typename T>
  T run(asio::awaitable<T> routine) {
    return async::run_to_end(context_, std::move(routine));
  }
  asio::io_context& context() { return context_; }
  // For tasks that must succeed. Throws std::runtime_error.
  template <typename T>
  T must(Task<T> task) {
    auto result = run(std::move(task));
    if (!result) throw std::runtime_error(result.error().to_string());
    if constexpr (!std::is_void_v<T>) return *std::move(result);
  }

  std::shared_ptr<client::Cluster> connect(const std::string& metas);
  std::shared_ptr<client::Table> create_table(const std::shared_ptr<client::Cluster>& cluster,
                                              const std::string& name, int partition_count);
  std::shared_ptr<client::Table> open_table(const std::shared_ptr<client::Cluster>& cluster,
                                            const std::string& name);
  Deadline deadline() const { return Deadline::in(clock_, async::milliseconds(60'000)); }

  SimClock source_time, target_time;
  TestCluster source_servers, target_servers;

 private:
  asio::io_context context_;
  QuickClock clock_{source_time};
  ClosingClient client_;

 public:
  std::shared_ptr<client::Cluster> source, target;
  async::StopSignal stop;
};

}  // namespace pegmove::testing
