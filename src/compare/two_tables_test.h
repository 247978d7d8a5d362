// For tests: one table on two clusters, filled equally and then changed.
#pragma once

#include <gtest/gtest.h>

#include <set>

#include "compare/compare.h"
#include "record/expiry.h"
#include "record/key.h"
#include "testing/random_table.h"
#include "testing/two_clusters.h"

namespace pegmove::compare {

using Found = std::set<std::tuple<DifferenceKind, std::string, std::string>>;

inline Found found_in(const std::vector<Difference>& differences) {
  Found all;
  for (const auto& difference : differences)
    EXPECT_TRUE(all.emplace(difference.kind, difference.hash_key, difference.sort_key).second);
  return all;
}

class TwoTablesTest : public ::testing::Test {
 protected:
  explicit TwoTablesTest(testing::TestClusterOptions source_options = {},
                         testing::TestClusterOptions target_options = {})
      : clusters(std::move(source_options), std::move(target_options)) {}

  uint32_t now() const { return record::pegasus_seconds(clusters.source_time.unix_seconds()); }

  void make_tables(const testing::Model& model, int source_partitions, int target_partitions) {
    source = clusters.create_table(clusters.source, "t", source_partitions);
    target = clusters.create_table(clusters.target, "t", target_partitions);
    clusters.must(write_model(source, model, clusters.deadline()));
    clusters.must(write_model(target, model, clusters.deadline()));
  }
  void set(const std::shared_ptr<client::Table>& table, const testing::ModelKey& key,
           const std::string& value, uint32_t expire_ts = 0) {
    clusters.must(table->set(key.hash_key, key.sort_key, value, expire_ts, clusters.deadline()));
  }
  void del(const std::shared_ptr<client::Table>& table, const testing::ModelKey& key) {
    clusters.must(table->del(key.hash_key, key.sort_key, clusters.deadline()));
  }
  TablePair tables() const { return {.source = source, .target = target}; }
  Result<CompareReport> try_compare(CompareOptions options, CompareEvents events = {}) {
    return clusters.run(compare::compare(tables(), std::move(options), clusters.stop, events));
  }
  CompareReport compare(CompareOptions options = {}, CompareEvents events = {}) {
    auto report = try_compare(std::move(options), std::move(events));
    if (!report) throw std::runtime_error(report.error().to_string());
    return *std::move(report);
  }

  testing::TwoClusters clusters;
  std::shared_ptr<client::Table> source, target;
};

}  // namespace pegmove::compare
