#include "migration/hot/drain.h"

#include <gmock/gmock.h>

namespace pegmove::migration::hot {
namespace {

using ::testing::HasSubstr;

const TableView kView{{.ballot = 1, .members = {{"n1", true}, {"n2", false}}},
                      {.ballot = 1, .members = {{"n2", true}, {"n1", false}}}};

PartitionProgress at_decree(int32_t partition, int64_t decree) {
  return {.partition = partition,
          .node = partition == 0 ? "n1" : "n2",
          .max_prepared = decree,
          .last_committed = decree,
          .last_applied = decree,
          .confirmed = decree,
          .persisted = decree};
}
Progress drained() { return {at_decree(0, 7), at_decree(1, 9)}; }

std::string why(const Progress& reading) {
  return why_not_drained(reading, kView).value_or("drained");
}

TEST(Drain, IsProvenWhenAllDecreesOfEveryPartitionAreOne) { EXPECT_EQ(why(drained()), "drained"); }

TEST(Drain, EachOfTheDecreesCounts) {
  for (const auto field : {&PartitionProgress::max_prepared, &PartitionProgress::last_committed,
                           &PartitionProgress::last_applied, &PartitionProgress::confirmed}) {
    auto reading = drained();
    --(reading[1].*field);
    EXPECT_THAT(why(reading), HasSubstr("partition 1 on n2"));
  }
}

TEST(Drain, AMissingPartitionIsNoProof) {
  auto reading = drained();
  reading.pop_back();
  EXPECT_THAT(why(reading), HasSubstr("partition 1 on n2 does not tell"));
  EXPECT_NE(why({}), "drained");
  EXPECT_TRUE(why_not_drained({}, {}));
}

TEST(Drain, TwoAnswersForOnePartitionAreNoProof) {
  auto reading = drained();
  reading.push_back(at_decree(0, 7));
  EXPECT_THAT(why(reading), HasSubstr("two servers"));
  reading.back().partition = 5;
  EXPECT_NE(why(reading), "drained");
}

TEST(Drain, OnlyThePrimaryOfTheViewCounts) {
  auto reading = drained();
  reading[0].node = "n2";
  EXPECT_THAT(why(reading), HasSubstr("not by its primary n1"));
  const TableView without{{.ballot = 2, .members = {{"n2", false}}}};
  EXPECT_THAT(*why_not_drained({at_decree(0, 7)}, without), HasSubstr("no primary"));
}

TEST(Drain, ReadingsAreTheSameWhateverIsPersistedAndInAnyOrder) {
  auto other = drained();
  std::swap(other[0], other[1]);
  other[0].persisted = 1;
  EXPECT_TRUE(shows_same_decrees(drained(), other));
  ++other[0].confirmed;
  EXPECT_FALSE(shows_same_decrees(drained(), other));
  EXPECT_FALSE(shows_same_decrees(drained(), {at_decree(0, 7)}));
}

TEST(Drain, WhatIsNotPersistedMayBeShippedAgain) {
  auto reading = drained();
  EXPECT_FALSE(why_not_persisted(reading));
  reading[1].persisted = 8;
  EXPECT_THAT(why_not_persisted(reading).value_or(""), HasSubstr("persisted 8 of 9"));
}

}  // namespace
}  // namespace pegmove::migration::hot
