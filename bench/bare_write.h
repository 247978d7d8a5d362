// The limit of a copy: the same rows, written to RocksDB without clusters and network.
#pragma once

#include "bench_rows.h"

namespace pegmove::bench {

struct BareWrite {
  std::string folder;        // for the databases; created, and removed afterwards
  int partitions = 0;        // one database each
  int64_t rows_a_batch = 1;  // each batch is one write of RocksDB
};

struct BareNumbers {
  double seconds = 0;
  double cpu_seconds = 0;  // including flushes during that time
};

// From two threads, with the embedded cluster's options (log on). Errors: of the databases.
Result<BareNumbers> write_bare(const std::vector<BenchRow>& rows, const BareWrite& how);

}  // namespace pegmove::bench
