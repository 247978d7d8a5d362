// A side of a cutover and its duplication, on an embedded cluster whose target does not answer.
#include "migration/hot/cluster_side.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "migration/hot/duplicate.h"
#include "record/hash.h"
#include "testing/test_cluster.h"

namespace pegmove::migration::hot {
namespace {

using pegmove::testing::TestClient;
using pegmove::testing::TestCluster;
using pegmove::testing::TestClusterOptions;
using ::testing::HasSubstr;

TestClusterOptions with_remote() {
  TestClusterOptions options{.replica_servers = 2};
  options.duplication_group = {{"test", 1}, {"B", 2}};
  options.clusters = {{"B", {{"127.0.0.1", 1}}}};
  return options;
}

class ClusterSideTest : public ::testing::Test {
 protected:
  ClusterSideTest() {
    client.create_table("t", 4);
    side = client.must(ClusterSide::open(client.shared_cluster(), "t", true, client.deadline()));
  }
  ProbeAnswer probe(const TableView& view, int32_t partition, Probe probe = Probe::kRead) {
    return client.run(
        side->probe(partition, view.at(size_t(partition)).members.at(0), probe, client.deadline()));
  }
  TableView view() { return client.must(side->view(client.deadline())); }
  TableDuplication to_b() { return TableDuplication({.remote = "B", .remote_table = "u"}); }

  async::SystemClock clock;  // a shipper that waits for its target ends by its time, too
  TestCluster cluster{clock, with_remote()};
  TestClient client{cluster.meta_address()};
  std::unique_ptr<ClusterSide> side;
};

TEST_F(ClusterSideTest, SeesEveryPartitionWithItsPrimary) {
  const auto seen = view();
  ASSERT_EQ(seen.size(), 4u);
  for (const auto& partition : seen) {
    EXPECT_GT(partition.ballot, 0);
    ASSERT_FALSE(partition.members.empty());
    EXPECT_TRUE(partition.members[0].is_primary);
  }
  EXPECT_EQ(seen, view());
  EXPECT_EQ(side->name(), "test (table t)");
}

TEST_F(ClusterSideTest, ProbesShowTheFence) {
  const auto seen = view();
  EXPECT_EQ(probe(seen, 2), ProbeAnswer::kServed);
  EXPECT_EQ(probe(seen, 2, Probe::kWrite), ProbeAnswer::kServed);
  EXPECT_EQ(client.must(side->denied(client.deadline())), std::nullopt);
  client.must(side->deny("reconfig*all", client.deadline()));
  EXPECT_EQ(client.must(side->denied(client.deadline())), "reconfig*all");
  EXPECT_EQ(probe(seen, 2), ProbeAnswer::kDenied);
  EXPECT_EQ(probe(seen, 2, Probe::kWrite), ProbeAnswer::kDenied);
  client.must(side->deny("reconfig*write", client.deadline()));
  EXPECT_EQ(probe(seen, 2), ProbeAnswer::kServed);
  EXPECT_EQ(probe(seen, 2, Probe::kWrite), ProbeAnswer::kDenied);
  client.must(side->allow(client.deadline()));
  client.must(side->allow(client.deadline()));
  EXPECT_EQ(probe(seen, 2, Probe::kWrite), ProbeAnswer::kServed);
}

TEST_F(ClusterSideTest, AMemberThatIsNoServerIsNeitherServedNorDenied) {
  EXPECT_EQ(client.run(side->probe(0, {.node = "no port"}, Probe::kRead, client.deadline())),
            ProbeAnswer::kElse);
  EXPECT_EQ(client.run(side->probe(9, view()[0].members[0], Probe::kRead, client.deadline())),
            ProbeAnswer::kElse);
}

TEST_F(ClusterSideTest, ProbesOfEachPartitionHaveAKeyOfIt) {
  for (const int32_t count : {1, 4, 7, 1024})
    for (const int32_t partition : {0, count / 2, count - 1})
      EXPECT_EQ(
          record::partition_index(record::key_hash(foreign_hash_key(partition, count), ""), count),
          partition);
}

TEST_F(ClusterSideTest, ATableOfTheSameNameIsAnotherOne) {
  client.must(client.cluster().drop_table("t", 0, client.deadline()));
  client.create_table("t", 4);
  const auto seen = client.run(side->view(client.deadline()));
  ASSERT_FALSE(seen);
  EXPECT_EQ(seen.error().code(), Code::kNotFound);
}

TEST_F(ClusterSideTest, AnEmbeddedClusterIsRecognized) {
  EXPECT_TRUE(client.must(is_embedded(client.cluster(), client.deadline())));
  EXPECT_EQ(side->envs_act_within(), async::milliseconds(0));
  const auto real =
      client.must(ClusterSide::open(client.shared_cluster(), "t", false, client.deadline()));
  EXPECT_EQ(real->envs_act_within(), async::milliseconds(30'000));
}

TEST_F(ClusterSideTest, SaysTheTimeOfEachServer) {
  const auto before = clock.unix_us();
  const auto times = client.must(side->times(client.deadline()));
  const auto after = clock.unix_us();
  ASSERT_EQ(times.size(), 2u);
  EXPECT_NE(times[0].node, times[1].node);
  for (const auto& time : times) {
    EXPECT_GE(time.most_us, before) << time.node;
    EXPECT_LE(time.least_us, after) << time.node;
  }
}

TEST_F(ClusterSideTest, OnlyUntouchedPartitionsGetAFirstWrite) {
  EXPECT_EQ(client.must(touch_partitions(*side, client.deadline())), 4);
  EXPECT_EQ(client.must(touch_partitions(*side, client.deadline())), 0);
}

TEST_F(ClusterSideTest, TheLagIsThatOfTheReplicaServers) {
  auto duplication = to_b();
  const auto product = client.must(duplication.add(*side, client.deadline()));
  ASSERT_TRUE(duplication.shipping());
  const auto shipping = *duplication.shipping();
  EXPECT_EQ(product, R"({"id":)" + std::to_string(shipping.dup_id) + "}");
  client.must(touch_partitions(*side, client.deadline()));
  const auto look = client.must(look_at_shipping(*side, shipping, client.deadline()));
  EXPECT_EQ(look.state, ShippingState::kShips);
  EXPECT_EQ(look.lag.partitions, 4);
  EXPECT_EQ(look.lag.answered, 4);
  EXPECT_EQ(look.lag.last_committed, 4);
  // Another duplication of the table says nothing about this one.
  const auto other = client.must(
      side->progress(view(), {.dup_id = shipping.dup_id + 1, .remote = "B"}, client.deadline()));
  EXPECT_TRUE(other.empty());
}

TEST_F(ClusterSideTest, ADuplicationIsFoundAfterAKillAndRemovedOnce) {
  auto duplication = to_b();
  EXPECT_EQ(client.must(duplication.find_none(*side, client.deadline())), "");
  EXPECT_EQ(client.must(duplication.find(*side, client.deadline())), std::nullopt);
  const auto product = client.must(duplication.add(*side, client.deadline()));

  auto later = to_b();
  EXPECT_EQ(client.must(later.find(*side, client.deadline())), product);
  const auto refused = client.run(later.find_none(*side, client.deadline()));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("exists already, with id"));
  ASSERT_TRUE(later.take({.name = "duplicate", .product = product}));
  EXPECT_EQ(later.shipping(), duplication.shipping());

  EXPECT_THAT(client.must(later.remove(*side, client.deadline())).says, HasSubstr("is removed"));
  EXPECT_THAT(client.must(later.remove(*side, client.deadline())).says, HasSubstr("is removed"));
  EXPECT_EQ(client.must(later.find(*side, client.deadline())), std::nullopt);
  const auto look = client.run(look_at_shipping(*side, *later.shipping(), client.deadline()));
  ASSERT_FALSE(look);
  EXPECT_EQ(look.error().code(), Code::kRefused);
}

TEST_F(ClusterSideTest, ADuplicationThatTheRunHasNotAddedStays) {
  auto duplication = to_b();
  client.must(duplication.add(*side, client.deadline()));
  EXPECT_EQ(client.must(to_b().remove(*side, client.deadline())).says, "");
  EXPECT_NE(client.must(duplication.find(*side, client.deadline())), std::nullopt);
}

TEST_F(ClusterSideTest, ADuplicationThatReplacedTheRunsStays) {
  auto duplication = to_b();
  client.must(duplication.add(*side, client.deadline()));
  auto other = to_b();
  ASSERT_TRUE(other.take({.name = "duplicate", .product = R"({"id":5})"}));
  const auto undone = client.must(other.remove(*side, client.deadline()));
  EXPECT_EQ(undone.end, runs::UndoEnd::kStays);
  EXPECT_NE(client.must(duplication.find(*side, client.deadline())), std::nullopt);
}

client::TableDuplications known_as(client::DuplicationStatus status) {
  client::Duplication duplication;
  duplication.id = 7;
  duplication.status = status;
  duplication.remote = "B";
  duplication.partitions[0] = {};
  return {.table = "t", .duplications = {duplication}};
}

TEST(JudgedDuplication, SaysWhatItWaitsFor) {
  using client::DuplicationStatus;
  const Shipping shipping{.dup_id = 7, .remote = "B"};
  auto known = known_as(DuplicationStatus::kPrepare);
  auto look = judge_duplication(known, shipping);
  ASSERT_TRUE(look);
  EXPECT_EQ(look->state, ShippingState::kPreparing);
  EXPECT_THAT(look->says, HasSubstr("does the target have a table of that name already"));
  known.duplications[0].waits_for = "the disk";
  EXPECT_THAT(judge_duplication(known, shipping)->says, HasSubstr("the disk"));
  look = judge_duplication(known_as(DuplicationStatus::kPause), shipping);
  EXPECT_EQ(look->state, ShippingState::kPaused);
  EXPECT_THAT(look->says, HasSubstr("start_dup t 7"));
  EXPECT_EQ(judge_duplication(known_as(DuplicationStatus::kLog), shipping)->state,
            ShippingState::kShips);
}

TEST(JudgedDuplication, OneThatIsGoneOrEndedIsAnError) {
  using client::DuplicationStatus;
  const Shipping shipping{.dup_id = 7, .remote = "B"};
  EXPECT_FALSE(judge_duplication(known_as(DuplicationStatus::kRemoved), shipping));
  EXPECT_FALSE(judge_duplication(known_as(DuplicationStatus::kLog), {.dup_id = 8, .remote = "B"}));
  EXPECT_FALSE(judge_duplication(known_as(DuplicationStatus::kLog), {.dup_id = 7, .remote = "C"}));
  auto known = known_as(DuplicationStatus::kLog);
  known.duplications[0].partitions[0].error = "a hole after decree 3";
  const auto ended = judge_duplication(known, shipping);
  ASSERT_FALSE(ended);
  EXPECT_THAT(ended.error().message(), HasSubstr("a hole after decree 3"));
}

TEST(LagOf, CountsOnlyWhatIsNotConfirmed) {
  const auto lag = lag_of(3, {{.partition = 0, .last_committed = 10, .confirmed = 4},
                              {.partition = 1, .last_committed = 5, .confirmed = -1}});
  EXPECT_EQ(lag.answered, 2);
  EXPECT_EQ(lag.begun, 1);
  EXPECT_EQ(lag.mutations, 6);
  EXPECT_FALSE(lag.is_whole());
  EXPECT_TRUE(lag_of(1, {{.last_committed = 3, .confirmed = 3}}).is_whole());
}

}  // namespace
}  // namespace pegmove::migration::hot
