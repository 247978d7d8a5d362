// A backup of a table to a folder and its restore, compared with `cp` of the same files with fsync;
// and the latencies of a client meanwhile.
//
// The table is compacted first, so that its files are realistic. Times of backup and restore are
// the meta server's own. Fails when one of them is below its bar.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "async/all.h"
#include "async/run.h"
#include "base/bytes.h"
#include "base/units.h"
#include "bench_cluster.h"
#include "bench_folder.h"
#include "bench_rows.h"
#include "client/backups.h"
#include "client/node.h"
#include "client/table.h"
#include "process_usage.h"

namespace pegmove::bench {
namespace {

namespace fs = std::filesystem;
using async::milliseconds;
using base::format_size;
using Json = nlohmann::json;
using SteadyClock = std::chrono::steady_clock;

constexpr double kBar = 0.7;  // of the speed of cp
constexpr size_t kRowsAtOnce = 50'000;

struct Setup {
  std::string pegmove = "build/release/pegmove";
  std::string folder;
  int64_t megabytes = 1024;
  int partitions = 8;
  int connections = 4;
  bool has_bars = true;
};

double seconds_since(SteadyClock::time_point begin) {
  return std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

// The cluster, and a client of it.
class Stage {
 public:
  static Result<std::unique_ptr<Stage>> start(const Setup& setup) {
    auto stage = std::make_unique<Stage>(setup);
    std::ofstream(setup.folder + "/backup.ini")
        << "[block_service.local]\ntype = local_service\nargs = " << setup.folder << "/store\n";
    stage->bench_ = TRY(
        BenchCluster::start(setup.pegmove, setup.folder, "backup", setup.folder + "/backup.ini"));
    stage->cluster_ = TRY(stage->run(client::Cluster::connect(
        stage->client_, *net::parse_host_port_list(stage->bench_->meta()), stage->deadline())));
    return stage;
  }
  explicit Stage(const Setup& setup) : setup_(setup) {}
  ~Stage() {
    cluster_.reset();
    async::run_to_end(context_, client_.close());
  }

  template <typename T>
  Result<T> run(Task<T> task) {
    return async::run_to_end(context_, std::move(task));
  }
  Deadline deadline() const { return Deadline::in(clock_, milliseconds(600'000)); }
  client::Cluster& cluster() { return *cluster_; }
  std::shared_ptr<client::Cluster> shared_cluster() { return cluster_; }
  client::Client& client() { return client_; }
  const std::string& meta() const { return bench_->meta(); }

  Result<void> fill() {
    TRY(run(create_table(client_, meta(), setup_.partitions)));
    RowShape shape{.rows = int64_t(kRowsAtOnce), .value_size = 1000};
    // Values that do not compress, so that the files are as large as the rows.
    std::mt19937_64 random(1);
    for (int64_t bytes = 0, round = 0; bytes < setup_.megabytes << 20; ++round) {
      auto rows = make_rows(shape);
      for (auto& row : rows) {
        row.raw_key += "-" + std::to_string(round);
        for (size_t i = 0; i + 8 <= row.value.size(); i += 8)
          base::store_big_endian(row.value.data() + i, random());
      }
      TRY(run(load_table(client_, meta(), rows)));
      bytes += bytes_of(rows);
    }
    return {};
  }

  // The meta server's status of the newest backup, or of a restore.
  Result<Json> status(const std::string& command, int32_t app_id) {
    auto text = TRY(run(client::remote_command(client_, TRY(net::parse_host_port(meta())), command,
                                               {std::to_string(app_id)}, deadline())));
    auto json = Json::parse(text, nullptr, false);
    if (!json.is_array() || json.empty())
      return fail(Code::kInternal, command + " answers " + text.substr(0, 200));
    return json.back();
  }

  Result<Json> wait_for_end(const std::string& command, int32_t app_id) {
    while (true) {
      auto job = TRY(status(command, app_id));
      if (job["state"] == "done") return job;
      if (job["state"] != "running") return fail(Code::kInternal, job.dump());
      TRY(run([](Clock& clock) -> Task<> {
        co_await clock.sleep_for(milliseconds(20));  // no result
        co_return Result<void>();
      }(clock_)));
    }
  }

  Result<int32_t> app_id() {
    return TRY(run(cluster_->table_info(kBenchTable, deadline()))).app_id;
  }
  Result<int64_t> begin_backup() {
    return TRY(run(client::start_backup(*cluster_, TRY(app_id()), "local", "", deadline())))
        .backup_id;
  }

 private:
  const Setup& setup_;
  asio::io_context context_;
  async::SystemClock clock_;
  client::Client client_{context_.get_executor(), clock_};
  std::unique_ptr<BenchCluster> bench_;
  std::shared_ptr<client::Cluster> cluster_;  // shared with tables
};

double seconds_of(const Json& job) {
  return double(job["end_ms"].get<int64_t>() - job["start_ms"].get<int64_t>()) / 1000;
}

// cp of the backup's own data files, and fsync of each: the limit for a backup.
Result<double> copy_plainly(const Setup& setup, const std::string& from) {
  const auto to = setup.folder + "/cp";
  fs::create_directories(to);
  std::vector<std::string> copies;
  const auto begin = SteadyClock::now();
  TRY(run_process({"/bin/cp", "-r", from, to}));
  for (const auto& entry : fs::recursive_directory_iterator(to))
    if (entry.is_regular_file()) copies.push_back(entry.path().string());
  std::vector<std::string> words{"/usr/bin/sync"};
  words.insert(words.end(), copies.begin(), copies.end());
  TRY(run_process(std::move(words)));
  const auto seconds = seconds_since(begin);
  fs::remove_all(to);
  return seconds;
}

struct Latencies {
  std::vector<double> sets_ms, gets_ms;
};

double percentile(std::vector<double>& samples, double fraction) {
  if (samples.empty()) return 0;
  const auto place = samples.begin() + int64_t(double(samples.size() - 1) * fraction);
  std::ranges::nth_element(samples, place);
  return *place;
}

// Sets and gets in turn while `goes_on`.
Task<> drive(std::shared_ptr<client::Table> table, Clock& clock, const bool& goes_on,
             Latencies& latencies) {
  std::mt19937 random(7);
  const std::string value(1000, 'v');
  while (goes_on) {
    const auto key = "driven" + std::to_string(random() % 100'000);
    const auto deadline = Deadline::in(clock, milliseconds(30'000));
    auto begin = SteadyClock::now();
    CO_TRY(co_await table->set(key, "s", value, 0, deadline));
    latencies.sets_ms.push_back(seconds_since(begin) * 1000);
    begin = SteadyClock::now();
    CO_TRY(co_await table->get(key, "s", deadline));
    latencies.gets_ms.push_back(seconds_since(begin) * 1000);
  }
  co_return Result<void>();
}

// Ends the load after the time, or when the backup has ended.
Task<> watch(Stage& stage, Clock& clock, bool& goes_on, milliseconds at_least, int32_t app_id) {
  const auto end = clock.now() + at_least;
  auto meta = CO_TRY(net::parse_host_port(stage.meta()));
  while (true) {
    co_await clock.sleep_for(milliseconds(50));  // no result
    if (app_id == 0 && clock.now() >= end) break;
    if (app_id == 0) continue;
    auto text = co_await client::remote_command(stage.client(), meta, "backup.status",
                                                {std::to_string(app_id)}, stage.deadline());
    if (!text || !text->contains("\"running\"")) break;
  }
  goes_on = false;
  co_return Result<void>();
}

// With app_id 0 for two seconds, else until no backup of the table runs.
Result<Latencies> feel(const Setup& setup, Stage& stage, int32_t app_id) {
  auto table =
      TRY(stage.run(client::Table::open(stage.shared_cluster(), kBenchTable, stage.deadline())));
  Latencies latencies;
  bool goes_on = true;
  async::SystemClock clock;
  std::vector<Task<>> tasks;
  for (int i = 0; i < setup.connections; ++i)
    tasks.push_back(drive(table, clock, goes_on, latencies));
  tasks.push_back(watch(stage, clock, goes_on, milliseconds(2000), app_id));
  TRY(stage.run(async::all(std::move(tasks))));
  return latencies;
}

// True when it is within its bar.
bool print_speed(const Setup& setup, const char* name, int64_t bytes, double seconds,
                 double cp_seconds) {
  const auto ratio = cp_seconds / seconds;
  std::printf("  %-8s %6.2f s, %7.1f MB/s", name, seconds, double(bytes) / 1e6 / seconds);
  if (std::string_view(name) != "cp")
    std::printf(", %3.0f%% of cp (bar %.0f%%)", 100 * ratio, 100 * kBar);
  std::printf("\n");
  return !setup.has_bars || ratio >= kBar;
}

void print_latencies(const char* name, Latencies& latencies) {
  std::printf(
      "  client %-17s set p50 %6.2f ms, p99 %7.2f ms; get p50 %6.2f ms, p99 %7.2f ms (%zu)\n", name,
      percentile(latencies.sets_ms, 0.5), percentile(latencies.sets_ms, 0.99),
      percentile(latencies.gets_ms, 0.5), percentile(latencies.gets_ms, 0.99),
      latencies.sets_ms.size());
}

Result<bool> measure(const Setup& setup) {
  auto stage = TRY(Stage::start(setup));
  TRY(stage->fill());
  const auto app_id = TRY(stage->app_id());
  double backup = 1e9, restore = 1e9, cp = 1e9;
  int64_t bytes = 0;
  for (int round = 0; round < 2; ++round) {
    const auto id = TRY(stage->begin_backup());
    const auto job = TRY(stage->wait_for_end("backup.status", app_id));
    backup = std::min(backup, seconds_of(job));
    bytes = job["bytes"].get<int64_t>();
    const auto folder = setup.folder + "/store/" + job["folder"].get<std::string>();
    cp = std::min(cp, TRY(copy_plainly(setup, folder)));
    const auto restored =
        TRY(stage->run(client::start_restore(stage->cluster(),
                                             {.cluster = "backup",
                                              .backup_id = id,
                                              .table = kBenchTable,
                                              .app_id = app_id,
                                              .new_table = "restored" + std::to_string(round),
                                              .provider = "local"},
                                             stage->deadline())));
    restore = std::min(restore, seconds_of(TRY(stage->wait_for_end("restore.status", restored))));
  }
  auto before = TRY(feel(setup, *stage, 0));
  TRY(stage->begin_backup());
  auto during = TRY(feel(setup, *stage, app_id));
  std::printf("backup: table of %s in files, %d partitions, best of 2, %u cores\n",
              format_size(uint64_t(bytes)).c_str(), setup.partitions,
              std::thread::hardware_concurrency());
  print_speed(setup, "cp", bytes, cp, cp);
  bool is_good = print_speed(setup, "backup", bytes, backup, cp);
  is_good = print_speed(setup, "restore", bytes, restore, cp) && is_good;
  print_latencies("before the backup:", before);
  print_latencies("during the backup:", during);
  return is_good;
}

int run_main(int argc, char** argv) {
  CLI::App program(
      "Example: script/bench backup\n\nBacks a table up to a folder and restores it, beside cp of "
      "the same files with fsync.");
  Setup setup;
  bool is_short = false;
  program.add_option("--pegmove", setup.pegmove, "program to measure")->capture_default_str();
  program.add_option("--megabytes", setup.megabytes, "of the table's files, about")
      ->capture_default_str()
      ->check(CLI::Range(1, 100'000));
  program.add_option("--partitions", setup.partitions)
      ->capture_default_str()
      ->check(CLI::Range(1, 256));
  program.add_flag("--short", is_short, "a small table, without bars: only to see that it works");
  CLI11_PARSE(program, argc, argv);
  if (is_short) setup.megabytes = 50;
  setup.has_bars = !is_short;
  return measure_in_folder(setup, measure);
}

}  // namespace
}  // namespace pegmove::bench

int main(int argc, char** argv) { return pegmove::bench::run_main(argc, argv); }
