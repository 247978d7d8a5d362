#include "shell/histogram.h"

#include <gtest/gtest.h>

namespace pegmove::shell {
namespace {

// The text was printed by RocksDB 7.8.3.
TEST(Histogram, IsShownAsRocksDbShowsIts) {
  Histogram histogram;
  for (uint64_t size : {0, 1, 2, 3, 5, 8, 100, 100, 100, 4000}) histogram.add(size);
  EXPECT_EQ(histogram.to_text(),
            "Count: 10 Average: 431.9000  StdDev: 1190.16\n"
            "Min: 0  Median: 6.0000  Max: 4000\n"
            "Percentiles: P50: 6.00 P75: 93.00 P99: 4000.00 P99.9: 4000.00 P99.99: 4000.00\n"
            "------------------------------------------------------\n"
            "[       0,       1 ]        2  20.000%  20.000% ####\n"
            "(       1,       2 ]        1  10.000%  30.000% ##\n"
            "(       2,       3 ]        1  10.000%  40.000% ##\n"
            "(       4,       6 ]        1  10.000%  50.000% ##\n"
            "(       6,      10 ]        1  10.000%  60.000% ##\n"
            "(      76,     110 ]        3  30.000%  90.000% ######\n"
            "(    2900,    4400 ]        1  10.000% 100.000% ##\n");
}

TEST(Histogram, WithoutValuesHasNoBuckets) {
  EXPECT_EQ(Histogram().to_text(),
            "Count: 0 Average: 0.0000  StdDev: 0.00\n"
            "Min: 0  Median: 0.0000  Max: 0\n"
            "Percentiles: P50: 0.00 P75: 0.00 P99: 0.00 P99.9: 0.00 P99.99: 0.00\n"
            "------------------------------------------------------\n");
}

TEST(Histogram, TakesAnyValue) {
  Histogram histogram;
  histogram.add(UINT64_MAX);
  histogram.add(0);
  EXPECT_EQ(histogram.count(), 2u);
  EXPECT_EQ(histogram.percentile(0), 0);
  EXPECT_LE(histogram.percentile(100), double(UINT64_MAX));
}

}  // namespace
}  // namespace pegmove::shell
