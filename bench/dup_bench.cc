// Duplication between two embedded clusters on this machine: how long a single write takes until it
// can be read on the target, and how fast a backlog is shipped beside a bare RocksDB write of the
// same rows in the same run.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <fstream>

#include "async/run.h"
#include "bare_write.h"
#include "base/units.h"
#include "bench_cluster.h"
#include "bench_folder.h"
#include "bench_rows.h"
#include "client/duplications.h"
#include "client/table.h"

namespace pegmove::bench {
namespace {

using async::milliseconds;

constexpr int kPartitions = 8;
constexpr double kBacklogBar = 0.50;  // of the bare write
constexpr double kLatencyBarMs = 50;  // p99
constexpr int64_t kBareRowsABatch = 500;

struct Setup {
  std::string pegmove = "build/release/pegmove";
  std::string folder;
  int64_t rows = 1'000'000;
  int single_writes = 1'000;
  int repeats = 3;
  bool is_short = false;
};

Deadline within(client::Client& client, int seconds) {
  return Deadline::in(client.clock(), milliseconds(1000 * seconds));
}

// Both clusters and the duplication between them.
struct Duplicated {
  std::shared_ptr<client::Cluster> source;
  std::shared_ptr<client::Table> from, to;
  int32_t id = 0;
};

Task<Duplicated> duplicate(client::Client& client, std::string source, std::string target) {
  const auto deadline = within(client, 60);
  CO_TRY(co_await create_table(client, source, kPartitions));
  CO_TRY(co_await create_table(client, target, kPartitions));
  Duplicated made;
  made.source = CO_TRY(
      co_await client::Cluster::connect(client, *net::parse_host_port_list(source), deadline));
  auto other = CO_TRY(
      co_await client::Cluster::connect(client, *net::parse_host_port_list(target), deadline));
  made.from = CO_TRY(co_await client::Table::open(made.source, kBenchTable, deadline));
  made.to = CO_TRY(co_await client::Table::open(other, kBenchTable, deadline));
  made.id = CO_TRY(co_await client::add_duplication(
                       *made.source, {.table = kBenchTable, .remote = "B"}, deadline))
                .id;
  co_return made;
}

Task<> wait_for_row(client::Table& table, std::string hash_key, std::string value,
                    Deadline deadline) {
  while (true) {
    auto found = CO_TRY(co_await table.get(hash_key, "s", deadline));
    if (found.value == value) co_return Result<void>();
    if (deadline.passed(table.cluster().client().clock()))
      co_return fail(Code::kTimeout, "a write did not arrive on the target");
  }
}

// Milliseconds from before the write until it was read on the target, sorted.
Task<std::vector<double>> measure_single(client::Client& client, const Duplicated& tables,
                                         int writes) {
  std::vector<double> times;
  for (int i = 0; i < writes; ++i) {
    const auto key = "single" + std::to_string(i);
    const auto begin = client.clock().now();
    CO_TRY(co_await tables.from->set(key, "s", "v", 0, within(client, 60)));
    CO_TRY(co_await wait_for_row(*tables.to, key, "v", within(client, 60)));
    times.push_back(
        std::chrono::duration<double, std::milli>(client.clock().now() - begin).count());
  }
  std::ranges::sort(times);
  co_return times;
}

// All partitions have confirmed what they have.
Task<bool> is_drained(client::Client& client, const Duplicated& tables) {
  const auto list =
      CO_TRY(co_await client::table_duplications(*tables.source, kBenchTable, within(client, 60)));
  for (const auto& duplication : list.duplications)
    for (const auto& [index, partition] : duplication.partitions)
      if (partition.confirmed_decree < partition.last_committed_decree) co_return false;
  co_return true;
}

// Seconds to ship the rows, which were written while the duplication was paused.
Task<double> measure_backlog(client::Client& client, const Duplicated& tables, std::string source,
                             const std::vector<BenchRow>& rows) {
  using enum client::DuplicationStatus;
  const auto set = [&](client::DuplicationStatus status) {
    return client::set_duplication_status(*tables.source, kBenchTable, tables.id, status,
                                          within(client, 60));
  };
  CO_TRY(co_await set(kPause));
  CO_TRY(co_await load_table(client, source, rows));
  const auto begin = client.clock().now();
  CO_TRY(co_await set(kLog));
  const auto deadline = within(client, 600);
  while (!CO_TRY(co_await is_drained(client, tables))) {
    if (deadline.passed(client.clock()))
      co_return fail(Code::kTimeout, "the backlog was not shipped");
    co_await client.clock().sleep_for(milliseconds(10));  // no result
  }
  co_return std::chrono::duration<double>(client.clock().now() - begin).count();
}

double at(const std::vector<double>& sorted, double fraction) {
  return sorted[std::min(sorted.size() - 1, size_t(fraction * double(sorted.size())))];
}

std::string rate(int64_t rows, double seconds) {
  return base::format_count(uint64_t(double(rows) / seconds));
}

Task<bool> print_all(client::Client& client, std::string source, std::string target,
                     const Setup& setup) {
  const auto tables = CO_TRY(co_await duplicate(client, source, target));
  const auto times = CO_TRY(co_await measure_single(client, tables, setup.single_writes));
  const bool is_quick = at(times, 0.99) <= kLatencyBarMs;
  std::printf(
      "dup: %d single writes until they are read on the target: p50 %.1f ms, p99 %.1f ms "
      "(bar: %.0f ms), most %.1f ms: %s\n",
      setup.single_writes, at(times, 0.5), at(times, 0.99), kLatencyBarMs, times.back(),
      is_quick ? "OK" : "MISSED");
  const auto rows = make_rows({.rows = setup.rows});
  double shipped = 1e9, bare = 1e9;
  for (int i = 0; i < setup.repeats; ++i) {
    shipped = std::min(shipped, CO_TRY(co_await measure_backlog(client, tables, source, rows)));
    bare = std::min(bare, CO_TRY(write_bare(rows, {.folder = setup.folder + "/bare",
                                                   .partitions = kPartitions,
                                                   .rows_a_batch = kBareRowsABatch}))
                              .seconds);
  }
  const auto ratio = bare / shipped;
  std::printf(
      "dup: a backlog of %s rows of 100-byte values, %d partitions, best of %d\n"
      "  shipping         %s rows/s (%.2f s)\n"
      "  bare write       %s rows/s (%.2f s), two threads, %lld rows a batch\n"
      "  ratio            %.0f%% of the bare write (bar: %.0f%%): %s\n",
      base::format_count(uint64_t(setup.rows)).c_str(), kPartitions, setup.repeats,
      rate(setup.rows, shipped).c_str(), shipped, rate(setup.rows, bare).c_str(), bare,
      (long long)kBareRowsABatch, 100 * ratio, 100 * kBacklogBar,
      ratio >= kBacklogBar ? "OK" : "MISSED");
  co_return is_quick&& ratio >= kBacklogBar;
}

std::string write_config(const std::string& folder, const std::string& name,
                         const std::string& remote) {
  const auto path = folder + "/" + name + ".ini";
  std::ofstream file(path);
  file << "[duplication-group]\nA = 1\nB = 2\n";
  if (!remote.empty()) file << "[pegasus.clusters]\nB = " << remote << "\n";
  return path;
}

Result<bool> measure(const Setup& setup) {
  auto target = TRY(
      BenchCluster::start(setup.pegmove, setup.folder, "B", write_config(setup.folder, "B", "")));
  auto source = TRY(BenchCluster::start(setup.pegmove, setup.folder, "A",
                                        write_config(setup.folder, "A", target->meta())));
  asio::io_context context;
  async::SystemClock clock;
  client::Client client(context.get_executor(), clock);
  auto met = async::run_to_end(context, print_all(client, source->meta(), target->meta(), setup));
  async::run_to_end(context, client.close());
  return TRY(std::move(met)) || setup.is_short;
}

int run_main(int argc, char** argv) {
  CLI::App program(
      "Example: script/bench dup\n\nMeasures a duplication between two embedded clusters. Exits "
      "with 1 when a bar is missed.");
  Setup setup;
  program.add_option("--pegmove", setup.pegmove, "program to measure")->capture_default_str();
  program.add_option("--rows", setup.rows, "of the backlog")
      ->capture_default_str()
      ->check(CLI::Range(int64_t(1000), int64_t(100'000'000)));
  program.add_option("--repeats", setup.repeats, "of backlog and bare write; the best counts")
      ->capture_default_str()
      ->check(CLI::Range(1, 100));
  program.add_flag("--short", setup.is_short, "few rows; a missed bar is no failure");
  CLI11_PARSE(program, argc, argv);
  if (setup.is_short) {
    setup.rows = 20'000;
    setup.single_writes = 50;
    setup.repeats = 1;
  }
  return measure_in_folder(setup, measure);
}

}  // namespace
}  // namespace pegmove::bench

int main(int argc, char** argv) { return pegmove::bench::run_main(argc, argv); }
