#include "inspect/server_checks.h"

#include <gmock/gmock.h>

namespace pegmove::inspect {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kSecond = 1'000'000;

TEST(ClockOffset, IsFarOffOnlyWhenThatIsCertain) {
  EXPECT_FALSE(is_far_off({-70 * kSecond, -50 * kSecond}));
  EXPECT_FALSE(is_far_off({50 * kSecond, 70 * kSecond}));
  EXPECT_TRUE(is_far_off({61 * kSecond, 70 * kSecond}));
  EXPECT_TRUE(is_far_off({-70 * kSecond, -61 * kSecond}));
}

NodeFacts node_of(const std::string& cluster, std::map<std::string, int> group) {
  return {.node = "10.0.0.1:34801",
          .config = ServerConfig{.duplication_group = std::move(group), .cluster_name = cluster}};
}

SideFacts side_of(std::vector<NodeFacts> nodes) {
  return {.cluster = "c", .table = "t", .nodes = std::move(nodes)};
}

TEST(WhyNotDuplicate, BothClustersMustHaveTheSourcesId) {
  const std::map<std::string, int> both = {{"A", 1}, {"B", 2}};
  const auto a = side_of({node_of("A", both), node_of("A", both)});
  EXPECT_EQ(why_not_duplicate(a, side_of({node_of("B", both)})), std::nullopt);
  // The names of others do not matter.
  EXPECT_EQ(why_not_duplicate(a, side_of({node_of("B", {{"other", 1}, {"B", 2}})})), std::nullopt);
  EXPECT_NE(why_not_duplicate(a, side_of({node_of("B", {})})), std::nullopt);
  EXPECT_NE(why_not_duplicate(a, side_of({node_of("B", {{"B", 2}})})), std::nullopt);
  EXPECT_NE(why_not_duplicate(a, side_of({node_of("B", {{"A", 2}, {"B", 1}})})), std::nullopt);
  EXPECT_NE(why_not_duplicate(a, side_of({node_of("B", both), node_of("B", {})})), std::nullopt);
  EXPECT_NE(why_not_duplicate(side_of({node_of("A", {})}), side_of({node_of("B", both)})),
            std::nullopt);
}

TEST(WhyNotDuplicate, AServerThatDoesNotReportItsGroupIsNotTrusted) {
  const std::map<std::string, int> both = {{"A", 1}, {"B", 2}};
  const auto good = side_of({node_of("A", both)});
  EXPECT_NE(why_not_duplicate(good, side_of({{.node = "10.0.0.2:34801"}})), std::nullopt);
  EXPECT_NE(why_not_duplicate(good, side_of({})), std::nullopt);
  EXPECT_NE(why_not_duplicate(side_of({}), good), std::nullopt);
}

TEST(WhyNotDuplicate, SaysWhatTheServersFileNeeds) {
  const ClusterId source{.name = "A", .id = 1};
  EXPECT_THAT(*why_not_duplicate(source, node_of("B", {{"B", 2}})), HasSubstr("add 'A = 1' to it"));
  EXPECT_THAT(*why_not_duplicate(source, node_of("B", {{"A", 1}})), HasSubstr("add 'B = ID'"));
}

TEST(WhyNotDuplicate, TheSourcesServersMustAgreeOnItsId) {
  const auto id = cluster_id_of(side_of({node_of("A", {{"A", 1}}), node_of("A", {{"A", 1}})}));
  ASSERT_TRUE(id);
  EXPECT_EQ(id->name, "A");
  EXPECT_EQ(id->id, 1);
  EXPECT_FALSE(cluster_id_of(side_of({node_of("A", {{"A", 1}}), node_of("A", {{"A", 2}})})));
  EXPECT_FALSE(cluster_id_of(side_of({node_of("A", {{"B", 1}})})));
  EXPECT_FALSE(cluster_id_of(side_of({})));
}

TEST(WhyTimesAreNotKept, EachPartitionMustHaveDataVersion1) {
  auto first = node_of("B", {}), second = first;
  EXPECT_THAT(*why_times_are_not_kept(side_of({first, second})), HasSubstr("is not known"));
  first.data_versions = {{0, 1}, {1, 1}};
  EXPECT_EQ(why_times_are_not_kept(side_of({first, second})), std::nullopt);
  second.data_versions = {{1, 0}};
  EXPECT_THAT(*why_times_are_not_kept(side_of({first, second})),
              HasSubstr("partition 1 of table 't' on cluster c has data version 0"));
}

TEST(WhyNotDuplicate, AGroupThatIgnoresOtherIdsTakesAnyButItsOwn) {
  auto target = node_of("B", {{"B", 2}});
  target.config->ignores_other_ids = true;
  EXPECT_EQ(why_not_duplicate(side_of({node_of("A", {{"A", 1}})}), side_of({target})),
            std::nullopt);
  EXPECT_NE(why_not_duplicate(side_of({node_of("A", {{"A", 2}})}), side_of({target})),
            std::nullopt);
}

}  // namespace
}  // namespace pegmove::inspect
