#include "copy_matrix.h"

#include <cstdio>
#include <thread>

#include "base/units.h"

namespace pegmove::bench {
namespace {

using base::format_count;
using base::format_size;

constexpr int kSourcePartitions = 8;
constexpr int kSmallValue = 100;  // the size that the bars on speed are for

// A way of sending rows.
struct Way {
  const char* name;
  const char* through;
  int sort_keys;
};
constexpr Way kWays[] = {
    {"PUT", "plain", 1}, {"DUPLICATE", "duplicate", 1}, {"MULTI_PUT", "plain", 10}};

struct Size {
  int value_size;
  int64_t rows, short_rows;
};
constexpr Size kSizes[] = {
    {kSmallValue, 1'000'000, 20'000}, {1'024, 200'000, 4'000}, {100'000, 2'000, 100}};

std::vector<int> target_partitions(const MatrixOptions& options, int value_size) {
  if (options.is_short) return {2 * kSourcePartitions};
  if (value_size == kSmallValue) return {8, 16, 64};
  return {8, 64};
}

// CPU seconds per million small rows, or per GB of larger ones.
std::string cpu(const CopyCase& what, const CopyNumbers& numbers, double seconds) {
  bool small = what.shape.value_size <= kSmallValue;
  char text[32];
  std::snprintf(
      text, sizeof text, "%.2f",
      small ? seconds * 1e6 / double(what.shape.rows) : seconds * 1e9 / double(numbers.bytes));
  return text;
}

bool print_case(const Way& way, const CopyCase& what, const CopyNumbers& numbers) {
  bool duplicates = what.through == "duplicate";
  bool has_bar = what.shape.value_size == kSmallValue && duplicates;
  bool met = (!has_bar || numbers.ratio() >= kDuplicateBar) &&
             numbers.copier.peak_bytes < kCopierMemoryBar;
  std::printf("%-9s %7d %8lld  8->%-3d %10s %7.0f %10s %6lld %5.0f%%  %6s %6s %6s %6s  %10s  %s\n",
              way.name, what.shape.value_size, (long long)what.shape.rows, what.target_partitions,
              format_count(uint64_t(double(what.shape.rows) / numbers.seconds)).c_str(),
              double(numbers.bytes) / 1e6 / numbers.seconds,
              format_count(uint64_t(double(what.shape.rows) / numbers.bare.seconds)).c_str(),
              (long long)numbers.rows_a_batch, 100 * numbers.ratio(),
              cpu(what, numbers, numbers.copier.cpu_seconds).c_str(),
              cpu(what, numbers, numbers.source_cpu).c_str(),
              cpu(what, numbers, numbers.target_cpu).c_str(),
              cpu(what, numbers, numbers.bare.cpu_seconds).c_str(),
              format_size(uint64_t(numbers.copier.peak_bytes)).c_str(), met ? "OK" : "MISSED");
  std::fflush(stdout);
  return met;
}

Result<bool> print_cases(const MatrixOptions& options, const Size& size, int sort_keys) {
  RowShape shape{.rows = options.is_short ? size.short_rows : size.rows,
                 .value_size = size.value_size,
                 .sort_keys = sort_keys};
  auto source = TRY(CopySource::start(options.bench, shape, kSourcePartitions));
  bool met = true;
  for (const auto& way : kWays) {
    if (way.sort_keys != sort_keys) continue;
    if (!options.through.empty() && options.through != way.through) continue;
    for (int partitions : target_partitions(options, size.value_size)) {
      CopyCase what{.shape = shape,
                    .source_partitions = kSourcePartitions,
                    .target_partitions = partitions,
                    .through = way.through};
      auto numbers = TRY(source->measure(what));
      met = print_case(way, what, numbers) && met;
    }
  }
  return met;
}

}  // namespace

Result<bool> print_matrix(const MatrixOptions& options) {
  std::printf(
      "Copies between two embedded clusters, %u cores; the best of %d, beside the best bare "
      "write.\n"
      "CPU: seconds a million rows (values up to 100 bytes), else a GB. Bars: DUPLICATE of "
      "100-byte\n"
      "values %.0f%% of the bare write; the copier below %s.\n\n"
      "%-9s %7s %8s  %-6s %10s %7s %10s %6s %6s  %6s %6s %6s %6s  %10s\n",
      std::thread::hardware_concurrency(), options.bench.repeats, 100 * kDuplicateBar,
      format_size(uint64_t(kCopierMemoryBar)).c_str(), "", "value", "", "", "", "", "bare",
      "rows a", "of", "CPU", "CPU", "CPU", "CPU", "copier's");
  std::printf("%-9s %7s %8s  %-6s %10s %7s %10s %6s %6s  %6s %6s %6s %6s  %10s  %s\n", "way",
              "bytes", "rows", "parts", "rows/s", "MB/s", "rows/s", "batch", "bare", "copier",
              "source", "target", "bare", "memory", "bars");
  bool met = true;
  for (const auto& size : kSizes) {
    if (options.value_size > 0 && options.value_size != size.value_size) continue;
    for (int sort_keys : {1, 10})
      if (options.sort_keys == 0 || options.sort_keys == sort_keys)
        met = TRY(print_cases(options, size, sort_keys)) && met;
  }
  return met;
}

}  // namespace pegmove::bench
