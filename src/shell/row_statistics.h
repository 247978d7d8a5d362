// What count_data tells of rows besides their number: how large they are, which are the largest.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shell/histogram.h"

namespace pegmove::shell {

struct SizedRow {
  std::string hash_key;
  std::string sort_key;
  uint64_t size = 0;  // of both keys and the value

  // Larger rows first; among equals the order of the keys.
  bool operator<(const SizedRow& other) const;
};

// The largest of the rows that it is given. (Pegasus's shell gives up the largest when it has
// enough, and so tends to keep small ones.)
class TopRows {
 public:
  explicit TopRows(size_t most) : most_(most) {}

  void add(std::string_view hash_key, std::string_view sort_key, uint64_t size);
  // From the largest on.
  std::vector<SizedRow> rows() const;

 private:
  size_t most_;
  std::vector<SizedRow> heap_;  // its first is the smallest
};

class RowStatistics {
 public:
  explicit RowStatistics(size_t top_count) : top_(top_count) {}

  void add(std::string_view hash_key, std::string_view sort_key, std::string_view value);
  // Four histograms with headings, from a blank line to a blank line.
  std::string to_text() const;
  const TopRows& top() const { return top_; }

 private:
  Histogram hash_key_sizes_;
  Histogram sort_key_sizes_;
  Histogram value_sizes_;
  Histogram row_sizes_;
  TopRows top_;
};

}  // namespace pegmove::shell
