// Whether a backup is whole: every file against what its metadata says of it.
#pragma once

#include <functional>

#include "backup/reader.h"

namespace pegmove::backup {

struct VerifyOptions {
  double share = 1;  // of the files that are read and summed; of the others the size is looked at
  size_t files_at_once = 4;
  std::function<bool()> should_stop = {};
};

struct Problem {
  int32_t partition = -1;  // -1: of the whole table
  std::string file;        // its path in the store
  std::string what;
};

struct VerifyReport {
  int32_t partitions = 0;
  int64_t files = 0;
  int64_t bytes = 0;
  int64_t files_read = 0;
  int64_t bytes_read = 0;
  std::vector<Problem> problems;  // at most kMostProblems of them
  int64_t problem_count = 0;
};
inline constexpr size_t kMostProblems = 1000;

// Looks at one table of a backup. What is damaged or missing is a problem of the report; errors are
// those that say nothing about the backup: the store's that are neither kNotFound nor kCorrupt,
// kInterrupted. `on_progress` hears of the report as it grows, several times a second at most.
Task<VerifyReport> verify_table(const blockstore::AsyncStore& store, Place place,
                                VerifyOptions options,
                                std::function<void(const VerifyReport&)> on_progress = {});

}  // namespace pegmove::backup
