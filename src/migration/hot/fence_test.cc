#include "migration/hot/fence.h"

#include <gtest/gtest.h>

namespace pegmove::migration::hot {
namespace {

const Member kFirst{"n1", true};
const Member kSecond{"n2", false};

TableView one_partition(int64_t ballot) {
  return {{.ballot = ballot, .members = {kFirst, kSecond}}};
}

FenceProof with_view(FenceKind kind, int64_t ballot = 3) {
  FenceProof proof(kind);
  proof.note_view(one_partition(ballot));
  return proof;
}

void serve_and_deny(FenceProof& proof, const Member& member) {
  proof.note(0, member, ProbeAnswer::kServed);
  proof.note(0, member, ProbeAnswer::kDenied);
}

TEST(FenceProof, EveryMemberMustHaveServedAndRefuse) {
  auto proof = with_view(FenceKind::kAll);
  EXPECT_FALSE(proof.is_proven());
  serve_and_deny(proof, kFirst);
  EXPECT_FALSE(proof.is_proven());
  EXPECT_EQ(FenceProof::text_of(proof.undenied()), "partition 0 on n2");
  serve_and_deny(proof, kSecond);
  EXPECT_TRUE(proof.is_proven());
}

TEST(FenceProof, ARefusalOfOneThatHasNotServedIsInDoubt) {
  auto proof = with_view(FenceKind::kAll);
  serve_and_deny(proof, kFirst);
  proof.note(0, kSecond, ProbeAnswer::kDenied);
  EXPECT_FALSE(proof.is_proven());
  EXPECT_TRUE(proof.is_doubtful());
  serve_and_deny(proof, kSecond);
  EXPECT_FALSE(proof.is_doubtful());
  EXPECT_TRUE(proof.is_proven());
}

TEST(FenceProof, NoAnswerProvesNothing) {
  auto proof = with_view(FenceKind::kAll);
  for (const auto& member : {kFirst, kSecond}) {
    proof.note(0, member, ProbeAnswer::kServed);
    proof.note(0, member, ProbeAnswer::kElse);
  }
  EXPECT_FALSE(proof.is_proven());
  EXPECT_FALSE(proof.is_doubtful());
}

TEST(FenceProof, OneThatServesAgainIsNotFenced) {
  auto proof = with_view(FenceKind::kAll);
  serve_and_deny(proof, kFirst);
  serve_and_deny(proof, kSecond);
  proof.note(0, kSecond, ProbeAnswer::kServed);
  EXPECT_FALSE(proof.is_proven());
}

TEST(FenceProof, AnotherBallotForgetsWhatWasSeenOfThePartition) {
  auto proof = with_view(FenceKind::kAll);
  serve_and_deny(proof, kFirst);
  serve_and_deny(proof, kSecond);
  proof.note_view(one_partition(3));
  EXPECT_TRUE(proof.is_proven());
  proof.note_view(one_partition(4));
  EXPECT_FALSE(proof.is_proven());
  EXPECT_EQ(proof.unserved().size(), 2u);
}

TEST(FenceProof, SecondariesAreNotAskedToWrite) {
  auto proof = with_view(FenceKind::kWrites);
  EXPECT_EQ(proof.probe(), Probe::kWrite);
  ASSERT_EQ(proof.unserved().size(), 1u);
  EXPECT_EQ(proof.unserved()[0].member, kFirst);
  serve_and_deny(proof, kFirst);
  EXPECT_TRUE(proof.is_proven());
}

TEST(FenceProof, APartitionWithoutAPrimaryOrATableWithoutPartitionsIsNotProven) {
  FenceProof proof(FenceKind::kAll);
  EXPECT_FALSE(proof.is_proven());
  proof.note_view({{.ballot = 1, .members = {kSecond}}});
  serve_and_deny(proof, kSecond);
  EXPECT_FALSE(proof.is_proven());
}

}  // namespace
}  // namespace pegmove::migration::hot
