// A cold backup for benchmarks: a table of rows with 100 B values, made without a cluster.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace pegmove::bench {

inline constexpr const char* kBackedUpTable = "bench";

// Of the backup with this many partitions.
int64_t backup_id(int32_t partitions);

// Writes it below `folder`/store/A; temporary databases are in `folder`.
Result<void> make_backup(const std::string& folder, int64_t rows, int32_t partitions);

// "FOLDER/store/A/<id>/bench_1": of its partitions.
std::string backup_folder(const std::string& folder, int32_t partitions);

}  // namespace pegmove::bench
