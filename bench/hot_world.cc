#include "hot_world.h"

#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <filesystem>
#include <fstream>
#include <random>

#include "async/clock.h"
#include "async/run.h"
#include "bench_rows.h"
#include "process_usage.h"

namespace pegmove::bench {
namespace {

using Words = std::vector<std::string>;

// Debian's package zookeeper, as the tests have it.
constexpr const char* kJars = "/usr/share/java/zookeeper.jar:/usr/share/java/log4j-1.2.jar";
constexpr const char* kFirstJar = "/usr/share/java/zookeeper.jar";
constexpr const char* kMain = "org.apache.zookeeper.server.quorum.QuorumPeerMain";
constexpr std::chrono::milliseconds kStarts{30'000};
constexpr int kRelayTries = 300;

// The first of so many free ports, which systems do not give to outgoing connections.
int free_ports(int count) {
  using boost::asio::ip::tcp;
  std::random_device random;
  while (true) {
    const int first = 10'000 + int(random() % 20'000);
    boost::asio::io_context context;
    std::vector<tcp::acceptor> held;
    bool are_free = true;
    for (int port = first; are_free && port < first + count; ++port) {
      boost::system::error_code error;
      auto& acceptor = held.emplace_back(context);
      acceptor.open(tcp::v4(), error);
      acceptor.bind({boost::asio::ip::address_v4::loopback(), uint16_t(port)}, error);
      are_free = !error;
    }
    if (are_free) return first;
  }
}

std::string loopback(int port) { return fmt::format("127.0.0.1:{}", port); }

void write_file(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

std::unique_ptr<base::ChildProcess> kept(base::ChildProcess process) {
  return std::make_unique<base::ChildProcess>(std::move(process));
}

// Until it has printed the line.
Result<void> wait_for_line(base::ChildProcess& process, std::string_view begin,
                           const std::string& what) {
  while (true) {
    const auto line = TRY(in_context(process.next_line({.limit = kStarts}), what));
    if (!line) return fail(Code::kInternal, what + " has ended");
    if (line->starts_with(begin)) return {};
  }
}

}  // namespace

void pause_for(std::chrono::milliseconds length) {
  asio::io_context context;
  async::SystemClock clock;
  async::run_to_end(context, clock.sleep_for(length));
}

Result<std::unique_ptr<HotWorld>> HotWorld::start(std::string pegmove, std::string folder) {
  if (std::error_code error; !std::filesystem::exists(kFirstJar, error))
    return fail(Code::kNotFound,
                "no ZooKeeper: script/bootstrap installs Debian's package zookeeper, and a JDK");
  std::unique_ptr<HotWorld> world(new HotWorld);
  world->pegmove_ = std::filesystem::absolute(pegmove);
  world->folder_ = folder;
  world->config_ = folder + "/hot.ini";
  // Of the two clusters' meta servers, ZooKeeper, the MetaProxy, two relays, and the clusters' two
  // replica servers each.
  const int port = free_ports(10);
  world->zookeeper_address_ = loopback(port + 2);
  world->proxy_address_ = loopback(port + 3);
  world->relay_address_ = loopback(port + 4);
  world->relay_back_address_ = loopback(port + 5);
  std::filesystem::create_directories(folder + "/store");
  write_file(world->config_,
             fmt::format("[duplication-group]\nA = 1\nB = 2\nrelayB = 3\nrelayA = 4\n"
                         "[pegasus.clusters]\nA = {}\nB = {}\nrelayB = {}\nrelayA = {}\n"
                         "[block_service.local]\ntype = local_service\nargs = {}/store\n",
                         loopback(port), loopback(port + 1), world->relay_address_,
                         world->relay_back_address_, folder));
  write_file(folder + "/zoo.cfg",
             fmt::format("tickTime=100\ndataDir={}/zookeeper\nclientPort={}\n"
                         "clientPortAddress=127.0.0.1\nadmin.enableServer=false\n"
                         "maxClientCnxns=0\n",
                         folder, port + 2));
  world->processes_.push_back(kept(TRY(base::ChildProcess::start(
      {"java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", kJars, kMain, folder + "/zoo.cfg"},
      {.log = folder + "/zookeeper.log"}))));
  world->source_ = TRY(BenchCluster::start(world->pegmove_, folder, "A", world->config_,
                                           {"--replica-port", std::to_string(port + 6)}, port));
  world->target_ = TRY(BenchCluster::start(world->pegmove_, folder, "B", world->config_,
                                           {"--replica-port", std::to_string(port + 8)}, port + 1));
  return world;
}

Result<void> HotWorld::route_to_source() {
  TRY(run_process({pegmove_, "routes", "set", "--zookeeper", zookeeper_address_, "--zk-root", "/",
                   "--table", kBenchTable, "--to", "A", "--create", "--config", config_,
                   "--timeout", "30s"}));
  processes_.push_back(
      kept(TRY(base::ChildProcess::start({pegmove_, "metaproxy", "--listen", proxy_address_,
                                          "--zookeeper", zookeeper_address_, "--zk-root", "/"},
                                         {.log = folder_ + "/proxy.log"}))));
  return wait_for_line(*processes_.back(), "ready", "the MetaProxy");
}

Words HotWorld::hot_words(int other_partitions) const {
  Words words{pegmove_,      "hot",
              "--from",      "A",
              "--to",        "B",
              "--table",     kBenchTable,
              "--zookeeper", zookeeper_address_,
              "--zk-root",   "/",
              "--proxies",   proxy_address_,
              "--config",    config_,
              "--state",     folder_ + "/journal.db"};
  words.emplace_back("--no-direct-clients");
  if (other_partitions > 0)
    words.insert(words.end(), {"--partitions", std::to_string(other_partitions), "--relay",
                               "relayB", "--relay-back", "relayA", "--store", "local"});
  return words;
}

Words HotWorld::words_of(const std::string& verb, const std::string& run) const {
  return {pegmove_, verb, run, "--config", config_, "--state", folder_ + "/journal.db"};
}

Words HotWorld::relay_words(bool goes_back) const {
  return {pegmove_,      "relay",
          "--from",      goes_back ? "B" : "A",
          "--to",        goes_back ? "A" : "B",
          "--table",     kBenchTable,
          "--listen",    goes_back ? relay_back_address_ : relay_address_,
          "--zookeeper", zookeeper_address_,
          "--config",    config_};
}

// A relay ends at once while its target has no such table.
Result<void> HotWorld::start_relays() {
  for (const bool goes_back : {false, true}) {
    Result<void> started = fail(Code::kTimeout, "a relay has not started");
    for (int i = 0; !started && i < kRelayTries; ++i) {
      if (i > 0) pause_for(std::chrono::milliseconds(200));
      auto relay = kept(TRY(base::ChildProcess::start(
          relay_words(goes_back), {.log = folder_ + "/relay.log", .appends_to_log = true})));
      started = wait_for_line(*relay, "ready", "a relay");
      if (started) processes_.push_back(std::move(relay));
    }
    TRY(std::move(started));
  }
  return {};
}

}  // namespace pegmove::bench
