#include "migration/hot/source_load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/sim_clock.h"
#include "testing/test_cluster.h"

namespace pegmove::migration::hot {
namespace {

using async::Instant;
using async::milliseconds;

TEST(SourceLoad, WhatClientsWriteBetweenTwoReadingsIsCounted) {
  pegmove::testing::SimClock clock;
  pegmove::testing::TestCluster cluster(clock);
  pegmove::testing::TestClient client(cluster.meta_address());
  const auto table = client.create_table("t", 2);
  const auto other = client.create_table("u", 2);
  const auto read = [&] {
    return client.must(read_writes(client.cluster(), "t", client.deadline()));
  };
  client.must(table->incr("h", "counter", 5, client::kNeverExpires, client.deadline()));
  const auto first = read();
  EXPECT_EQ(first.partition_count, 2);
  EXPECT_EQ(first.partitions.size(), 2u);
  client.must(table->set("h", "s", "v", 0, client.deadline()));
  client.must(table->incr("h", "counter", 5, client::kNeverExpires, client.deadline()));
  client.must(table->get("h", "s", client.deadline()));
  client.must(other->set("h", "s", "v", 0, client.deadline()));
  const auto load = load_between(first, read());
  EXPECT_EQ(load.writes, 2);
  EXPECT_EQ(load.atomic, 1);
  EXPECT_EQ(load.atomic_since_start, 2);
  EXPECT_EQ(load.silent, 0);
}

TEST(SourceLoad, TheRateIsThatOfTheTimeBetweenTheReadings) {
  const WriteReading first{
      .at = Instant(milliseconds(0)), .partition_count = 1, .partitions = {{0, {"a:1", 100, 7}}}};
  auto last = first;
  last.at = Instant(milliseconds(4'000));
  last.partitions[0] = {"a:1", 2'100, 9};
  const auto load = load_between(first, last);
  EXPECT_EQ(load.window, milliseconds(4'000));
  EXPECT_EQ(load.per_second(), 500);
  EXPECT_EQ(load.atomic, 2);
  EXPECT_EQ(load.atomic_since_start, 9);
  EXPECT_EQ(load_between(first, first).per_second(), 0) << "no time has passed";
}

TEST(SourceLoad, AServerThatWasRestartedCountsFromZero) {
  const WriteReading first{.partition_count = 1, .partitions = {{0, {"a:1", 100, 7}}}};
  const WriteReading last{.partition_count = 1, .partitions = {{0, {"a:1", 30, 1}}}};
  EXPECT_EQ(load_between(first, last).writes, 30);
  EXPECT_EQ(load_between(first, last).atomic, 1);
}

TEST(SourceLoad, OtherPrimariesAndThoseWithoutAnAnswerAreSilent) {
  const WriteReading first{.partition_count = 4,
                           .partitions = {{0, {"a:1", 0, 0}}, {1, {"a:1", 0, 0}}}};
  const WriteReading last{
      .partition_count = 4,
      .partitions = {{0, {"b:1", 500, 0}}, {1, {"a:1", 3, 0}}, {2, {"a:1", 9, 0}}}};
  const auto load = load_between(first, last);
  EXPECT_EQ(load.writes, 3);
  EXPECT_EQ(load.partitions, 4);
  EXPECT_EQ(load.silent, 3);
}

TEST(SourceLoad, AtomicWritesAreWritesToo) {
  const auto found = parse_partition_writes(
      R"({"entities":[{"attributes":{"partition_id":"3"},"metrics":[)"
      R"({"name":"put_requests","value":1},{"name":"multi_put_requests","value":2},)"
      R"({"name":"remove_requests","value":4},{"name":"multi_remove_requests","value":8},)"
      R"({"name":"incr_requests","value":16},{"name":"check_and_set_requests","value":32},)"
      R"({"name":"check_and_mutate_requests","value":64},{"name":"get_requests","value":900},)"
      R"({"name":"dup_requests","value":900}]}]})");
  ASSERT_TRUE(found) << found.error().to_string();
  EXPECT_EQ(found->at(3), (PartitionWrites{.writes = 127, .atomic = 112}));
  EXPECT_FALSE(parse_partition_writes("{}"));
}

}  // namespace
}  // namespace pegmove::migration::hot
