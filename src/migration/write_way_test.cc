#include "migration/write_way.h"

#include <gmock/gmock.h>

namespace pegmove::migration {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kNow = 1'700'000'000 * kSecond;

ServerConfig config_of(std::string name, std::map<std::string, int> group) {
  return {.duplication_group = std::move(group), .cluster_name = std::move(name)};
}

NodeFacts server(std::string address, ServerConfig config) {
  return {.node = std::move(address),
          .version = ServerVersion{2, 6, "2.6.0"},
          .clock = ClockOffset{-1000, 1000},
          .config = std::move(config)};
}

class WriteWayTest : public ::testing::Test {
 protected:
  WriteWayTest() {
    facts.source = {.cluster = "A", .table = "t"};
    facts.target = {.cluster = "B", .table = "t"};
    facts.now_us = kNow;
    facts.target.duplications.emplace();
    configure({{"A", 1}, {"B", 2}});
  }
  // The group of both clusters.
  void configure(const std::map<std::string, int>& group) {
    facts.source.nodes = {server("a:1", config_of("A", group))};
    facts.target.nodes = {server("b:1", config_of("B", group)),
                          server("b:2", config_of("B", group))};
  }
  WriteWay choose() { return choose_way(facts, options); }

  PreflightFacts facts;
  CopyOptions options{.table = "t"};
};

TEST_F(WriteWayTest, ClustersOfOneGroupAreCopiedThroughDuplicateAsTheSource) {
  auto way = choose();
  ASSERT_TRUE(way.duplicate) << way.reason;
  EXPECT_EQ(way.duplicate->cluster_id, 1);
  EXPECT_THAT(way.reason, HasSubstr("A"));
}

TEST_F(WriteWayTest, PlainModeOverwritesAndLiveModeKeepsWhatIsNewer) {
  EXPECT_FALSE(choose().duplicate->verify_timetag);
  options.live = true;
  EXPECT_TRUE(choose().duplicate->verify_timetag);
}

TEST_F(WriteWayTest, TheTimeLiesTenMinutesBeforeTheSlowestClock) {
  EXPECT_EQ(choose().duplicate->timestamp_us, kNow - 1000 - 600 * kSecond);
  facts.target.nodes[1].clock = ClockOffset{-20 * kSecond, -19 * kSecond};
  EXPECT_EQ(choose().duplicate->timestamp_us, kNow - 620 * kSecond);
  facts.target.nodes[0].clock = ClockOffset{20 * kSecond, 21 * kSecond};
  facts.target.nodes[1].clock = ClockOffset{20 * kSecond, 21 * kSecond};
  EXPECT_EQ(choose().duplicate->timestamp_us, kNow - 600 * kSecond) << "never later than by ours";
}

TEST_F(WriteWayTest, WhatIsAskedForIsTaken) {
  options.through = Through::kPlain;
  EXPECT_FALSE(choose().duplicate);
  EXPECT_FALSE(choose().impossible);
}

TEST_F(WriteWayTest, WhatARunBeganWithIsKeptWhileTheServersTakeIt) {
  options.through = Through::kPlain;
  auto id = choose_way(facts, {.table = "t"}).duplicate->cluster_id;
  options.duplicate = client::DuplicateWrite{.cluster_id = id, .timestamp_us = 7};
  ASSERT_TRUE(choose().duplicate);
  EXPECT_EQ(choose().duplicate->timestamp_us, 7);
  options.duplicate->cluster_id = 9;
  EXPECT_THAT(choose().impossible.value_or(""), ::testing::HasSubstr("no longer"));
  options.duplicate->cluster_id = id;
  facts.target.nodes[0].config->duplication_group.clear();
  facts.target.nodes[1].config->duplication_group.clear();
  EXPECT_THAT(choose().impossible.value_or(""), ::testing::HasSubstr("in no [duplication-group]"));
}

// Asked for by itself, DUPLICATE is not taken; asked for by name, it is impossible, and why is
// told.
void expect_no_duplicate(PreflightFacts& facts, CopyOptions options, const std::string& why) {
  auto way = choose_way(facts, options);
  EXPECT_FALSE(way.duplicate);
  EXPECT_FALSE(way.impossible);
  EXPECT_THAT(way.reason, HasSubstr(why));
  for (bool live : {false, true}) {
    auto asked = options;
    (live ? asked.live : asked.create) = true;
    if (!live) asked.through = Through::kDuplicate;
    auto impossible = choose_way(facts, asked);
    EXPECT_FALSE(impossible.duplicate);
    ASSERT_TRUE(impossible.impossible);
    EXPECT_THAT(*impossible.impossible, HasSubstr(why));
  }
}

TEST_F(WriteWayTest, WithoutAGroupNothingIsDuplicated) {
  configure({});
  expect_no_duplicate(facts, options, "in no [duplication-group]");
}

TEST_F(WriteWayTest, AGroupWithoutTheTargetItselfWouldEndItsServers) {
  configure({{"A", 1}});
  expect_no_duplicate(facts, options, "does not name its own cluster, B");
}

TEST_F(WriteWayTest, AServerThatDoesNotTellItsGroupIsNotTried) {
  facts.target.nodes[1].config.reset();
  expect_no_duplicate(facts, options, "b:2 does not tell");
}

TEST_F(WriteWayTest, ServersThatDisagreeAreNotTried) {
  facts.target.nodes[1].config->duplication_group["C"] = 3;
  expect_no_duplicate(facts, options, "different [duplication-group]s");
}

TEST_F(WriteWayTest, AClockThatIsFarOffOrNotKnownForbidsDuplicate) {
  facts.target.nodes[1].clock = ClockOffset{-3600 * kSecond, -3599 * kSecond};
  expect_no_duplicate(facts, options, "clock of replica server b:2 is far off");
  facts.target.nodes[1].clock.reset();
  expect_no_duplicate(facts, options, "clock of replica server b:2 is not known");
}

TEST_F(WriteWayTest, ServersBefore24AreNotTried) {
  facts.target.nodes[0].version = ServerVersion{2, 3, "2.3.1"};
  expect_no_duplicate(facts, options, "2.3.1");
  facts.target.nodes[0].version.reset();
  expect_no_duplicate(facts, options, "version of replica server b:1 is not known");
}

TEST_F(WriteWayTest, WithoutTheSourceInTheGroupAnotherIdServesWhenAskedFor) {
  configure({{"B", 2}, {"C", 3}});
  EXPECT_FALSE(choose().duplicate);
  EXPECT_THAT(choose().reason, HasSubstr("no id of the source, A"));
  options.through = Through::kDuplicate;
  ASSERT_TRUE(choose().duplicate);
  EXPECT_EQ(choose().duplicate->cluster_id, 3);
  configure({{"B", 2}});
  EXPECT_THAT(choose().impossible.value_or(""), HasSubstr("no id but its own"));
}

TEST_F(WriteWayTest, ATargetThatTakesAnyIdIsGivenTheSourcesOwn) {
  for (auto& node : facts.target.nodes) {
    node.config->duplication_group = {{"B", 2}};
    node.config->ignores_other_ids = true;
  }
  facts.source.nodes[0].config->duplication_group = {{"A", 7}};
  ASSERT_TRUE(choose().duplicate) << choose().reason;
  EXPECT_EQ(choose().duplicate->cluster_id, 7);
  facts.source.nodes[0].config.reset();
  EXPECT_FALSE(choose().duplicate);
  options.through = Through::kDuplicate;
  EXPECT_EQ(choose().duplicate->cluster_id, 127);
}

TEST_F(WriteWayTest, WithinOneClusterRowsAreWrittenPlain) {
  facts.source.nodes = facts.target.nodes;
  EXPECT_FALSE(choose().duplicate);
}

TEST_F(WriteWayTest, ATargetThatIsDuplicatedOnwardIsWrittenPlain) {
  facts.target.duplications->push_back({.remote = "C", .remote_table = "t", .status = "DS_LOG"});
  EXPECT_FALSE(choose().duplicate);
  EXPECT_THAT(choose().reason, HasSubstr("onward"));
  options.through = Through::kDuplicate;
  EXPECT_TRUE(choose().duplicate);
}

TEST(ClockOffset, IsFarOffOnlyWhenThatIsCertain) {
  EXPECT_FALSE(is_far_off({-70 * kSecond, -50 * kSecond}));
  EXPECT_FALSE(is_far_off({50 * kSecond, 70 * kSecond}));
  EXPECT_TRUE(is_far_off({61 * kSecond, 70 * kSecond}));
  EXPECT_TRUE(is_far_off({-70 * kSecond, -61 * kSecond}));
}

}  // namespace
}  // namespace pegmove::migration
