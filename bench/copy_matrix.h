// The table of copies: ways of writing, partition counts and sizes of values.
#pragma once

#include "copy_case.h"

namespace pegmove::bench {

struct MatrixOptions {
  BenchOptions bench;
  // Only these; 0 and empty = all.
  int value_size = 0;
  int sort_keys = 0;
  std::string through = {};
  bool is_short = false;  // few rows, once each: to see that it works
};

// Prints one line per case as they end. False when a bar was missed.
Result<bool> print_matrix(const MatrixOptions& options);

// The bars, also for a single copy.
inline constexpr double kPlainBar = 0.25;      // of the bare write, values of 100 bytes
inline constexpr double kDuplicateBar = 0.50;  // of the bare write, values of 100 bytes
inline constexpr int64_t kCopierMemoryBar = int64_t{256} << 20;

}  // namespace pegmove::bench
