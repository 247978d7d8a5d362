// Copies between two clusters on this machine compared with bare RocksDB writes of the same rows:
// one case, or with --matrix a table of them.
//
// The bare write puts the same rows into as many databases as the target has partitions, with the
// options of the embedded cluster (log on), from two threads, in batches as large as those that the
// target made of its requests. Copy and bare write take turns, and the best of each counts: other
// load of the machine only adds to a time.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <random>
#include <thread>

#include "base/units.h"
#include "copy_case.h"
#include "copy_matrix.h"

namespace pegmove::bench {
namespace {

using base::format_count;
using base::format_size;

void print_process(const char* name, double cpu_seconds, int64_t peak_bytes, int64_t rows) {
  std::printf("  %-16s %6.2f CPU s a million rows, peak memory %s\n", name,
              cpu_seconds * 1e6 / double(rows), format_size(uint64_t(peak_bytes)).c_str());
}

// False when the bar was missed.
Result<bool> print_copy(const BenchOptions& options, const CopyCase& what) {
  auto source = TRY(CopySource::start(options, what.shape, what.source_partitions));
  auto numbers = TRY(source->measure(what));
  auto rows = what.shape.rows;
  auto bar = what.through == "duplicate" ? kDuplicateBar : kPlainBar;
  bool met = numbers.ratio() >= bar && numbers.copier.peak_bytes < kCopierMemoryBar;
  std::printf(
      "copy: %s rows of %d-byte values, %d sort keys a hash key, %d -> %d partitions, %s, %u "
      "cores, best of %d\n",
      format_count(uint64_t(rows)).c_str(), what.shape.value_size, what.shape.sort_keys,
      what.source_partitions, what.target_partitions, what.through.c_str(),
      std::thread::hardware_concurrency(), options.repeats);
  std::printf("  copy             %s rows/s (%.2f s); target wrote %lld rows a batch\n",
              format_count(uint64_t(double(rows) / numbers.seconds)).c_str(), numbers.seconds,
              (long long)numbers.rows_a_batch);
  std::printf("  bare write       %s rows/s (%.2f s), two threads, same batches\n",
              format_count(uint64_t(double(rows) / numbers.bare.seconds)).c_str(),
              numbers.bare.seconds);
  std::printf("  ratio            %.0f%% of the bare write (bar: %.0f%%; copier below %s): %s\n",
              100 * numbers.ratio(), 100 * bar, format_size(uint64_t(kCopierMemoryBar)).c_str(),
              met ? "OK" : "MISSED");
  print_process("pegmove copy", numbers.copier.cpu_seconds, numbers.copier.peak_bytes, rows);
  print_process("source cluster", numbers.source_cpu, numbers.source_peak_bytes, rows);
  print_process("target cluster", numbers.target_cpu, numbers.target_peak_bytes, rows);
  std::printf("  %-16s %6.2f CPU s a million rows\n", "bare write",
              numbers.bare.cpu_seconds * 1e6 / double(rows));
  std::printf("  verified: %s", numbers.verified.c_str());
  return met;
}

struct Arguments {
  BenchOptions bench;
  CopyCase what;
  bool matrix = false, is_short = false;
};

void add_options(CLI::App& program, Arguments& arguments) {
  auto& [bench, what, matrix, is_short] = arguments;
  program.add_flag("--matrix", matrix,
                   "the table of cases; with --value-size, --through or --sort-keys a part of it");
  program.add_flag("--short", is_short, "a small table, once each; missed bars are no failure");
  program.add_option("--repeats", bench.repeats, "of each copy and bare write; the best counts")
      ->capture_default_str()
      ->check(CLI::Range(1, 100));
  program.add_option("--pegmove", bench.pegmove, "program to measure")->capture_default_str();
  program.add_option("--rows", what.shape.rows)
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000'000));
  program.add_option("--value-size", what.shape.value_size)
      ->capture_default_str()
      ->check(CLI::Range(0, 1'000'000));
  program.add_option("--sort-keys", what.shape.sort_keys, "a hash key")
      ->capture_default_str()
      ->check(CLI::Range(1, 100'000));
  program.add_option("--from-partitions", what.source_partitions)
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  program.add_option("--to-partitions", what.target_partitions)
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  program.add_option("--through", what.through, "how the copy writes")
      ->capture_default_str()
      ->check(CLI::IsMember({"plain", "duplicate"}));
}

Result<bool> run(const CLI::App& program, Arguments& arguments) {
  if (!arguments.matrix && !arguments.is_short) return print_copy(arguments.bench, arguments.what);
  if (arguments.is_short) arguments.bench.repeats = 1;
  auto given = [&](const char* option) { return program.count(option) > 0; };
  const auto& what = arguments.what;
  auto met = TRY(print_matrix({.bench = arguments.bench,
                               .value_size = given("--value-size") ? what.shape.value_size : 0,
                               .sort_keys = given("--sort-keys") ? what.shape.sort_keys : 0,
                               .through = given("--through") ? what.through : "",
                               .is_short = arguments.is_short}));
  return met || arguments.is_short;
}

}  // namespace

int run_main(int argc, char** argv) {
  CLI::App program(
      "Example: script/bench copy --value-size 1024\n\nMeasures copies beside bare RocksDB writes. "
      "Exits with 1 when a bar is missed.");
  Arguments arguments;
  add_options(program, arguments);
  CLI11_PARSE(program, argc, argv);
  arguments.bench.folder = std::filesystem::temp_directory_path() /
                           ("pegmove-bench-" + std::to_string(std::random_device{}()));
  auto met = run(program, arguments);
  std::filesystem::remove_all(arguments.bench.folder);
  if (met) return *met ? 0 : 1;
  std::fprintf(stderr, "bench: %s\n", met.error().to_string().c_str());
  return 1;
}

}  // namespace pegmove::bench

int main(int argc, char** argv) { return pegmove::bench::run_main(argc, argv); }
