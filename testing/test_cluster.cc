#include "testing/test_cluster.h"

#include <stdlib.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <filesystem>
#include <random>

namespace pegmove::testing {
namespace {

constexpr uint32_t kLoopback = 0x7f000001;

std::string make_temp_folder() {
  std::string name = std::filesystem::temp_directory_path() / "pegmove_cluster_XXXXXX";
  if (!mkdtemp(name.data())) throw std::runtime_error("cannot make the folder " + name);
  return name;
}

}  // namespace

bool is_free_port(uint16_t port) {
  asio::io_context context;
  asio::ip::tcp::acceptor acceptor(context);
  boost::system::error_code error;
  acceptor.open(asio::ip::tcp::v4(), error);
  if (!error) acceptor.set_option(asio::ip::tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind({asio::ip::address_v4(kLoopback), port}, error);
  if (!error) acceptor.listen(1, error);
  return !error;
}

uint16_t find_free_port() {
  std::random_device random;
  std::uniform_int_distribution<int> any_port(20'000, 31'999);  // Linux assigns 32768 and above
  for (int attempt = 0; attempt < 100; ++attempt)
    if (auto port = uint16_t(any_port(random)); is_free_port(port)) return port;
  return 0;
}

TestCluster::TestCluster(Clock& clock, TestClusterOptions options)
    : clock_(clock), options_(std::move(options)), data_dir_(make_temp_folder()) {
  start_on_free_port();
}

TestCluster::~TestCluster() {
  stop();
  std::error_code ignored;
  std::filesystem::remove_all(data_dir_, ignored);
}

Result<void> TestCluster::try_start(uint16_t meta_port) {
  cluster_ = TRY(server::cluster::EmbeddedCluster::start(
      {.name = options_.name,
       .data_dir = data_dir_,
       .meta_port = meta_port,
       .replica_port = options_.replica_port,
       .replica_servers = options_.replica_servers,
       .max_request_size = options_.max_request_size,
       .duplication_group = options_.duplication_group,
       .clusters = options_.clusters,
       .refuses_duplicates_for_now = options_.refuses_duplicates_for_now,
       .providers = providers(),
       .on_failpoint = options_.on_failpoint,
       .backups_never_end = options_.backups_never_end,
       .write_cost = options_.write_cost},
      clock_));
  return {};
}

blockstore::Providers TestCluster::providers() const {
  auto providers = options_.providers;
  if (options_.backups)
    providers["disk"] = {.name = "disk", .type = "local_service", .args = store_dir()};
  return providers;
}

// Another process may take the port between the check and the use.
void TestCluster::start_on_free_port() {
  if (options_.meta_port != 0) {
    if (auto started = try_start(options_.meta_port); !started)
      throw std::runtime_error(started.error().to_string());
    meta_address_ = cluster_->meta_address();
    return;
  }
  for (int attempt = 0; attempt < 10; ++attempt) {
    auto started = try_start(find_free_port());
    if (started) {
      meta_address_ = cluster_->meta_address();
      return;
    }
    if (started.error().code() != Code::kAlreadyExists)
      throw std::runtime_error(started.error().to_string());
  }
  throw std::runtime_error("no free port for a cluster");
}

void TestCluster::stop() { cluster_.reset(); }

void TestCluster::start() {
  if (auto started = try_start(meta_address_.port); !started)
    throw std::runtime_error(started.error().to_string());
}

void TestCluster::restart() {
  stop();
  start();
}

ClosingClient::~ClosingClient() {
  auto close = [](client::Client& client) -> Routine<bool> {
    co_await client.close();  // no result
    co_return true;
  };
  async::run_to_end(context_, close(client_));
}

TestClient::TestClient(net::Address meta, Clock* clock)
    : clock_(clock ? *clock : system_clock_), client_(context_, clock_) {
  auto host_port = net::parse_host_port(meta.to_string());
  cluster_ = must(client::Cluster::connect(*client_, {*host_port}, deadline()));
}

// Polls without pauses: those of Cluster::wait_until_ready() are too long for tests.
std::shared_ptr<client::Table> TestClient::open_table(const std::string& name) {
  auto is_ready = [&] {
    auto config = must(cluster_->table_config(name, {}, deadline()));
    return std::ranges::all_of(config.partitions, [](auto& p) { return p.primary.port != 0; });
  };
  for (auto end = deadline(); !is_ready();)
    if (end.passed(clock_)) throw std::runtime_error("table " + name + " does not become ready");
  return must(client::Table::open(cluster_, name, deadline()));
}

std::shared_ptr<client::Table> TestClient::create_table(const std::string& name,
                                                        int partition_count,
                                                        std::map<std::string, std::string> envs) {
  must(cluster_->create_table(
      name, {.partition_count = partition_count, .replica_count = 1, .envs = std::move(envs)},
      deadline()));
  return open_table(name);
}

}  // namespace pegmove::testing
