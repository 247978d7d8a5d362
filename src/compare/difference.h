// The results of a comparison: differing rows, counts, and sums of both sides.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "async/task.h"
#include "client/foreign_rows.h"
#include "wire/row_messages.h"

namespace pegmove::compare {

enum class DifferenceKind { kMissing, kExtra, kValue, kExpiry };
std::string_view to_string(DifferenceKind kind);  // "missing", ...
// Errors: kInvalidArgument.
Result<DifferenceKind> parse_difference_kind(std::string_view text);

// One row that differs: missing in the target, extra in the target, or with another value or
// expiry.
struct Difference {
  DifferenceKind kind = DifferenceKind::kMissing;
  std::string hash_key{};
  std::string sort_key{};

  static Difference of(DifferenceKind kind, std::string_view raw_key);
  bool operator==(const Difference&) const = default;
};

// An order-independent sum of rows (keys, value, expiry): 128 bits.
struct RowSum {
  uint64_t low = 0;
  uint64_t high = 0;

  void add(const wire::KeyValueView& row);
  RowSum& operator+=(const RowSum& other);
  bool operator==(const RowSum&) const = default;
  std::string to_hex() const;
  // Errors: kInvalidArgument.
  static Result<RowSum> from_hex(std::string_view text);
};

// The counts of a class, or of all together.
struct CompareCounts {
  int64_t source_rows = 0;
  int64_t target_rows = 0;
  int64_t source_bytes = 0;  // of keys and values
  int64_t missing = 0;
  int64_t extra = 0;
  int64_t value_differs = 0;
  int64_t expiry_differs = 0;
  int64_t suspects = 0;      // live: rows that differed when they were first read
  int64_t not_settled = 0;   // live: candidates that kept changing until their deadline
  int64_t slices = 0;        // sampled: ranges of rows that were compared
  int64_t rows_skipped = 0;  // sampled: between the slices, estimated
  RowSum source_sum;
  RowSum target_sum;
  client::ForeignRows source_foreign{};  // left out of the comparison
  client::ForeignRows target_foreign{};

  int64_t differing() const { return missing + extra + value_differs + expiry_differs; }
  bool equal() const { return differing() + not_settled == 0; }
  void count(DifferenceKind kind);
  CompareCounts& operator+=(const CompareCounts& other);
  bool operator==(const CompareCounts&) const = default;
};

// Receives proven differences while a comparison runs. Called by several classes, one at a time.
class DifferenceSink {
 public:
  virtual ~DifferenceSink() = default;
  virtual Task<> take(Difference difference) = 0;
  // Returns when nothing that was taken can be lost by a kill of the process.
  virtual Task<> flush() = 0;
};

}  // namespace pegmove::compare
