#include "migration/hot/drain.h"

#include <gmock/gmock.h>

namespace pegmove::migration::hot {
namespace {

using async::milliseconds;
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

// What was written since does not count: it is shipped in its turn.
TEST(Stored, IsWhatTheRelayHasConfirmedOfEveryPartition) {
  auto reading = drained();
  reading[0].max_prepared = reading[0].last_committed = 20;
  EXPECT_EQ(why_not_stored(reading, kView), std::nullopt);
  --reading[1].persisted;
  EXPECT_THAT(why_not_stored(reading, kView).value_or(""),
              HasSubstr("partition 1 on n2: shipped 9, of which the meta server has stored 8"));
  reading[1].persisted = reading[1].confirmed = -1;
  EXPECT_TRUE(why_not_stored(reading, kView));
  reading.pop_back();
  EXPECT_TRUE(why_not_stored(reading, kView));
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
  EXPECT_THAT(why(reading), HasSubstr("two have answered"));
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

TEST(Drain, AReadingWithFewerDecreesIsNoticed) {
  auto later = drained();
  std::swap(later[0], later[1]);
  EXPECT_FALSE(shows_lost_decrees(drained(), later));
  ++later[0].max_prepared;
  EXPECT_FALSE(shows_lost_decrees(drained(), later));
  later[0].max_prepared -= 2;
  EXPECT_TRUE(shows_lost_decrees(drained(), later));
}

class DrainProofTest : public ::testing::Test {
 protected:
  std::string note(const Progress& reading, int64_t at_ms) {
    proof.note(reading, begin + milliseconds(at_ms), begin + milliseconds(at_ms + 10));
    return proof.why_not().value_or("proven");
  }
  const async::Instant begin{};
  DrainProof proof{kView, {MustPersist::kYes, milliseconds(1'000)}};
};

TEST_F(DrainProofTest, TakesTwoReadingsThatAreApart) {
  EXPECT_EQ(note(drained(), 0), "the second reading");
  EXPECT_EQ(note(drained(), 1'009), "the second reading");
  EXPECT_EQ(note(drained(), 1'010), "proven");
}

TEST_F(DrainProofTest, BeginsAgainWithEachChange) {
  note(drained(), 0);
  auto grown = drained();
  grown[1] = at_decree(1, 10);
  EXPECT_EQ(note(grown, 1'500), "the second reading");
  auto behind = grown;
  --behind[1].confirmed;
  EXPECT_THAT(note(behind, 3'000), HasSubstr("shipped 9"));
  EXPECT_EQ(note(grown, 4'500), "the second reading");
  EXPECT_EQ(note(grown, 6'000), "proven");
}

TEST_F(DrainProofTest, WhatIsNotPersistedMayBeShippedAgain) {
  auto reading = drained();
  reading[1].persisted = 8;
  note(reading, 0);
  EXPECT_THAT(note(reading, 2'000), HasSubstr("persisted 8 of 9"));
  EXPECT_EQ(note(drained(), 3'000), "proven");
}

// Idle servers write by themselves, each partition at another time.
TEST_F(DrainProofTest, OfAPartitionHoldsWhileOthersChange) {
  note(drained(), 0);
  auto one = drained();
  one[1] = at_decree(1, 10);
  one[1].persisted = 9;
  note(one, 1'500);  // partition 0 is proven
  auto other = one;
  other[0] = at_decree(0, 8);
  other[0].persisted = 7;
  other[1].persisted = 10;
  EXPECT_EQ(note(other, 3'000), "proven");
}

TEST_F(DrainProofTest, NeedsEveryPartition) {
  note({at_decree(0, 7)}, 0);
  EXPECT_THAT(note({at_decree(0, 7)}, 2'000), HasSubstr("partition 1 on n2 does not tell"));
  EXPECT_TRUE(DrainProof({}, {}).why_not());
}

}  // namespace
}  // namespace pegmove::migration::hot
