#include "rows/joins_text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace pegmove::rows {
namespace {

using client::JoinsUsed;

TEST(JoinsText, NamesWhatIsUsedNow) {
  EXPECT_EQ(joins_now({.joined_from = 8}), "by PUT");
  EXPECT_EQ(joins_now({.joined_from = {}, .joined_share = 0}), "by PUT");
  EXPECT_EQ(joins_now({.joined_from = 8, .joined_share = 1}), "by MULTI_PUT");
  EXPECT_EQ(joins_now({.joined_from = 16, .joined_share = 0.5}),
            "by PUT, from 16 rows of a hash key on by MULTI_PUT");
}

TEST(JoinsText, ReportsRowsAndRequestsOfBothWays) {
  EXPECT_EQ(to_text(JoinsUsed{.joined_from = 8}), "");
  EXPECT_EQ(to_text(JoinsUsed{.rows_alone = 1200}), "Sent 1,200 rows by PUT.\n");
  EXPECT_EQ(to_text(JoinsUsed{.rows_joined = 5000, .joined_requests = 25}),
            "Sent 5,000 rows by MULTI_PUT, 200.0 rows a request.\n");
  EXPECT_EQ(to_text(JoinsUsed{.rows_alone = 3, .rows_joined = 8, .joined_requests = 1}),
            "Sent 3 rows by PUT and 8 rows by MULTI_PUT, 8.0 rows a request.\n");
}

TEST(JoinsText, ReportsTheLastComparison) {
  const client::JoinTrial few{.least_rows = 4, .most_rows = 7, .joined_to_alone = 3.14};
  EXPECT_EQ(to_text(JoinsUsed{.rows_alone = 10, .last_trial = few}),
            "Sent 10 rows by PUT. Measured with 4 to 7 rows of a hash key: MULTI_PUT takes 3.1 "
            "times as long as PUT.\n");
  const client::JoinTrial many{.least_rows = 8, .most_rows = 255, .joined_to_alone = 0.1};
  EXPECT_EQ(to_text(JoinsUsed{.rows_alone = 10, .last_trial = many}),
            "Sent 10 rows by PUT. Measured with 8 to 255 rows of a hash key: PUT takes 10.0 times "
            "as long as MULTI_PUT.\n");
}

TEST(JoinsText, IsJson) {
  EXPECT_EQ(to_json(JoinsUsed{.rows_alone = 3, .rows_joined = 8, .joined_requests = 1}).dump(),
            R"({"put_rows":3,"multi_put_rows":8,"multi_puts":1,"multi_put_from_rows":null})");
  const auto json = to_json(JoinsUsed{
      .joined_from = 16,
      .last_trial = client::JoinTrial{.least_rows = 8, .most_rows = 15, .joined_to_alone = 2.5}});
  EXPECT_EQ(json["multi_put_from_rows"], 16);
  EXPECT_EQ(json["compared"].dump(), R"({"from_rows":8,"to_rows":15,"multi_put_time_to_put":2.5})");
}

}  // namespace
}  // namespace pegmove::rows
