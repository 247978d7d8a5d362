// Verification: are two tables equal, row by row, whatever their partition counts?
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "async/stop_signal.h"
#include "client/table.h"

namespace pegmove::migration {

enum class DifferenceKind { kMissing, kExtra, kValue, kExpiry };
std::string_view to_string(DifferenceKind kind);  // "missing", ...

// One row that is not the same on both sides: missing in the target, extra there, or with another
// value or expiry.
struct Difference {
  DifferenceKind kind;
  std::string hash_key;
  std::string sort_key;
};

struct CompareOptions {
  std::string table{};
  std::string to_table{};               // empty: the same name
  size_t most_listed = 1000;            // differences that are kept; all are counted
  int classes_at_once = 8;              // below 1 counts as 1
  async::milliseconds timeout{30'000};  // of one request, retries included
};

// An order-independent sum of all rows of a side (keys, value, expiry): 128 bits.
struct RowSum {
  uint64_t low = 0;
  uint64_t high = 0;

  bool operator==(const RowSum&) const = default;
  std::string to_hex() const;
};

struct CompareReport {
  int64_t source_rows = 0;
  int64_t target_rows = 0;
  int64_t missing = 0;
  int64_t extra = 0;
  int64_t value_differs = 0;
  int64_t expiry_differs = 0;
  RowSum source_sum;
  RowSum target_sum;
  async::milliseconds elapsed{};
  std::vector<Difference> differences;  // the first ones

  bool equal() const { return missing + extra + value_differs + expiry_differs == 0; }
};

// Rows compared so far, once a second.
using CompareListener =
    std::function<void(const CompareReport& so_far, async::milliseconds elapsed)>;

// Compares every row: key, value and expiry, exactly. Memory is bounded by a few batches a
// partition. Exact while nobody writes; rows written meanwhile may show as differences. A row that
// expires during the comparison is no difference. Errors: kNotFound (no such table), kInterrupted,
// all of client/table.h.
Task<CompareReport> compare_tables(std::shared_ptr<client::Cluster> source,
                                   std::shared_ptr<client::Cluster> target, CompareOptions options,
                                   const async::StopSignal& stop, CompareListener listener);

}  // namespace pegmove::migration
