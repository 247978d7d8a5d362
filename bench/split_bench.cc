// An offline split by the program, with one worker and with two, compared with a bare merge of the
// same checkpoints into table files by RocksDB alone, on one thread.
//
// Both read from and write to the same disk. The bare run reads the checkpoints in place, does not
// read values, and neither checksums nor syncs what it writes. Fails when a split is below its bar,
// or uses more memory than allowed.
#include <rocksdb/db.h>
#include <rocksdb/sst_file_writer.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>

#include "backup_maker.h"
#include "base/units.h"
#include "bench_folder.h"
#include "process_usage.h"
#include "record/hash.h"
#include "record/key.h"
#include "splitter/units.h"
#include "store/layout.h"

namespace pegmove::bench {
namespace {

namespace fs = std::filesystem;
using SteadyClock = std::chrono::steady_clock;

constexpr double kBar = 0.7;       // of the bare run's speed, with one worker
constexpr double kBarOfTwo = 1.4;  // with two workers
constexpr double kBarOfSpark = 5;  // of the Spark job's, with one worker per core of it
constexpr int64_t kMostMemory = 512 << 20;
constexpr size_t kFileBytes = 64 << 20;

struct Setup {
  std::string pegmove = "build/release/pegmove";
  std::string folder;
  int64_t rows = 10'000'000;
  std::string spark_home, spark_job;  // "": without it
  bool has_bars = true;
};

double seconds_since(SteadyClock::time_point begin) {
  return std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

// One class of the split: its checkpoints merged, its targets' files written.
class BareMerge {
 public:
  BareMerge(const Setup& setup, splitter::Shape shape) : setup_(setup), shape_(shape) {}

  Result<int64_t> carry_out(int32_t which) {
    for (const auto partition : shape_.sources_of(which)) TRY(open(partition));
    writers_.resize(size_t(shape_.targets));
    int64_t rows = 0;
    for (auto& source : sources_)
      if (source->Valid()) heap_.push_back(source.get());
    const auto later = [](auto* a, auto* b) { return a->key().compare(b->key()) > 0; };
    std::ranges::make_heap(heap_, later);
    while (!heap_.empty()) {
      std::ranges::pop_heap(heap_, later);
      auto* source = heap_.back();
      if (const auto parts = record::split_key(source->key().ToStringView())) {
        const auto target = record::partition_index(record::raw_key_hash(*parts), shape_.targets);
        TRY(write(target, source->key(), source->value()));
        ++rows;
      }
      source->Next();
      if (source->Valid())
        std::ranges::push_heap(heap_, later);
      else
        heap_.pop_back();
    }
    for (auto& writer : writers_)
      if (writer && !writer->Finish().ok()) return fail(Code::kIo, "finishing a bare file");
    return rows;
  }

  ~BareMerge() {
    sources_.clear();
    for (size_t i = 0; i < databases_.size(); ++i)
      for (auto* family : families_[i]) databases_[i]->DestroyColumnFamilyHandle(family);
  }

 private:
  Result<void> open(int32_t partition) {
    const auto folder = backup_folder(setup_.folder, shape_.sources) + "/" +
                        std::to_string(partition) + "/chkpt_bench_1";
    rocksdb::DB* db = nullptr;
    std::vector<rocksdb::ColumnFamilyHandle*> families;
    const auto status = rocksdb::DB::OpenForReadOnly(
        rocksdb::DBOptions(), folder,
        {{rocksdb::kDefaultColumnFamilyName, {}}, {store::kMetaFamily, {}}}, &families, &db);
    if (!status.ok()) return fail(Code::kIo, status.ToString());
    databases_.emplace_back(db);
    families_.push_back(families);
    rocksdb::ReadOptions options;
    options.readahead_size = 2 << 20;
    options.fill_cache = false;
    sources_.emplace_back(db->NewIterator(options, families[0]));
    sources_.back()->SeekToFirst();
    return {};
  }

  Result<void> write(int32_t target, const rocksdb::Slice& key, const rocksdb::Slice& value) {
    auto& writer = writers_[size_t(target)];
    if (writer && writer->FileSize() >= kFileBytes / 2) {
      if (!writer->Finish().ok()) return fail(Code::kIo, "finishing a bare file");
      writer.reset();
    }
    if (!writer) {
      rocksdb::Options options;
      options.compression = rocksdb::kLZ4Compression;
      writer = std::make_unique<rocksdb::SstFileWriter>(rocksdb::EnvOptions(), options);
      const auto path = setup_.folder + "/bare/" + std::to_string(target) + "_" +
                        std::to_string(files_++) + ".sst";
      if (!writer->Open(path).ok()) return fail(Code::kIo, "creating " + path);
    }
    const auto status = writer->Put(key, value);
    if (!status.ok()) return fail(Code::kIo, status.ToString());
    return {};
  }

  const Setup& setup_;
  splitter::Shape shape_;
  std::vector<std::unique_ptr<rocksdb::DB>> databases_;
  std::vector<std::vector<rocksdb::ColumnFamilyHandle*>> families_;
  std::vector<std::unique_ptr<rocksdb::Iterator>> sources_;
  std::vector<rocksdb::Iterator*> heap_;
  std::vector<std::unique_ptr<rocksdb::SstFileWriter>> writers_;
  int files_ = 0;
};

Result<double> merge_barely(const Setup& setup, splitter::Shape shape) {
  fs::create_directories(setup.folder + "/bare");
  const auto begin = SteadyClock::now();
  int64_t rows = 0;
  for (int32_t which = 0; which < shape.residue_classes(); ++which)
    rows += TRY(BareMerge(setup, shape).carry_out(which));
  const auto seconds = seconds_since(begin);
  fs::remove_all(setup.folder + "/bare");
  if (rows != setup.rows)
    return fail(Code::kInternal, "the bare run saw " + std::to_string(rows) + " rows");
  return seconds;
}

Result<Finished> split(const Setup& setup, splitter::Shape shape, int workers) {
  const auto config = setup.folder + "/split.ini";
  std::ofstream(config) << "[block_service.local]\ntype = local_service\nargs = " << setup.folder
                        << "/store\n";
  auto finished = TRY(run_process({setup.pegmove,  "split",
                                   "--from",       "local:/A",
                                   "--backup",     std::to_string(backup_id(shape.sources)),
                                   "--table",      "bench",
                                   "--to",         "local:/split",
                                   "--cluster",    "B",
                                   "--partitions", std::to_string(shape.targets),
                                   "--app-id",     "1",
                                   "--workers",    std::to_string(workers),
                                   "--config",     config,
                                   "--state",      setup.folder + "/journal.db",
                                   "--work-dir",   setup.folder,
                                   "--quiet",      "--json"}));
  fs::remove_all(setup.folder + "/store/split");
  if (!finished.output.contains("\"written\": " + std::to_string(setup.rows)))
    return fail(Code::kInternal, "the split did not write all rows: " + finished.output);
  return finished;
}

// Seconds of bench/spark/SplitJob.java, on two cores and the same disk.
Result<double> split_on_spark(const Setup& setup, splitter::Shape shape) {
  const auto output = setup.folder + "/spark";
  const auto finished =
      TRY(run_process({setup.spark_home + "/bin/spark-submit", "--class", "SplitJob",
                       "--driver-class-path", setup.spark_job, "--driver-memory", "4g",
                       "spark-internal", backup_folder(setup.folder, shape.sources),
                       std::to_string(shape.sources), std::to_string(shape.targets), output, "2"}));
  fs::remove_all(output);
  fs::remove_all(output + ".shuffle");
  long long rows = 0;
  double seconds = 0;
  const auto at = finished.output.rfind("rows ");
  if (at == std::string::npos ||
      std::sscanf(finished.output.c_str() + at, "rows %lld seconds %lf", &rows, &seconds) != 2 ||
      rows != setup.rows)
    return fail(Code::kInternal, "the Spark job did not write all rows: " + finished.output);
  return seconds;
}

Result<bool> measure(const Setup& setup, splitter::Shape shape) {
  double bare = 1e9;
  std::vector<Finished> splits(2);
  for (auto& each : splits) each.wall_seconds = 1e9;
  for (int round = 0; round < 2; ++round) {
    bare = std::min(bare, TRY(merge_barely(setup, shape)));
    for (int workers = 1; workers <= 2; ++workers) {
      auto now = TRY(split(setup, shape, workers));
      auto& best = splits[size_t(workers - 1)];
      if (now.wall_seconds < best.wall_seconds) best = std::move(now);
    }
  }
  const auto rate = [&](double seconds) { return double(setup.rows) / 1e6 / seconds; };
  std::printf("  %2d -> %2d partitions: bare %6.2f s, %.2f M rows/s\n", shape.sources,
              shape.targets, bare, rate(bare));
  bool is_good = true;
  for (int workers = 1; workers <= 2; ++workers) {
    const auto& best = splits[size_t(workers - 1)];
    const auto ratio = bare / best.wall_seconds;
    const auto bar = workers == 1 ? kBar : kBarOfTwo;
    std::printf("    %d worker%s %6.2f s, %.2f M rows/s, %3.0f%% of bare (bar %.0f%%), %s\n",
                workers, workers == 1 ? ": " : "s:", best.wall_seconds, rate(best.wall_seconds),
                100 * ratio, 100 * bar, base::format_size(uint64_t(best.usage.peak_bytes)).c_str());
    is_good = is_good && ratio >= bar && best.usage.peak_bytes < kMostMemory;
  }
  if (!setup.spark_job.empty()) {
    const auto spark = TRY(split_on_spark(setup, shape));
    const auto ratio = spark / splits[1].wall_seconds;
    std::printf(
        "    Spark job: %6.2f s, %.2f M rows/s; 2 workers are %.1f times as fast (bar %.0f)\n",
        spark, rate(spark), ratio, kBarOfSpark);
    is_good = is_good && ratio >= kBarOfSpark;
  }
  return is_good || !setup.has_bars;
}

Result<bool> measure_all(const Setup& setup) {
  std::printf("split: %lld rows of 100 B, best of 2, %u cores, memory bar %s\n",
              static_cast<long long>(setup.rows), std::thread::hardware_concurrency(),
              base::format_size(kMostMemory).c_str());
  bool is_good = true;
  for (const auto& [sources, targets] : {std::pair(8, std::vector{64, 7}), {64, std::vector{8}}}) {
    TRY(make_backup(setup.folder, setup.rows, sources));
    for (const int32_t target : targets)
      is_good = TRY(measure(setup, {sources, target})) && is_good;
    fs::remove_all(setup.folder + "/store");
  }
  return is_good;
}

int run_main(int argc, char** argv) {
  CLI::App program(
      "Example: script/bench split\n\nSplits a cold backup to other partition counts, beside a "
      "bare "
      "merge of the same checkpoints into table files.");
  Setup setup;
  bool is_short = false;
  program.add_option("--pegmove", setup.pegmove, "program to measure")->capture_default_str();
  program.add_option("--rows", setup.rows)
      ->capture_default_str()
      ->check(CLI::Range(int64_t(1000), int64_t(1'000'000'000)));
  program.add_option("--spark-home", setup.spark_home, "a Spark to compare with");
  program.add_option("--spark-job", setup.spark_job, "the compiled SplitJob for it");
  program.add_flag("--short", is_short, "few rows, without bars: only to see that it works");
  CLI11_PARSE(program, argc, argv);
  if (is_short) setup.rows = 100'000;
  setup.has_bars = !is_short;
  return measure_in_folder(setup, measure_all);
}

}  // namespace
}  // namespace pegmove::bench

int main(int argc, char** argv) { return pegmove::bench::run_main(argc, argv); }
