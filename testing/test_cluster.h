// An embedded cluster in this process and a client of it, for tests of everything between server::
// and client:: over loopback.
//
//   SimClock server_clock;
//   TestCluster cluster(server_clock);
//   TestClient client(cluster.meta_address());
//   auto table = client.create_table("t", 4);
//   client.must(table->set("hash", "sort", "value", 0, client.deadline()));
//
// Fatal failures (a cluster that does not start) are thrown as std::runtime_error with the whole
// reason: GoogleTest fails the test with it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "async/run.h"
#include "client/cluster.h"
#include "client/table.h"
#include "server/cluster/embedded_cluster.h"

namespace pegmove::testing {

struct TestClusterOptions {
  std::string name = "test";
  int replica_servers = 1;
  uint16_t meta_port = 0;     // 0: a free one
  uint16_t replica_port = 0;  // of the first replica server; 0: free ones, new at each start
  size_t max_request_size = 1 << 20;
  std::map<std::string, uint8_t> duplication_group = {};
  std::map<std::string, std::vector<net::HostPort>> clusters = {};  // [pegasus.clusters]
  bool refuses_duplicates_for_now = false;
  bool backups = false;                  // a block service "disk": TestCluster::store_dir()
  blockstore::Providers providers = {};  // more of them
  backup::FailpointListener on_failpoint = {};
  bool backups_never_end = false;  // as on real clusters, see server/meta/backup/backup_context.h
  std::optional<server::replica::WriteCost> write_cost = {};
};

// Listens on loopback, on free ports; its data is in a temporary folder that the destructor
// removes. The meta server keeps its port over restarts; replica servers get new ones, like nodes
// that move: clients learn them from the meta server. Used by one thread. The clock is the servers'
// and must outlive the cluster.
class TestCluster {
 public:
  explicit TestCluster(Clock& clock, TestClusterOptions options = {});
  ~TestCluster();
  TestCluster(const TestCluster&) = delete;
  TestCluster& operator=(const TestCluster&) = delete;

  // stop() ends it cleanly; start() serves again from the same folder.
  void stop();
  void start();
  void restart();
  // [pegasus.clusters], from the next start on.
  void set_clusters(std::map<std::string, std::vector<net::HostPort>> clusters) {
    options_.clusters = std::move(clusters);
  }

  net::Address meta_address() const { return meta_address_; }
  std::vector<net::Address> replica_addresses() const { return cluster_->replica_addresses(); }
  const std::string& data_dir() const { return data_dir_; }
  std::string store_dir() const { return data_dir_ + "/store"; }
  blockstore::Providers providers() const;  // the block services that it has

 private:
  void start_on_free_port();
  Result<void> try_start(uint16_t meta_port);

  Clock& clock_;
  TestClusterOptions options_;
  std::string data_dir_;
  net::Address meta_address_;
  std::unique_ptr<server::cluster::EmbeddedCluster> cluster_;
};

// A port of loopback that nobody listens on, out of the range from which the system takes the ports
// of outgoing connections: it stays free while its server is stopped, too. 0: none was found.
uint16_t find_free_port();
bool is_free_port(uint16_t port);

// A client that is closed when it is destroyed, also when the constructor of what has it fails.
class ClosingClient {
 public:
  ClosingClient(asio::io_context& context, Clock& clock)
      : context_(context), client_(context.get_executor(), clock) {}
  ~ClosingClient();
  ClosingClient(const ClosingClient&) = delete;
  ClosingClient& operator=(const ClosingClient&) = delete;

  client::Client& operator*() { return client_; }

 private:
  asio::io_context& context_;
  client::Client client_;
};

// A client with its own io_context, which only runs in calls of run(). Without a clock of the test,
// which must outlive it, its clock is the system's. Tables, clusters and scanners must be destroyed
// before it.
class TestClient {
 public:
  explicit TestClient(net::Address meta) : TestClient(meta, nullptr) {}
  TestClient(net::Address meta, Clock& clock) : TestClient(meta, &clock) {}

  // Runs the coroutine to its end.
  template <typename T>
  T run(asio::awaitable<T> routine) {
    return async::run_to_end(context_, std::move(routine));
  }
  // The same for tasks that must succeed: returns what they yield. Throws std::runtime_error.
  template <typename T>
  T must(Task<T> task) {
    auto result = run(std::move(task));
    if (!result) throw std::runtime_error(result.error().to_string());
    if constexpr (!std::is_void_v<T>) return *std::move(result);
  }

  Deadline deadline() const { return Deadline::in(clock_, async::milliseconds(60'000)); }
  Clock& clock() { return clock_; }
  client::Client& client() { return *client_; }
  client::Cluster& cluster() { return *cluster_; }
  std::shared_ptr<client::Cluster> shared_cluster() { return cluster_; }
  asio::any_io_executor executor() { return context_.get_executor(); }

  // Both wait until all partitions serve. A new table has one replica.
  std::shared_ptr<client::Table> open_table(const std::string& name);
  std::shared_ptr<client::Table> create_table(const std::string& name, int partition_count,
                                              std::map<std::string, std::string> envs = {});

 private:
  TestClient(net::Address meta, Clock* clock);

  asio::io_context context_;
  async::SystemClock system_clock_;
  Clock& clock_;
  ClosingClient client_;
  std::shared_ptr<client::Cluster> cluster_;  // shared with the tables
};

}  // namespace pegmove::testing
