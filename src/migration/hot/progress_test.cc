#include "migration/hot/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pegmove::migration::hot {
namespace {

using async::Instant;
using async::milliseconds;
using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;

// As Apache Pegasus 2.6.0-SNAPSHOT answers.
std::string replica_text(const std::string& gpid, const std::string& place, int64_t committed,
                         int64_t confirmed) {
  return "\n    " + gpid + "@localhost:34801@" + place +
         " : {\n    \"max_prepared_decree\": " + std::to_string(committed) +
         ",\n    \"max_plog_decree\": 1,\n    \"last_committed_decree\": " +
         std::to_string(committed) +
         ",\n    \"last_applied_decree\": " + std::to_string(committed) +
         ",\n    \"max_gc_decree\": 0,\n    \"duplications\": [\n        {\n            \"dupid\": "
         "1795959982,\n            \"remote_cluster_name\": \"onebox2\",\n            "
         "\"remote_app_name\": \"k\",\n            \"replica_confirmed_decree\": " +
         std::to_string(confirmed) +
         ",\n            \"meta_persisted_decree\": 1\n        }\n    ]\n}";
}

TEST(QueryProgress, TellsWhatEachReplicaHasAndShipped) {
  const auto replicas =
      parse_query_progress("2 processed, 0 not found" + replica_text("15.0", "P", 145, 44) +
                               replica_text("15.1", "S", 146, 45),
                           15);
  ASSERT_TRUE(replicas) << replicas.error().to_string();
  ASSERT_EQ(replicas->size(), 2u);
  const auto& first = replicas->front();
  EXPECT_EQ(first.gpid, (Gpid{15, 0}));
  EXPECT_TRUE(first.is_primary);
  EXPECT_FALSE(replicas->back().is_primary);
  EXPECT_EQ(first.max_prepared, 145);
  EXPECT_EQ(first.last_committed, 145);
  EXPECT_EQ(first.last_applied, 145);
  ASSERT_EQ(first.duplications.size(), 1u);
  EXPECT_EQ(first.duplications[0].id, 1795959982);
  EXPECT_EQ(first.duplications[0].remote, "onebox2");
  EXPECT_EQ(first.duplications[0].remote_table, "k");
  EXPECT_EQ(first.duplications[0].confirmed, 44);
  EXPECT_EQ(first.duplications[0].persisted, 1);
}

TEST(QueryProgress, ReplicasThatTheServerDoesNotHaveAreLeftOut) {
  const auto replicas =
      parse_query_progress("0 processed, 1 not found\n    15.0@localhost:34801 : not found", 15);
  ASSERT_TRUE(replicas) << replicas.error().to_string();
  EXPECT_TRUE(replicas->empty());
}

TEST(QueryProgress, APartitionWithoutDuplicationsHasNone) {
  const auto replicas = parse_query_progress(
      "1 processed, 0 not found\n    3.7@a:1@P : {\n    \"max_prepared_decree\": 0,\n    "
      "\"last_committed_decree\": 0,\n    \"last_applied_decree\": 0\n}",
      3);
  ASSERT_TRUE(replicas) << replicas.error().to_string();
  EXPECT_TRUE(replicas->at(0).duplications.empty());
}

TEST(QueryProgress, AServerThatDoesNotKnowTheCommandIsTooOld) {
  const auto replicas = parse_query_progress("unknown command 'replica.query-progress'", 1);
  ASSERT_FALSE(replicas);
  EXPECT_EQ(replicas.error().code(), Code::kUnsupported);
}

TEST(QueryProgress, RefusesAnswersThatCannotBeOne) {
  const auto good = replica_text("15.0", "P", 5, 5);
  const auto without = [&](const std::string& what, const std::string& instead) {
    auto text = "1 processed, 0 not found" + good;
    text.replace(text.find(what), what.size(), instead);
    return text;
  };
  for (const auto& text :
       {std::string(), std::string("nonsense"), "2 processed, 0 not found" + good + good,
        "1 processed, 0 not found" + replica_text("16.0", "P", 5, 5),
        "1 processed, 0 not found" + replica_text("15.0", "X", 5, 5),
        "1 processed, 0 not found" + replica_text("15.-1", "P", 5, 5),
        "1 processed, 0 not found" + replica_text("15.0", "P", -5, 5),
        "1 processed, 0 not found" + replica_text("15.0", "P", 5, -2),
        without("\"last_applied_decree\": 5", "\"last_applied_decree\": \"5\""),
        without("\"max_prepared_decree\": 5,", ""),
        without("\"max_prepared_decree\": 5", "\"max_prepared_decree\": 18446744073709551615"),
        without("\"dupid\": 1795959982", "\"dupid\": null"),
        std::string("1 processed, 0 not found\nmore"),
        ("1 processed, 0 not found" + good).substr(0, 120)}) {
    const auto replicas = parse_query_progress(text, 15);
    ASSERT_FALSE(replicas) << text;
    EXPECT_EQ(replicas.error().code(), Code::kProtocol) << text;
  }
}

TEST(QueryProgress, RefusesADuplicationThatIsListedTwice) {
  auto text = "1 processed, 0 not found" + replica_text("15.0", "P", 5, 5);
  const auto begin = text.find("{\n            \"dupid\"");
  const auto one = text.substr(begin, text.find("\n    ]") - begin);
  text.insert(begin, one + ",\n        ");
  const auto replicas = parse_query_progress(text, 15);
  ASSERT_FALSE(replicas);
  EXPECT_THAT(replicas.error().message(), HasSubstr("listed twice"));
}

TEST(Unshipped, IsReadByPartitionOfOneDuplication) {
  const auto unshipped = parse_unshipped(
      R"({"7":{"15.0":{"duplicating":true,"not_confirmed_mutations_num":26,)"
      R"("not_duplicated_mutations_num":25,"fail_mode":"FAIL_SLOW"}},"8":{"15.1":{}}})",
      7);
  ASSERT_TRUE(unshipped) << unshipped.error().to_string();
  EXPECT_THAT(*unshipped, UnorderedElementsAre(Pair(0, 25)));
}

TEST(Unshipped, AnotherDuplicationSaysNothing) {
  const auto unshipped = parse_unshipped(R"({"8":{}})", 7);
  ASSERT_TRUE(unshipped);
  EXPECT_TRUE(unshipped->empty());
}

TEST(Unshipped, RefusesWhatIsNoAnswer) {
  for (const char* body : {"", "[]", R"({"7":[]})", R"({"7":{"x":{}}})", R"({"7":{"15.0":1}})",
                           R"({"7":{"15.0":{"not_duplicated_mutations_num":-1}}})"})
    EXPECT_FALSE(parse_unshipped(body, 7)) << body;
}

Instant at(int64_t ms) { return Instant(milliseconds(ms)); }

TEST(LagMeter, KnowsHowFastTheLagShrinks) {
  LagMeter meter;
  meter.add(
      at(0),
      {.partitions = 2, .answered = 2, .begun = 2, .mutations = 1000, .last_committed = 5000});
  EXPECT_FALSE(meter.eta());
  meter.add(at(1000),
            {.partitions = 2, .answered = 2, .begun = 2, .mutations = 600, .last_committed = 5100});
  EXPECT_EQ(meter.written_per_second(), 100);
  EXPECT_EQ(meter.shipped_per_second(), 500);
  EXPECT_EQ(meter.eta(), milliseconds(1500));
  EXPECT_EQ(meter.to_line(),
            "600 mutations behind, 500/s arrive, 100/s are written, done in 1.5 s");
}

TEST(LagMeter, APartitionThatDoesNotAnswerIsNotDrained) {
  LagMeter meter;
  meter.add(at(0), {.partitions = 2, .answered = 1, .begun = 1, .mutations = 0});
  EXPECT_FALSE(meter.last().is_whole());
  EXPECT_FALSE(meter.eta());
  EXPECT_THAT(meter.to_line(), HasSubstr("the lag is not known: of 2 partitions 1 answer"));
}

TEST(LagMeter, APartitionThatHasNotBegunToShipIsNotDrained) {
  LagMeter meter;
  meter.add(at(0), {.partitions = 2, .answered = 2, .begun = 1, .mutations = 0});
  EXPECT_FALSE(meter.last().is_whole());
  EXPECT_FALSE(meter.eta());
}

TEST(LagMeter, ALagThatGrowsHasNoEnd) {
  LagMeter meter;
  meter.add(at(0),
            {.partitions = 1, .answered = 1, .begun = 1, .mutations = 10, .last_committed = 10});
  meter.add(at(1000),
            {.partitions = 1, .answered = 1, .begun = 1, .mutations = 20, .last_committed = 30});
  EXPECT_FALSE(meter.eta());
  EXPECT_THAT(meter.to_line(), HasSubstr("does not shrink"));
}

TEST(LagMeter, ReadingsFromBeforeARestartDoNotCount) {
  LagMeter meter;
  meter.add(at(0),
            {.partitions = 1, .answered = 1, .begun = 1, .mutations = 10, .last_committed = 900});
  meter.add(at(1000),
            {.partitions = 1, .answered = 1, .begun = 1, .mutations = 10, .last_committed = 100});
  EXPECT_EQ(meter.written_per_second(), -1);
}

}  // namespace
}  // namespace pegmove::migration::hot
