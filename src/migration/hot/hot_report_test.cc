#include "migration/hot/hot_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "compare/live_verification.h"
#include "migration/hot/hot_request.h"

namespace pegmove::migration::hot {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(HotReport, WhatStillDiffersIsNotGood) {
  compare::LiveVerification live;
  live.found.source_rows = 100;
  EXPECT_TRUE(summary_of(live, 5, 1).is_good());
  live.found.not_settled = 1;
  live.repaired.differ_now = 2;
  live.repaired.not_settled = 4;
  live.repaired.extra_left = 8;
  live.repaired.missing = 3;
  const auto summary = summary_of(live, 5, 2);
  EXPECT_EQ(summary.took_ms, 2);
  EXPECT_EQ(summary.differ, 10);
  EXPECT_EQ(summary.unsettled, 5);
  EXPECT_EQ(summary.repaired, 3);
  EXPECT_FALSE(summary.is_good());
}

TEST(HotReport, IsKeptInTheJournal) {
  const HotVerification verification{.rows = 1,
                                     .ranges = 8,
                                     .repaired = 2,
                                     .differ = 3,
                                     .ended_ms = 4,
                                     .certificate = "/c/hot-1.json"};
  const auto verified = hot_verification_from_json(to_json(verification));
  ASSERT_TRUE(verified) << verified.error().to_string();
  EXPECT_EQ(to_json(*verified), to_json(verification));
  const HotSwitch done{.goes_back = true,
                       .version = 5,
                       .held_ms = 6,
                       .ended_ms = 7,
                       .served_before = ServedRate{8, 9}};
  const auto read = hot_switch_from_json(to_json(done));
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(to_json(*read), to_json(done));
  EXPECT_FALSE(hot_verification_from_json(R"({"rows":-1})"));
  const auto of_earlier_version = hot_verification_from_json(
      R"({"rows":1,"repaired":2,"differ":3,"unsettled":0,"ended_ms":4,"took_ms":5})");
  ASSERT_TRUE(of_earlier_version) << of_earlier_version.error().to_string();
  EXPECT_EQ(of_earlier_version->certificate, "");
  EXPECT_FALSE(hot_switch_from_json(R"({"back":1})"));
  EXPECT_FALSE(hot_switch_from_json(""));
}

TEST(HotReport, SaysWhoServesAndForHowLongClientsWaited) {
  const HotRequest request{.source = {.table = "t", .cluster = "A"},
                           .target = {.table = "t", .cluster = "B"}};
  HotReport report{.verification = HotVerification{.rows = 1234,
                                                   .ranges = 4,
                                                   .ended_ms = 1'798'642'800'000,
                                                   .certificate = "/c/hot-1.json"},
                   .last_switch = HotSwitch{.version = 3, .held_ms = 120},
                   .served_before = ServedRate{1200, 30},
                   .serves_now = ServedRate{1100, 31},
                   .failed_writes = 1,
                   .refused_by_source = 2};
  EXPECT_THAT(to_text(report, request),
              AllOf(HasSubstr("Table t has moved from cluster A to cluster B"),
                    HasSubstr("certificate /c/hot-1.json: 1,234 rows compared"),
                    HasSubstr("in 4 ranges, 2026-12-30 15:00:00 UTC"),
                    HasSubstr("node version 3, requests waited for 120 ms"),
                    HasSubstr("1,200 reads/s, 30 writes/s on the source before the cutover, 1,100 "
                              "reads/s, 31 writes/s on the target now"),
                    HasSubstr("0 failed reads and 1 failed writes"),
                    HasSubstr("0 by the target, 2 by the source"),
                    HasSubstr("stays, and denies its clients")));
  report.dropped_source = true;
  EXPECT_THAT(to_text(report, request), HasSubstr("The table on cluster A is dropped"));
  const auto json = to_json(report, request);
  EXPECT_EQ(json["cutover"]["held_ms"], 120);
  EXPECT_EQ(json["verification"]["rows"], 1234);
  EXPECT_EQ(json["verification"]["certificate"], "/c/hot-1.json");
  EXPECT_EQ(json["source_dropped"], true);
  const auto& requests = json["requests"];
  EXPECT_EQ(requests["source_before"]["reads_per_second"], 1200);
  EXPECT_EQ(requests["target_now"]["writes_per_second"], 31);
  EXPECT_EQ(requests["target"]["write_failed_requests"], 1);
  EXPECT_EQ(requests["source"]["dup_rejected_non_idempotent_write_requests"], 2);
}

}  // namespace
}  // namespace pegmove::migration::hot
