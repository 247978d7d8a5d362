// Sizes in buckets that grow by half, and the text that count_data shows of them: both are those of
// RocksDB's histograms (monitoring/histogram.cc there), which Pegasus's shell uses.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pegmove::shell {

class Histogram {
 public:
  Histogram();

  void add(uint64_t value);
  uint64_t count() const { return count_; }
  // The value below which `percent` of the values lie, by a straight line within its bucket.
  double percentile(double percent) const;
  // Count, average, percentiles, and a line for each bucket that has values.
  std::string to_text() const;

 private:
  double average() const;
  double standard_deviation() const;

  std::vector<uint64_t> buckets_;
  uint64_t count_ = 0;
  uint64_t min_ = UINT64_MAX;
  uint64_t max_ = 0;
  double sum_ = 0;
  double sum_of_squares_ = 0;
};

}  // namespace pegmove::shell
