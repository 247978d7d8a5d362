#include "shell/row_statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace pegmove::shell {
namespace {

TEST(TopRows, KeepTheLargestOfAll) {
  std::vector<uint64_t> sizes;
  for (uint64_t size = 1; size <= 500; ++size) sizes.push_back(size);
  std::mt19937 random(5);
  std::ranges::shuffle(sizes, random);
  TopRows top(10);
  for (auto size : sizes) top.add("h", std::to_string(size), size);
  auto rows = top.rows();
  ASSERT_EQ(rows.size(), 10u);
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].size, 500 - i);
    EXPECT_EQ(rows[i].sort_key, std::to_string(500 - i));
  }
}

TEST(TopRows, AreInOrderOfTheirKeysWhenEquallyLarge) {
  for (bool backwards : {false, true}) {
    std::vector<std::string> keys{"a", "b", "c", "d"};
    if (backwards) std::ranges::reverse(keys);
    TopRows top(2);
    for (const auto& key : keys) top.add(key, "s", 7);
    auto rows = top.rows();
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[0].hash_key, "a");
    EXPECT_EQ(rows[1].hash_key, "b");
  }
}

TEST(TopRows, OfNumberZeroAreNone) {
  TopRows top(0);
  top.add("h", "s", 1);
  EXPECT_TRUE(top.rows().empty());
}

TEST(RowStatistics, HaveAHistogramForEachPartOfARow) {
  RowStatistics statistics(1);
  statistics.add("hash", "s", "value");
  auto text = statistics.to_text();
  EXPECT_TRUE(
      text.starts_with("\n============================[hash_key_size]============================\n"
                       "Count: 1 Average: 4.0000  StdDev: 0.00\n"))
      << text;
  for (const char* part :
       {"#\n=======================================================================\n"
        "============================[sort_key_size]============================\n"
        "Count: 1 Average: 1.0000 ",
        "\n==============================[value_size]=============================\n"
        "Count: 1 Average: 5.0000 ",
        "\n===============================[row_size]==============================\n"
        "Count: 1 Average: 10.0000 "})
    EXPECT_TRUE(text.contains(part)) << text;
  EXPECT_TRUE(text.ends_with(std::string(71, '=') + "\n\n"));
  EXPECT_EQ(statistics.top().rows().front().size, 10u);
}

}  // namespace
}  // namespace pegmove::shell
