// Single sets and gets at full speed over many connections, compared with the same operations on
// bare RocksDB.
//
// Each connection is a separate client with one request in flight: a set of a random row, then a
// get of another, repeatedly. The bare side has as many threads in one process, which do the same
// to as many databases as the table has partitions, with the embedded cluster's options (log on).
// Fails when an operation fails, or when the cluster's memory exceeds what its caches may use.
#include <CLI/CLI.hpp>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <random>
#include <thread>

#include "async/run.h"
#include "async/task_group.h"
#include "base/units.h"
#include "bench_cluster.h"
#include "client/table.h"
#include "process_usage.h"
#include "record/hash.h"
#include "record/key.h"
#include "store/partition_db.h"

namespace pegmove::bench {
namespace {

using base::format_count;
using base::format_size;
using SteadyClock = std::chrono::steady_clock;

struct Setup {
  std::string pegmove = "build/release/pegmove";
  std::string folder;
  int connections = 64;
  int seconds = 60;
  int rows = 1'000'000;
  int value_size = 100;
  int partitions = 8;
};

// Block cache and memtables of two replica servers, and the program itself.
constexpr int64_t kMostClusterBytes = 2 * ((128ll + 256) << 20) + (192ll << 20);

class Latencies {
 public:
  void add(SteadyClock::time_point begin) {
    auto took = std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - begin);
    microseconds_.push_back(uint32_t(took.count()));
  }
  void add(const Latencies& other) {
    microseconds_.insert(microseconds_.end(), other.microseconds_.begin(),
                         other.microseconds_.end());
  }
  size_t count() const { return microseconds_.size(); }
  uint32_t percentile(double fraction) {
    if (microseconds_.empty()) return 0;
    auto place = microseconds_.begin() + int64_t(double(microseconds_.size() - 1) * fraction);
    std::nth_element(microseconds_.begin(), place, microseconds_.end());
    return *place;
  }

 private:
  std::vector<uint32_t> microseconds_;
};

struct Measured {
  Latencies sets, gets;
  double seconds = 0;

  void add(const Measured& other) {
    sets.add(other.sets);
    gets.add(other.gets);
  }
  double operations_a_second() const { return double(sets.count() + gets.count()) / seconds; }
};

std::string hash_key_of(int row) { return "k" + std::to_string(row); }

// One connection until the end.
Task<> drive(const Setup& setup, std::shared_ptr<client::Table> table, int number,
             SteadyClock::time_point end, Measured& measured) {
  std::mt19937 random{unsigned(number)};
  std::uniform_int_distribution<int> row(0, setup.rows - 1);
  const std::string value(size_t(setup.value_size), 'v');
  auto& clock = table->cluster().client().clock();
  while (SteadyClock::now() < end) {
    auto deadline = Deadline::in(clock, async::milliseconds(10'000));
    auto begin = SteadyClock::now();
    CO_TRY(co_await table->set(hash_key_of(row(random)), "s", value, 0, deadline));
    measured.sets.add(begin);
    begin = SteadyClock::now();
    auto got = CO_TRY(co_await table->get(hash_key_of(row(random)), "s", deadline));
    measured.gets.add(begin);
    if (got.value && *got.value != value) co_return fail(Code::kCorrupt, "a wrong value came back");
  }
  co_return Result<void>();
}

struct Connection {
  std::unique_ptr<client::Client> client;
  std::shared_ptr<client::Table> table;
  Measured measured;
  Result<void> ended;
};

Task<> open(Connection& connection, const std::string& meta, const Setup& setup) {
  auto deadline = Deadline::in(connection.client->clock(), async::milliseconds(30'000));
  auto cluster = CO_TRY(co_await client::Cluster::connect(
      *connection.client, *net::parse_host_port_list(meta), deadline));
  CO_TRY(co_await cluster->create_table(
      "bench", {.partition_count = setup.partitions, .fail_if_exists = false}, deadline));
  CO_TRY(co_await cluster->wait_until_ready("bench", {}, deadline));
  connection.table = CO_TRY(co_await client::Table::open(cluster, "bench", deadline));
  co_return Result<void>();
}

Routine<> drive_to_end(const Setup& setup, Connection& connection, int number,
                       SteadyClock::time_point end) {
  connection.ended = co_await drive(setup, connection.table, number, end, connection.measured);
}

Task<> drive_all(const Setup& setup, std::vector<Connection>& connections) {
  async::TaskGroup group(co_await asio::this_coro::executor);
  auto end = SteadyClock::now() + std::chrono::seconds(setup.seconds);
  for (size_t i = 0; i < connections.size(); ++i)
    group.spawn(drive_to_end(setup, connections[i], int(i), end));
  co_await group.join();  // no result
  co_return Result<void>();
}

// Samples the resident memory of the cluster under load.
class MemoryWatch {
 public:
  MemoryWatch(pid_t pid, int seconds) : pid_(pid), step_(std::max(1, seconds / 6)) {
    thread_ = std::jthread([this](std::stop_token stop) { watch(stop); });
  }
  std::vector<int64_t> finish() {
    thread_.request_stop();
    thread_.join();
    if (auto usage = usage_of(pid_)) samples_.push_back(usage->resident_bytes);
    return samples_;
  }

 private:
  void watch(std::stop_token stop) {
    std::mutex mutex;
    std::condition_variable_any ended;
    std::unique_lock lock(mutex);
    for (auto next = SteadyClock::now(); !stop.stop_requested();) {
      next += std::chrono::seconds(step_);
      if (ended.wait_until(lock, stop, next, [] { return false; })) return;
      if (stop.stop_requested()) return;
      if (auto usage = usage_of(pid_)) samples_.push_back(usage->resident_bytes);
    }
  }

  pid_t pid_;
  int step_;
  std::vector<int64_t> samples_;
  std::jthread thread_;
};

Result<Measured> drive_cluster(const Setup& setup, const BenchCluster& cluster,
                               std::vector<int64_t>& memory) {
  asio::io_context context;
  async::SystemClock clock;
  std::vector<Connection> connections(size_t(setup.connections));
  Result<void> ended;
  for (auto& connection : connections) {
    connection.client = std::make_unique<client::Client>(context.get_executor(), clock);
    if (ended) ended = async::run_to_end(context, open(connection, cluster.meta(), setup));
  }
  MemoryWatch watch(cluster.pid(), setup.seconds);
  const auto begin = SteadyClock::now();
  if (ended) ended = async::run_to_end(context, drive_all(setup, connections));
  Measured all;
  all.seconds = std::chrono::duration<double>(SteadyClock::now() - begin).count();
  memory = watch.finish();
  for (auto& connection : connections) {
    all.add(connection.measured);
    if (!connection.ended) ended = std::move(connection.ended);
    connection.table.reset();
    async::run_to_end(context, connection.client->close());
  }
  TRY(std::move(ended));
  return all;
}

struct BarePartition {
  std::unique_ptr<store::PartitionDb> db;
  std::mutex writing;
};

bool drive_bare_thread(const Setup& setup, std::vector<BarePartition>& partitions, int number,
                       SteadyClock::time_point end, Measured& measured) {
  std::mt19937 random{unsigned(number)};
  std::uniform_int_distribution<int> row(0, setup.rows - 1);
  const std::string value(size_t(setup.value_size), 'v');
  auto partition_of = [&](const std::string& hash_key) -> BarePartition& {
    return partitions[size_t(
        record::partition_index(record::key_hash(hash_key, "s"), setup.partitions))];
  };
  while (SteadyClock::now() < end) {
    auto begin = SteadyClock::now();
    auto hash_key = hash_key_of(row(random));
    auto& target = partition_of(hash_key);
    auto batch = target.db->new_batch();
    batch.put(record::encode_key(hash_key, "s"), value, 0, 1);
    {
      std::lock_guard lock(target.writing);
      if (!target.db->write(batch, target.db->last_decree() + 1)) return false;
    }
    measured.sets.add(begin);
    begin = SteadyClock::now();
    hash_key = hash_key_of(row(random));
    if (!partition_of(hash_key).db->get(record::encode_key(hash_key, "s"))) return false;
    measured.gets.add(begin);
  }
  return true;
}

Result<Measured> drive_bare(const Setup& setup) {
  std::vector<BarePartition> partitions(size_t(setup.partitions));
  auto resources = store::StoreResources::make(128 << 20, 256 << 20);
  for (size_t i = 0; i < partitions.size(); ++i)
    partitions[i].db = TRY(store::PartitionDb::open(
        {.path = setup.folder + "/bare/" + std::to_string(i), .resources = resources}));
  std::vector<Measured> measured(size_t(setup.connections));
  std::atomic<bool> good = true;
  const auto begin = SteadyClock::now();
  const auto end = begin + std::chrono::seconds(std::max(1, setup.seconds / 6));
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < measured.size(); ++i)
      threads.emplace_back([&, i] {
        if (!drive_bare_thread(setup, partitions, int(i), end, measured[i])) good = false;
      });
  }
  if (!good) return fail(Code::kIo, "the bare RocksDB failed");
  Measured all;
  all.seconds = std::chrono::duration<double>(SteadyClock::now() - begin).count();
  for (const auto& one : measured) all.add(one);
  return all;
}

void print(const char* name, Measured& measured) {
  std::printf("  %-8s %9s operations/s; set p50 %u us, p99 %u us; get p50 %u us, p99 %u us\n", name,
              format_count(uint64_t(measured.operations_a_second())).c_str(),
              measured.sets.percentile(0.5), measured.sets.percentile(0.99),
              measured.gets.percentile(0.5), measured.gets.percentile(0.99));
}

Result<void> run(const Setup& setup) {
  auto cluster = TRY(BenchCluster::start(setup.pegmove, setup.folder, "ops"));
  std::vector<int64_t> memory;
  auto driven = TRY(drive_cluster(setup, *cluster, memory));
  auto bare = TRY(drive_bare(setup));
  std::printf("ops: %d connections for %d s, %s rows of %d-byte values, %d partitions, %u cores\n",
              setup.connections, setup.seconds, format_count(uint64_t(setup.rows)).c_str(),
              setup.value_size, setup.partitions, std::thread::hardware_concurrency());
  print("cluster", driven);
  print("bare", bare);
  std::printf("  ratio    %.0f%% of the operations of bare RocksDB, no error in %s\n",
              100 * driven.operations_a_second() / bare.operations_a_second(),
              format_count(driven.sets.count() + driven.gets.count()).c_str());
  std::printf("  memory   of the cluster:");
  for (auto bytes : memory) std::printf(" %s", format_size(uint64_t(bytes)).c_str());
  std::printf("\n");
  if (std::ranges::max(memory) > kMostClusterBytes)
    return fail(Code::kTooLarge, "the cluster took more than its caches may: " +
                                     format_size(uint64_t(kMostClusterBytes)));
  return {};
}

}  // namespace

int run_main(int argc, char** argv) {
  CLI::App program(
      "Example: script/bench ops --seconds 10\n\nDrives an embedded cluster with sets and gets "
      "over many connections, beside bare RocksDB.");
  Setup setup;
  program.add_option("--pegmove", setup.pegmove, "program to measure")->capture_default_str();
  program.add_option("--connections", setup.connections)
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  program.add_option("--seconds", setup.seconds)->capture_default_str()->check(CLI::Range(1, 3600));
  program.add_option("--rows", setup.rows)
      ->capture_default_str()
      ->check(CLI::Range(1, 100'000'000));
  program.add_option("--value-size", setup.value_size)
      ->capture_default_str()
      ->check(CLI::Range(0, 1'000'000));
  program.add_option("--partitions", setup.partitions)
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  CLI11_PARSE(program, argc, argv);
  setup.folder = std::filesystem::temp_directory_path() /
                 ("pegmove-bench-" + std::to_string(std::random_device{}()));
  auto result = run(setup);
  std::filesystem::remove_all(setup.folder);
  if (result) return 0;
  std::fprintf(stderr, "bench: %s\n", result.error().to_string().c_str());
  return 1;
}

}  // namespace pegmove::bench

int main(int argc, char** argv) { return pegmove::bench::run_main(argc, argv); }
