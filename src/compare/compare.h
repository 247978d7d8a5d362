// Verification: compares two tables row by row, with any partition counts.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "async/stop_signal.h"
#include "client/table.h"
#include "compare/residue_class_comparison.h"

namespace pegmove::compare {

struct CompareOptions {
  std::string table{};
  std::string to_table{};               // empty: the same name
  size_t most_listed = 1000;            // differences that are kept; all are counted
  int classes_at_once = 8;              // below 1 counts as 1
  async::milliseconds timeout{30'000};  // of one request, retries included
  std::optional<SampleOptions> sample{};
  uint32_t expiry_tolerance_s = 0;
  // While clients write: rows that differ are read again until they agree or are proven different.
  std::optional<RecheckOptions> live{};
  async::milliseconds note_every{1'000};  // how often CompareEvents::on_class is called for a class
  // The position at which each class resumes; empty: all at their beginning. Precondition:
  // otherwise one per class, from tables with the same partition counts.
  std::vector<ResidueClassState> start{};
};

// Callbacks of a comparison. Must outlive it.
struct CompareEvents {
  // Rows compared so far, once a second.
  std::function<void(const CompareCounts& so_far, async::milliseconds elapsed)> on_progress{};
  std::function<void(int number, const ResidueClassState& state)> on_class{};
  DifferenceSink* sink = nullptr;
};

struct CompareReport : CompareCounts {
  int classes = 0;
  async::milliseconds elapsed{};          // of this process's part
  std::vector<Difference> differences{};  // the first ones
  CompareOptions options{};               // as they were used; without `start`
};

// Both tables of a comparison, open.
struct TablePair {
  std::shared_ptr<client::Table> source;
  std::shared_ptr<client::Table> target;

  // The gcd of the partition counts: the number of classes that can be compared independently.
  int classes() const;
};

// Opens both tables. Errors: kNotFound, naming the table and the cluster.
Task<TablePair> open_tables(std::shared_ptr<client::Cluster> source,
                            std::shared_ptr<client::Cluster> target, std::string table,
                            std::string to_table, Deadline deadline);

// Compares every row, or a sample: key, value and expiry. Memory is bounded by a few batches per
// partition. Without `live` the result is exact while nobody writes; rows written during the
// comparison may appear as differences. A row that expires during the comparison does not count as
// a difference. Foreign rows (client/foreign_rows.h) of both sides are left out and counted.
// Errors: kInterrupted, those of the sink, all of client/table.h; kRefused when a table is split.
Task<CompareReport> compare(TablePair tables, CompareOptions options, const async::StopSignal& stop,
                            CompareEvents events);

}  // namespace pegmove::compare
