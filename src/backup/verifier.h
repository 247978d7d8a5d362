// Verifies a backup: compares every file with its metadata.
#pragma once

#include <functional>

#include "backup/reader.h"

namespace pegmove::backup {

struct VerifyOptions {
  double share = 1;  // of the files that are read; only the size of the others is checked
  size_t files_at_once = 4;
  bool has_ended = true;  // a missing backup_info is a problem
  std::function<bool()> should_stop = {};
  // A file that was read and matches its metadata.
  std::function<void(const std::string& path, const blockstore::FileSum& sum)> on_undamaged = {};
};

struct Problem {
  int32_t partition = -1;  // -1: the whole table
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

// Verifies one table of a backup. Damaged and missing files are problems in the report; errors are
// unrelated to the backup: the store's, other than kNotFound and kCorrupt, and kInterrupted.
// `on_progress` is called with the growing report, at most several times a second.
Task<VerifyReport> verify_table(const blockstore::AsyncStore& store, Place place,
                                VerifyOptions options,
                                std::function<void(const VerifyReport&)> on_progress = {});

}  // namespace pegmove::backup
