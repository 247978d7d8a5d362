// One case of the copy benchmark: rows of some shape, from one embedded cluster to another,
// compared with the bare write of the same rows.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>

#include "async/clock.h"
#include "bare_write.h"
#include "bench_cluster.h"
#include "process_usage.h"

namespace pegmove::bench {

struct BenchOptions {
  std::string pegmove = "build/release/pegmove";
  std::string folder;  // for all data
  int repeats = 3;     // of copy and bare write in turn; the best of each counts
};

struct CopyCase {
  RowShape shape;
  int source_partitions = 8;
  int target_partitions = 16;
  std::string through = "plain";  // as for pegmove copy
};

struct CopyNumbers {
  double seconds = 0;  // of the best copy, like all that follows except the last two
  Usage copier;        // peak_bytes: of all copies
  double source_cpu = 0, target_cpu = 0;  // seconds, while it ran
  int64_t source_peak_bytes = 0, target_peak_bytes = 0;
  int64_t rows_a_batch = 0;  // of the target's mutations
  int64_t bytes = 0;         // keys and values
  BareNumbers bare;
  std::string verified;  // the output of pegmove verify for the first copy

  double ratio() const { return bare.seconds / seconds; }
};

// The source cluster. Its rows stay in memory for the bare writes.
class CopySource {
 public:
  static Result<std::unique_ptr<CopySource>> start(const BenchOptions& options,
                                                   const RowShape& shape, int partitions);
  ~CopySource();

  // Errors: kInternal when a process fails, or the target differs from the source.
  Result<CopyNumbers> measure(const CopyCase& what);

 private:
  explicit CopySource(const BenchOptions& options);
  Result<void> copy_once(const CopyCase& what, CopyNumbers& best);

  BenchOptions options_;
  std::string config_;  // the clusters' [duplication-group]
  asio::io_context context_;
  async::SystemClock clock_;
  client::Client client_;
  std::unique_ptr<BenchCluster> cluster_;
  std::vector<BenchRow> rows_;
};

}  // namespace pegmove::bench
