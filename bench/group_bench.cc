// Rows of few sort keys into a cluster in which writes cost what they cost in a real one: always by
// PUT, always by MULTI_PUT where a hash key has several rows, and as client/join_threshold.h
// chooses.
//
// The rows come from memory, so that nothing but writing takes time. Each way writes to a table of
// its own.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <cstdio>

#include "async/run.h"
#include "base/units.h"
#include "bench_cluster.h"
#include "bench_folder.h"
#include "bench_rows.h"
#include "record/hash.h"
#include "record/key.h"
#include "rows/table_rows.h"

namespace pegmove::bench {
namespace {

using client::Joins;

constexpr int kPartitions = 8;
constexpr size_t kBatchRows = 1000;
constexpr double kBar = 0.90;  // of the better fixed way
constexpr int kSortKeys[] = {1, 4, 10, 40, 200};

struct Setup {
  std::string pegmove = "build/release/pegmove";
  std::string folder;
  int64_t rows = 400'000;
  bool is_short = false;
};

using Partition = std::vector<rows::RawRow>;

// A lane for each partition, as in a copy between tables of the same partition count.
class MemorySource : public rows::RowSource {
 public:
  explicit MemorySource(const std::vector<Partition>& partitions) : partitions_(partitions) {}
  int lanes() const override { return int(partitions_.size()); }
  std::unique_ptr<rows::Lane> open_lane(int index, std::string) override {
    return std::make_unique<MemoryLane>(partitions_[size_t(index)]);
  }

 private:
  class MemoryLane : public rows::Lane {
   public:
    explicit MemoryLane(std::span<const rows::RawRow> rest) : rest_(rest) {}
    Task<std::optional<rows::RowBatch>> next() override {
      if (rest_.empty()) co_return std::nullopt;
      const auto rows = rest_.first(std::min(kBatchRows, rest_.size()));
      rest_ = rest_.subspan(rows.size());
      rows::RowBatch batch;
      batch.rows.assign(rows.begin(), rows.end());
      co_return batch;
    }

   private:
    std::span<const rows::RawRow> rest_;
  };

  const std::vector<Partition>& partitions_;
};

std::vector<Partition> by_partition(const std::vector<BenchRow>& rows) {
  std::vector<Partition> partitions(kPartitions);
  for (const auto& row : rows) {
    const auto hash = record::raw_key_hash(*record::split_key(row.raw_key));
    const auto index = record::partition_index(hash, kPartitions);
    partitions[size_t(index)].push_back({row.raw_key, row.value, 0});
  }
  return partitions;
}

Task<std::shared_ptr<client::Table>> make_table(client::Client& client, std::string meta,
                                                std::string name) {
  const auto deadline = Deadline::in(client.clock(), async::milliseconds(60'000));
  auto cluster =
      CO_TRY(co_await client::Cluster::connect(client, *net::parse_host_port_list(meta), deadline));
  CO_TRY(co_await cluster->create_table(name, {.partition_count = kPartitions}, deadline));
  CO_TRY(co_await cluster->wait_until_ready(name, {}, deadline));
  co_return co_await client::Table::open(cluster, name, deadline);
}

// Rows per second.
Task<double> write(client::Client& client, const std::string& meta,
                   const std::vector<Partition>& partitions, Joins joins, std::string name) {
  auto table = CO_TRY(co_await make_table(client, meta, std::move(name)));
  MemorySource source(partitions);
  rows::TableSink sink(table, {.joins = joins});
  const async::StopSignal stop;
  rows::Pump pump(source, sink, stop, {});
  const auto begin = client.clock().now();
  CO_TRY(co_await pump.run());
  const std::chrono::duration<double> took = client.clock().now() - begin;
  co_return double(pump.progress().rows) / took.count();
}

std::string rate(double rows_per_second) { return base::format_count(uint64_t(rows_per_second)); }

Task<bool> print_groups(client::Client& client, const std::string& meta, const Setup& setup) {
  bool met = true;
  for (const int sort_keys : kSortKeys) {
    const auto rows = make_rows({.rows = setup.rows, .sort_keys = sort_keys});
    const auto partitions = by_partition(rows);
    const auto name = "t" + std::to_string(sort_keys);
    const auto put = CO_TRY(co_await write(client, meta, partitions, Joins::kNever, name + "p"));
    const auto multi_put =
        CO_TRY(co_await write(client, meta, partitions, Joins::kAlways, name + "mp"));
    const auto measured =
        CO_TRY(co_await write(client, meta, partitions, Joins::kMeasured, name + "m"));
    const auto ratio = measured / std::max(put, multi_put);
    met = met && ratio >= kBar;
    std::printf("  %3d rows a hash key: PUT %9s, MULTI_PUT %9s, measured %9s rows/s: %3.0f%% %s\n",
                sort_keys, rate(put).c_str(), rate(multi_put).c_str(), rate(measured).c_str(),
                100 * ratio, ratio >= kBar ? "OK" : "MISSED");
    std::fflush(stdout);
  }
  co_return met;
}

Result<bool> measure(const Setup& setup) {
  auto cluster =
      TRY(BenchCluster::start(setup.pegmove, setup.folder, "B", {}, {"--real-write-cost"}));
  std::printf(
      "groups: %s rows of 100-byte values, %d partitions, into a cluster in which writes cost what "
      "they cost in a real one; the choice beside the better way (bar: %.0f%%)\n",
      base::format_count(uint64_t(setup.rows)).c_str(), kPartitions, 100 * kBar);
  asio::io_context context;
  async::SystemClock clock;
  client::Client client(context.get_executor(), clock);
  auto met = async::run_to_end(context, print_groups(client, cluster->meta(), setup));
  async::run_to_end(context, client.close());
  return TRY(std::move(met)) || setup.is_short;
}

int run_main(int argc, char** argv) {
  CLI::App program(
      "Example: script/bench groups\n\nWrites rows of few sort keys by PUT, by MULTI_PUT, and as "
      "measured. Exits with 1 when the bar is missed.");
  Setup setup;
  program.add_option("--pegmove", setup.pegmove, "program to measure")->capture_default_str();
  program.add_option("--rows", setup.rows, "of each table")
      ->capture_default_str()
      ->check(CLI::Range(int64_t(1000), int64_t(100'000'000)));
  program.add_flag("--short", setup.is_short, "few rows; a missed bar is no failure");
  CLI11_PARSE(program, argc, argv);
  if (setup.is_short) setup.rows = 20'000;
  return measure_in_folder(setup, measure);
}

}  // namespace
}  // namespace pegmove::bench

int main(int argc, char** argv) { return pegmove::bench::run_main(argc, argv); }
