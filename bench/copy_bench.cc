// A copy between two clusters on this machine beside a bare RocksDB write of the same rows.
//
// Rows: keys "k%010d" / "s" (so every row has a hash key of its own and travels in a PUT of its
// own), or with --sort-keys N that many sort keys a hash key. The bare write puts the same rows
// into as many databases as the target has partitions, with the options of the embedded cluster
// (log on), from two threads, in batches as large as those that the target made of its requests.
#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "async/run.h"
#include "base/units.h"
#include "bench_cluster.h"
#include "child_process.h"
#include "client/bulk_write.h"
#include "record/hash.h"
#include "record/key.h"
#include "store/partition_db.h"

namespace pegmove::bench {
namespace {

using base::format_count;
using base::format_size;

struct Setup {
  std::string pegmove = "build/release/pegmove";
  std::string folder;  // for all data
  int64_t rows = 1'000'000;
  int value_size = 100;
  int sort_keys = 1;
  int source_partitions = 8;
  int target_partitions = 16;
  std::string through = "plain";  // as pegmove copy takes it
};

// Values that compress about as real ones do: half random letters, half the same.
std::string value_of(const Setup& setup, int64_t row) {
  std::mt19937_64 random{uint64_t(row)};
  std::string value(size_t(setup.value_size), 'v');
  for (size_t i = 0; i < value.size() / 2; ++i) value[i] = char('a' + random() % 26);
  return value;
}

std::string key_of(const Setup& setup, int64_t row) {
  char hash_key[32], sort_key[32];
  std::snprintf(hash_key, sizeof hash_key, "k%010lld", (long long)(row / setup.sort_keys));
  std::snprintf(sort_key, sizeof sort_key, "s%lld", (long long)(row % setup.sort_keys));
  return record::encode_key(hash_key, sort_key);
}

Task<> load(client::Client& client, const Setup& setup, std::string meta) {
  auto& clock = client.clock();
  auto deadline = [&] { return Deadline::in(clock, async::milliseconds(60'000)); };
  auto cluster = CO_TRY(
      co_await client::Cluster::connect(client, *net::parse_host_port_list(meta), deadline()));
  CO_TRY(co_await cluster->create_table("bench", {.partition_count = setup.source_partitions},
                                        deadline()));
  CO_TRY(co_await cluster->wait_until_ready("bench", {}, deadline()));
  auto table = CO_TRY(co_await client::Table::open(cluster, "bench", deadline()));
  const int64_t batch =
      std::max<int64_t>(1, std::min<int64_t>(20'000, (16 << 20) / setup.value_size));
  for (int64_t begin = 0; begin < setup.rows; begin += batch) {
    std::vector<std::pair<std::string, std::string>> rows;
    for (auto row = begin; row < std::min(begin + batch, setup.rows); ++row)
      rows.emplace_back(key_of(setup, row), value_of(setup, row));
    std::vector<std::vector<client::RawRow>> parts(size_t(setup.source_partitions));
    for (const auto& [key, value] : rows) {
      auto hash = record::raw_key_hash(*record::split_key(key));
      parts[size_t(record::partition_index(hash, setup.source_partitions))].push_back(
          {key, value, 0});
    }
    for (size_t index = 0; index < parts.size(); ++index)
      CO_TRY(co_await client::write_rows(*table, int32_t(index), std::move(parts[index]), 64 << 10,
                                         deadline()));
  }
  co_return Result<void>();
}

// How many mutations the target made of the copy: the decrees of its partitions, told by a write to
// each.
Task<int64_t> count_mutations(client::Client& client, const Setup& setup, std::string meta) {
  auto deadline = Deadline::in(client.clock(), async::milliseconds(60'000));
  auto cluster =
      CO_TRY(co_await client::Cluster::connect(client, *net::parse_host_port_list(meta), deadline));
  auto table = CO_TRY(co_await client::Table::open(cluster, "bench", deadline));
  std::vector<int64_t> decrees(size_t(setup.target_partitions), -1);
  for (int i = 0; std::ranges::count(decrees, -1) > 0; ++i) {
    auto info = CO_TRY(co_await table->set("probe" + std::to_string(i), "", "", 0, deadline));
    auto& decree = decrees[size_t(info.partition_index)];
    if (decree < 0) decree = info.decree - 1;
  }
  int64_t all = 0;
  for (auto decree : decrees) all += decree;
  co_return all;
}

Result<double> bare_write_seconds(const Setup& setup, int64_t rows_a_batch) {
  std::vector<std::unique_ptr<store::PartitionDb>> dbs;
  auto resources = store::StoreResources::make(128 << 20, 256 << 20);
  for (int index = 0; index < setup.target_partitions; ++index)
    dbs.push_back(TRY(store::PartitionDb::open(
        {.path = setup.folder + "/bare/" + std::to_string(index), .resources = resources})));
  std::vector<std::vector<int64_t>> rows(dbs.size());
  std::vector<std::pair<std::string, std::string>> content;
  for (int64_t row = 0; row < setup.rows; ++row) {
    content.emplace_back(key_of(setup, row), value_of(setup, row));
    auto hash = record::raw_key_hash(*record::split_key(content.back().first));
    rows[size_t(record::partition_index(hash, setup.target_partitions))].push_back(row);
  }
  auto write = [&](size_t first) {
    for (size_t index = first; index < dbs.size(); index += 2) {
      auto batch = dbs[index]->new_batch();
      int64_t decree = 0;
      for (size_t i = 0; i < rows[index].size(); ++i) {
        const auto& [key, value] = content[size_t(rows[index][i])];
        batch.put(key, value, 0, 1);
        if (int64_t(batch.count()) < rows_a_batch && i + 1 < rows[index].size()) continue;
        if (!dbs[index]->write(batch, ++decree)) std::abort();
        batch.clear();
      }
    }
  };
  auto start = std::chrono::steady_clock::now();
  std::thread other([&] { write(1); });
  write(0);
  other.join();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void print_process(const char* name, double cpu_seconds, int64_t peak_bytes, int64_t rows) {
  std::printf("  %-16s %6.2f CPU s a million rows, peak memory %s\n", name,
              cpu_seconds * 1e6 / double(rows), format_size(uint64_t(peak_bytes)).c_str());
}

// The [duplication-group] of both clusters.
Result<std::string> write_group(const Setup& setup) {
  std::error_code error;
  std::filesystem::create_directories(setup.folder, error);
  auto path = setup.folder + "/group.ini";
  std::ofstream file(path);
  file << "[duplication-group]\nA = 1\nB = 2\n";
  file.close();
  if (!file) return fail(Code::kIo, "writing " + path);
  return path;
}

std::vector<std::string> copy_words(const Setup& setup, const std::string& from,
                                    const std::string& to) {
  std::vector<std::string> words{setup.pegmove,
                                 "copy",
                                 "--from",
                                 from,
                                 "--to",
                                 to,
                                 "--table",
                                 "bench",
                                 "--create",
                                 "--partitions",
                                 std::to_string(setup.target_partitions),
                                 "--json",
                                 "--quiet",
                                 "--through",
                                 setup.through};
  if (setup.through == "duplicate") words.insert(words.end(), {"--duplicate-cluster-id", "1"});
  return words;
}

Result<void> run(const Setup& setup) {
  asio::io_context context;
  async::SystemClock clock;
  client::Client client(context.get_executor(), clock);
  auto config = TRY(write_group(setup));
  auto a = TRY(BenchCluster::start(setup.pegmove, setup.folder, "A", config));
  auto b = TRY(BenchCluster::start(setup.pegmove, setup.folder, "B", config));
  TRY(async::run_to_end(context, load(client, setup, a->meta())));
  auto a_before = TRY(usage_of(a->pid())), b_before = TRY(usage_of(b->pid()));
  auto copy = TRY(run_process(copy_words(setup, a->meta(), b->meta())));
  auto a_after = TRY(usage_of(a->pid())), b_after = TRY(usage_of(b->pid()));
  auto seconds = nlohmann::json::parse(copy.output)["elapsed_ms"].get<double>() / 1000;
  auto verify = TRY(run_process({setup.pegmove, "verify", "--from", a->meta(), "--to", b->meta(),
                                 "--table", "bench", "--quiet"}));
  auto mutations = TRY(async::run_to_end(context, count_mutations(client, setup, b->meta())));
  auto close = [](client::Client& client) -> Routine<bool> {
    co_await client.close();  // no result
    co_return true;
  };
  async::run_to_end(context, close(client));
  auto batch = std::max<int64_t>(1, (setup.rows + mutations - 1) / std::max<int64_t>(1, mutations));
  auto bare = TRY(bare_write_seconds(setup, batch));
  std::printf(
      "copy: %s rows of %d-byte values, %d sort keys a hash key, %d -> %d partitions, %s, %u "
      "cores\n",
      format_count(uint64_t(setup.rows)).c_str(), setup.value_size, setup.sort_keys,
      setup.source_partitions, setup.target_partitions, setup.through.c_str(),
      std::thread::hardware_concurrency());
  std::printf("  copy             %s rows/s (%.2f s); target wrote %lld rows a batch\n",
              format_count(uint64_t(double(setup.rows) / seconds)).c_str(), seconds,
              (long long)batch);
  std::printf("  bare write       %s rows/s (%.2f s), two threads, same batches\n",
              format_count(uint64_t(double(setup.rows) / bare)).c_str(), bare);
  std::printf("  ratio            %.0f%% of the bare write (bar: 25%%)\n", 100 * bare / seconds);
  print_process("pegmove copy", copy.usage.cpu_seconds, copy.usage.peak_bytes, setup.rows);
  print_process("source cluster", a_after.cpu_seconds - a_before.cpu_seconds, a_after.peak_bytes,
                setup.rows);
  print_process("target cluster", b_after.cpu_seconds - b_before.cpu_seconds, b_after.peak_bytes,
                setup.rows);
  std::printf("  verified: %s", verify.output.c_str());
  return {};
}

}  // namespace

int run_main(int argc, char** argv) {
  CLI::App program(
      "Example: script/bench copy --value-size 1024\n\nMeasures a copy beside a bare RocksDB "
      "write.");
  Setup setup;
  program.add_option("--pegmove", setup.pegmove, "program to measure")->capture_default_str();
  program.add_option("--rows", setup.rows)
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000'000));
  program.add_option("--value-size", setup.value_size)
      ->capture_default_str()
      ->check(CLI::Range(0, 1'000'000));
  program.add_option("--sort-keys", setup.sort_keys, "a hash key")
      ->capture_default_str()
      ->check(CLI::Range(1, 100'000));
  program.add_option("--from-partitions", setup.source_partitions)
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  program.add_option("--to-partitions", setup.target_partitions)
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  program.add_option("--through", setup.through, "how the copy writes")
      ->capture_default_str()
      ->check(CLI::IsMember({"plain", "duplicate"}));
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
