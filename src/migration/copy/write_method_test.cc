#include "migration/copy/write_method.h"

#include <gmock/gmock.h>

namespace pegmove::migration {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kNow = 1'700'000'000 * kSecond;

inspect::ServerConfig config_of(std::string name, std::map<std::string, int> group) {
  return {.duplication_group = std::move(group), .cluster_name = std::move(name)};
}

inspect::NodeFacts server(std::string address, inspect::ServerConfig config) {
  return {.node = std::move(address),
          .version = inspect::ServerVersion{2, 6, "2.6.0"},
          .clock = inspect::ClockOffset{-1000, 1000},
          .config = std::move(config)};
}

class WriteMethodTest : public ::testing::Test {
 protected:
  WriteMethodTest() {
    inspection.source = {.cluster = "A", .table = "t"};
    inspection.target = {.cluster = "B", .table = "t"};
    inspection.now_us = kNow;
    inspection.target.duplications.emplace();
    configure({{"A", 1}, {"B", 2}});
  }
  // The group of both clusters.
  void configure(const std::map<std::string, int>& group) {
    inspection.source.nodes = {server("a:1", config_of("A", group))};
    inspection.target.nodes = {server("b:1", config_of("B", group)),
                               server("b:2", config_of("B", group))};
  }
  WriteMethod choose() { return choose_write_method(inspection, options); }

  inspect::Inspection inspection;
  CopyOptions options{.table = "t"};
};

TEST_F(WriteMethodTest, ClustersOfOneGroupAreCopiedThroughDuplicateAsTheSource) {
  auto method = choose();
  ASSERT_TRUE(method.duplicate) << method.reason;
  EXPECT_EQ(method.duplicate->cluster_id, 1);
  EXPECT_THAT(method.reason, HasSubstr("A"));
}

TEST_F(WriteMethodTest, PlainModeOverwritesAndLiveModeKeepsWhatIsNewer) {
  EXPECT_FALSE(choose().duplicate->verify_timetag);
  options.live = true;
  EXPECT_TRUE(choose().duplicate->verify_timetag);
}

TEST_F(WriteMethodTest, TheTimeLiesTenMinutesBeforeTheSlowestClock) {
  EXPECT_EQ(choose().duplicate->timestamp_us, kNow - 1000 - 600 * kSecond);
  inspection.target.nodes[1].clock = inspect::ClockOffset{-20 * kSecond, -19 * kSecond};
  EXPECT_EQ(choose().duplicate->timestamp_us, kNow - 620 * kSecond);
  inspection.target.nodes[0].clock = inspect::ClockOffset{20 * kSecond, 21 * kSecond};
  inspection.target.nodes[1].clock = inspect::ClockOffset{20 * kSecond, 21 * kSecond};
  EXPECT_EQ(choose().duplicate->timestamp_us, kNow - 600 * kSecond) << "never later than by ours";
}

TEST_F(WriteMethodTest, WhatIsAskedForIsTaken) {
  options.through = Through::kPlain;
  EXPECT_FALSE(choose().duplicate);
  EXPECT_FALSE(choose().impossible);
}

TEST_F(WriteMethodTest, WhatARunBeganWithIsKeptWhileTheServersTakeIt) {
  options.through = Through::kPlain;
  auto id = choose_write_method(inspection, {.table = "t"}).duplicate->cluster_id;
  options.duplicate = client::DuplicateWrite{.cluster_id = id, .timestamp_us = 7};
  ASSERT_TRUE(choose().duplicate);
  EXPECT_EQ(choose().duplicate->timestamp_us, 7);
  options.duplicate->cluster_id = 9;
  EXPECT_THAT(choose().impossible.value_or(""), ::testing::HasSubstr("no longer"));
  options.duplicate->cluster_id = id;
  inspection.target.nodes[0].config->duplication_group.clear();
  inspection.target.nodes[1].config->duplication_group.clear();
  EXPECT_THAT(choose().impossible.value_or(""), ::testing::HasSubstr("in no [duplication-group]"));
}

// Asked for by itself, DUPLICATE is not taken; asked for by name, it is impossible, and why is
// told.
void expect_no_duplicate(inspect::Inspection& inspection, CopyOptions options,
                         const std::string& why) {
  auto method = choose_write_method(inspection, options);
  EXPECT_FALSE(method.duplicate);
  EXPECT_FALSE(method.impossible);
  EXPECT_THAT(method.reason, HasSubstr(why));
  for (bool live : {false, true}) {
    auto asked = options;
    (live ? asked.live : asked.create) = true;
    if (!live) asked.through = Through::kDuplicate;
    auto impossible = choose_write_method(inspection, asked);
    EXPECT_FALSE(impossible.duplicate);
    ASSERT_TRUE(impossible.impossible);
    EXPECT_THAT(*impossible.impossible, HasSubstr(why));
  }
}

TEST_F(WriteMethodTest, WithoutAGroupNothingIsDuplicated) {
  configure({});
  expect_no_duplicate(inspection, options, "in no [duplication-group]");
}

TEST_F(WriteMethodTest, AGroupWithoutTheTargetItselfWouldEndItsServers) {
  configure({{"A", 1}});
  expect_no_duplicate(inspection, options, "does not contain its own cluster, B");
}

TEST_F(WriteMethodTest, AServerThatDoesNotTellItsGroupIsNotTried) {
  inspection.target.nodes[1].config.reset();
  expect_no_duplicate(inspection, options, "b:2 does not report");
}

TEST_F(WriteMethodTest, ServersThatDisagreeAreNotTried) {
  inspection.target.nodes[1].config->duplication_group["C"] = 3;
  expect_no_duplicate(inspection, options, "different [duplication-group]s");
}

TEST_F(WriteMethodTest, AClockThatIsFarOffOrNotKnownForbidsDuplicate) {
  inspection.target.nodes[1].clock = inspect::ClockOffset{-3600 * kSecond, -3599 * kSecond};
  expect_no_duplicate(inspection, options, "clock of replica server b:2 differs too much");
  inspection.target.nodes[1].clock.reset();
  expect_no_duplicate(inspection, options, "clock of replica server b:2 is not known");
}

TEST_F(WriteMethodTest, ServersBefore24AreNotTried) {
  inspection.target.nodes[0].version = inspect::ServerVersion{2, 3, "2.3.1"};
  expect_no_duplicate(inspection, options, "2.3.1");
  inspection.target.nodes[0].version.reset();
  expect_no_duplicate(inspection, options, "version of replica server b:1 is not known");
}

TEST_F(WriteMethodTest, WithoutTheSourceInTheGroupAnotherIdServesWhenAskedFor) {
  configure({{"B", 2}, {"C", 3}});
  EXPECT_FALSE(choose().duplicate);
  EXPECT_THAT(choose().reason, HasSubstr("no id of the source, A"));
  options.through = Through::kDuplicate;
  ASSERT_TRUE(choose().duplicate);
  EXPECT_EQ(choose().duplicate->cluster_id, 3);
  configure({{"B", 2}});
  EXPECT_THAT(choose().impossible.value_or(""), HasSubstr("no id but its own"));
}

TEST_F(WriteMethodTest, ATargetThatTakesAnyIdIsGivenTheSourcesOwn) {
  for (auto& node : inspection.target.nodes) {
    node.config->duplication_group = {{"B", 2}};
    node.config->ignores_other_ids = true;
  }
  inspection.source.nodes[0].config->duplication_group = {{"A", 7}};
  ASSERT_TRUE(choose().duplicate) << choose().reason;
  EXPECT_EQ(choose().duplicate->cluster_id, 7);
  inspection.source.nodes[0].config.reset();
  EXPECT_FALSE(choose().duplicate);
  options.through = Through::kDuplicate;
  EXPECT_EQ(choose().duplicate->cluster_id, 127);
}

TEST_F(WriteMethodTest, WithinOneClusterRowsAreWrittenPlain) {
  inspection.source.nodes = inspection.target.nodes;
  EXPECT_FALSE(choose().duplicate);
}

TEST_F(WriteMethodTest, ATargetThatIsDuplicatedOnwardIsWrittenPlain) {
  inspection.target.duplications->push_back(
      {.remote = "C", .remote_table = "t", .status = "DS_LOG"});
  EXPECT_FALSE(choose().duplicate);
  EXPECT_THAT(choose().reason, HasSubstr("duplicated to another cluster"));
  options.through = Through::kDuplicate;
  EXPECT_TRUE(choose().duplicate);
}

}  // namespace
}  // namespace pegmove::migration
