#include "migration/hot/await_restart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pegmove::migration::hot {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

inspect::NodeFacts server(const std::string& address, bool knows_both) {
  inspect::ServerConfig config{.duplication_group = {}, .cluster_name = address.substr(0, 1)};
  if (knows_both) config.duplication_group = {{"A", 1}, {"B", 2}};
  return {.node = address, .config = config};
}

// Two embedded clusters, which do not show addresses of others.
HotFacts facts_of(std::vector<inspect::NodeFacts> source, std::vector<inspect::NodeFacts> target) {
  HotFacts facts{.source_is_embedded = true, .target_is_embedded = true};
  facts.inspection.source = {.cluster = "A", .table = "t", .nodes = std::move(source)};
  facts.inspection.target = {.cluster = "B", .table = "t", .nodes = std::move(target)};
  return facts;
}

const HotRequest kBetweenAAndB{.source = {.name = "A", .cluster = "A"},
                               .target = {.name = "B", .cluster = "B"}};

TEST(AwaitedServers, EachIsAwaitedUntilItHasWhatItNeeds) {
  AwaitedServers awaited;
  const auto missing = awaited.missing(
      facts_of({server("A1:1", true), server("A2:1", false)}, {server("B1:1", true)}),
      kBetweenAAndB);
  EXPECT_THAT(missing, ElementsAre(AllOf(HasSubstr("replica server A2:1 of cluster A: "),
                                         HasSubstr("has no id of cluster A"))));
  EXPECT_THAT(awaited.missing(
                  facts_of({server("A1:1", true), server("A2:1", true)}, {server("B1:1", true)}),
                  kBetweenAAndB),
              IsEmpty());
}

// While it is restarted the meta server does not list it as alive, or the cluster does not answer.
TEST(AwaitedServers, AServerThatIsDownIsAwaited) {
  AwaitedServers awaited;
  const auto all = facts_of({server("A1:1", true), server("A2:1", false)}, {server("B1:1", true)});
  EXPECT_EQ(awaited.missing(all, kBetweenAAndB).size(), 1u);
  EXPECT_THAT(
      awaited.missing(facts_of({server("A1:1", true)}, {server("B1:1", true)}), kBetweenAAndB),
      ElementsAre("replica server A2:1 of cluster A is not back"));
  auto away = facts_of({}, {server("B1:1", true)});
  away.inspection.source.unreachable = Error(Code::kUnreachable, "connection refused");
  EXPECT_THAT(awaited.missing(away, kBetweenAAndB),
              ElementsAre(HasSubstr("cluster A does not answer: connection refused")));
  EXPECT_THAT(awaited.missing(facts_of({}, {server("B1:1", true)}), kBetweenAAndB),
              ElementsAre("no replica server of cluster A is alive",
                          "replica server A1:1 of cluster A is not back",
                          "replica server A2:1 of cluster A is not back"));
  EXPECT_THAT(awaited.missing(
                  facts_of({server("A1:1", true), server("A2:1", true)}, {server("B1:1", true)}),
                  kBetweenAAndB),
              IsEmpty());
}

}  // namespace
}  // namespace pegmove::migration::hot
