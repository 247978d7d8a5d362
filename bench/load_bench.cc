// A bulk load of a table, compared with its minimum: the same files copied with fsync and ingested
// by bare RocksDB.
//
// The set is a split of a backup. The load's time is the meta server's own, from the request until
// all partitions have the rows. Both run on the same disk, one after the other.
#include <fcntl.h>
#include <rocksdb/db.h>
#include <unistd.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "backup_maker.h"
#include "base/units.h"
#include "bench_cluster.h"
#include "bench_folder.h"
#include "process_usage.h"

namespace pegmove::bench {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using SteadyClock = std::chrono::steady_clock;

constexpr int32_t kSources = 8;

struct Setup {
  std::string pegmove = "build/release/pegmove";
  std::string folder;
  int64_t rows = 10'000'000;
};

struct Loaded {
  double seconds = 1e9;
  double writes_held_ms = 0;
};

double seconds_since(SteadyClock::time_point begin) {
  return std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

// The cluster, with a table for each load.
class Stage {
 public:
  Stage(const Setup& setup) : setup_(setup), config_(setup.folder + "/load.ini") {}

  Result<void> start() {
    const auto store =
        "[block_service.local]\ntype = local_service\nargs = " + setup_.folder + "/store\n";
    std::ofstream(config_) << store;
    bench_ = TRY(BenchCluster::start(setup_.pegmove, setup_.folder, "B", config_));
    std::ofstream(config_) << store << "[pegasus.clusters]\nB = " << bench_->meta() << "\n";
    return {};
  }
  Result<void> split(const std::string& table, int32_t partitions) {
    TRY(shell("create " + table + " -p " + std::to_string(partitions)));
    TRY(run({"split", "--from", "local:/A", "--table", kBackedUpTable, "--to", "local:/split",
             "--cluster", "B", "--to-table", table, "--work-dir", setup_.folder}));
    return {};
  }
  Result<Loaded> load(const std::string& table) {
    TRY(run({"load", "--from", "local:/split", "--to", "B", "--table", table}));
    const auto answer =
        Json::parse(TRY(shell("remote_command -t meta-server bulk_load.status")), nullptr, false);
    for (const auto& [node, one] : answer.value("details", Json::object()).items())
      for (const auto& each : one.value("message", Json::array()))
        if (each.value("table", "") == table)
          return Loaded{
              .seconds = double(each.value("end_ms", 0LL) - each.value("start_ms", 0LL)) / 1000,
              .writes_held_ms = double(each.value("writes_held_us", 0LL)) / 1000};
    return fail(Code::kInternal, "the meta server does not tell of the load");
  }
  Result<void> drop(const std::string& table) {
    TRY(shell("drop " + table + " -r 1"));
    return {};
  }

 private:
  Result<std::string> shell(const std::string& text) {
    return TRY(run_process({setup_.pegmove, "shell", "--cluster", bench_->meta(), "-e", text}))
        .output;
  }
  Result<void> run(std::vector<std::string> words) {
    words.insert(words.begin(), setup_.pegmove);
    for (const auto& each : {std::string("--config"), config_, std::string("--state"),
                             setup_.folder + "/journal.db", std::string("--quiet")})
      words.push_back(each);
    TRY(run_process(std::move(words)));
    return {};
  }

  const Setup& setup_;
  std::string config_;
  std::unique_ptr<BenchCluster> bench_;
};

Result<void> copy_to_disk(const fs::path& from, const fs::path& to) {
  fs::copy_file(from, to);
  const int file = open(to.c_str(), O_RDONLY);
  const bool is_synced = file >= 0 && fsync(file) == 0;
  close(file);
  if (!is_synced) return fail(Code::kIo, "syncing " + to.string());
  return {};
}

// Of all partitions, two at a time.
Result<double> load_bare(const Setup& setup, const std::string& table, int32_t partitions) {
  const auto set = setup.folder + "/store/split/B/" + table;
  const auto to = setup.folder + "/bare";
  std::atomic<int32_t> next = 0;
  std::atomic<bool> failed = false;
  const auto work = [&] {
    for (int32_t i = next++; i < partitions && !failed; i = next++) {
      const auto folder = to + "/" + std::to_string(i);
      fs::create_directories(folder + "/files");
      std::vector<std::string> files;
      for (const auto& entry : fs::directory_iterator(set + "/" + std::to_string(i))) {
        if (entry.path().extension() != ".sst") continue;
        files.push_back(folder + "/files/" + entry.path().filename().string());
        if (!copy_to_disk(entry.path(), files.back())) failed = true;
      }
      rocksdb::DB* opened = nullptr;
      rocksdb::Options options;
      options.create_if_missing = true;
      if (!rocksdb::DB::Open(options, folder + "/db", &opened).ok()) failed = true;
      const std::unique_ptr<rocksdb::DB> db(opened);
      rocksdb::IngestExternalFileOptions moved;
      moved.move_files = true;
      if (failed || !db->IngestExternalFile(files, moved).ok()) failed = true;
    }
  };
  const auto begin = SteadyClock::now();
  std::thread other(work);
  work();
  other.join();
  const auto seconds = seconds_since(begin);
  fs::remove_all(to);
  if (failed) return fail(Code::kIo, "the bare load failed");
  return seconds;
}

Result<void> measure(const Setup& setup, Stage& stage, int32_t partitions) {
  Loaded loaded;
  double bare = 1e9;
  for (int round = 0; round < 2; ++round) {
    const auto table = "t" + std::to_string(partitions) + "_" + std::to_string(round);
    TRY(stage.split(table, partitions));
    bare = std::min(bare, TRY(load_bare(setup, table, partitions)));
    const auto now = TRY(stage.load(table));
    if (now.seconds < loaded.seconds) loaded = now;
    TRY(stage.drop(table));
    fs::remove_all(setup.folder + "/store/split");
  }
  const auto rate = [&](double seconds) { return double(setup.rows) / 1e6 / seconds; };
  std::printf(
      "  %2d partitions: bare %6.2f s, load %6.2f s, %.2f M rows/s, %3.0f%% of bare; writes "
      "held %.1f ms at most\n",
      partitions, bare, loaded.seconds, rate(loaded.seconds), 100 * bare / loaded.seconds,
      loaded.writes_held_ms);
  return {};
}

Result<bool> measure_all(const Setup& setup) {
  TRY(make_backup(setup.folder, setup.rows, kSources));
  Stage stage(setup);
  TRY(stage.start());
  std::printf("load: %lld rows of 100 B, best of 2, %u cores\n", static_cast<long long>(setup.rows),
              std::thread::hardware_concurrency());
  for (const int32_t partitions : {64, 7, 8}) TRY(measure(setup, stage, partitions));
  return true;
}

int run_main(int argc, char** argv) {
  CLI::App program(
      "Example: script/bench load\n\nHas an embedded cluster load a table, beside the same files "
      "copied with fsync and taken in by bare RocksDB.");
  Setup setup;
  bool is_short = false;
  program.add_option("--pegmove", setup.pegmove, "program to measure")->capture_default_str();
  program.add_option("--rows", setup.rows)
      ->capture_default_str()
      ->check(CLI::Range(int64_t(1000), int64_t(1'000'000'000)));
  program.add_flag("--short", is_short, "few rows: only to see that it works");
  CLI11_PARSE(program, argc, argv);
  if (is_short) setup.rows = 100'000;
  return measure_in_folder(setup, measure_all);
}

}  // namespace
}  // namespace pegmove::bench

int main(int argc, char** argv) { return pegmove::bench::run_main(argc, argv); }
