#include "migration/copy/copy_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace pegmove::migration {
namespace {

using async::milliseconds;
using nlohmann::json;
using ::testing::HasSubstr;

CopyRequest full_request() {
  return {.from_metas = "10.0.0.1:34601,10.0.0.2:34601",
          .to_metas = "[::1]:34601",
          .options = {.table = "users",
                      .to_table = "users_copy",
                      .create = true,
                      .partitions = 64,
                      .into_nonempty = true,
                      .live = true,
                      .dual_written = true,
                      .timeout = milliseconds(1234),
                      .retry_for = milliseconds(56'789),
                      .rules = {.partitions = {3, 1},
                                .filters = {.hash_key = {rows::Match::kPrefix, "u\xff"}},
                                .with_expiry = false,
                                .mode = rows::WriteMode::kNoOverwrite},
                      .duplicate = client::DuplicateWrite{.cluster_id = 127,
                                                          .timestamp_us = 1'800'000'000'000'001,
                                                          .verify_timetag = true}},
          .throttle = {.max_rows_per_second = 50'000,
                       .max_bytes_per_second = 7'000'000,
                       .adaptive = false,
                       .latency_bound = milliseconds(150)}};
}

TEST(CopyRequestJson, EveryFieldComesBack) {
  const auto request = full_request();
  auto back = copy_request_from_json(to_json(request));
  ASSERT_TRUE(back) << back.error().to_string();
  EXPECT_EQ(back->from_metas, request.from_metas);
  EXPECT_EQ(back->to_metas, request.to_metas);
  const auto &is = back->options, &was = request.options;
  EXPECT_EQ(is.table, was.table);
  EXPECT_EQ(is.to_table, was.to_table);
  EXPECT_TRUE(is.create);
  EXPECT_EQ(is.partitions, 64);
  EXPECT_TRUE(is.into_nonempty);
  EXPECT_TRUE(is.live);
  EXPECT_TRUE(is.dual_written);
  EXPECT_EQ(is.timeout, was.timeout);
  EXPECT_EQ(is.retry_for, was.retry_for);
  EXPECT_EQ(is.rules, was.rules);
  ASSERT_TRUE(is.duplicate);
  EXPECT_EQ(is.duplicate->cluster_id, 127);
  EXPECT_EQ(is.duplicate->timestamp_us, 1'800'000'000'000'001);
  EXPECT_TRUE(is.duplicate->verify_timetag);
  EXPECT_EQ(back->throttle.max_rows_per_second, 50'000);
  EXPECT_EQ(back->throttle.max_bytes_per_second, 7'000'000);
  EXPECT_FALSE(back->throttle.adaptive);
  EXPECT_EQ(back->throttle.latency_bound, milliseconds(150));
}

TEST(CopyRequestJson, DefaultsComeBackAndTheWayThatWasChosenStays) {
  CopyRequest request{.from_metas = "a:1", .to_metas = "b:1", .options = {.table = "t"}};
  auto back = copy_request_from_json(to_json(request));
  ASSERT_TRUE(back) << back.error().to_string();
  EXPECT_FALSE(back->options.create);
  EXPECT_FALSE(back->options.into_nonempty);
  EXPECT_FALSE(back->options.live);
  EXPECT_FALSE(back->options.dual_written);
  EXPECT_FALSE(back->options.partitions);
  EXPECT_FALSE(back->options.duplicate);
  EXPECT_TRUE(back->throttle.adaptive);
  EXPECT_EQ(back->options.through, Through::kPlain) << "a run does not change its way";
}

void expect_corrupt(const json& text, const std::string& field) {
  auto read = copy_request_from_json(text.dump());
  ASSERT_FALSE(read) << text;
  EXPECT_EQ(read.error().code(), Code::kCorrupt) << text;
  EXPECT_THAT(read.error().to_string(), HasSubstr("the journal's options of a copy"));
  EXPECT_THAT(read.error().to_string(), HasSubstr(field));
}

TEST(CopyRequestJson, AFieldThatIsMissingIsNamed) {
  const auto whole = json::parse(to_json(full_request()));
  for (const auto& [key, value] : whole.items()) {
    if (key == "duplicate" || key == "partitions") continue;
    auto part = whole;
    part.erase(key);
    expect_corrupt(part, "'" + key + "'");
  }
  for (const auto& [key, value] : whole["duplicate"].items()) {
    auto part = whole;
    part["duplicate"].erase(key);
    expect_corrupt(part, key + "'");
  }
}

TEST(CopyRequestJson, AFieldOfAWrongTypeIsNamed) {
  const auto whole = json::parse(to_json(full_request()));
  const std::vector<json> values = {nullptr,       1, 1.5, -1, true, "x", "1", json::array(),
                                    json::object()};
  auto same_kind = [](const json& a, const json& b) {
    return a.type() == b.type() || (a.is_number_integer() && b == 1);
  };
  for (const auto& [key, was] : whole.items())
    for (const auto& value : values) {
      if (same_kind(was, value)) continue;
      auto wrong = whole;
      wrong[key] = value;
      expect_corrupt(wrong, key == "rules" ? "rules of a copy" : key == "duplicate" ? "" : key);
    }
  for (const auto& [key, was] : whole["duplicate"].items())
    for (const auto& value : values) {
      if (same_kind(was, value)) continue;
      auto wrong = whole;
      wrong["duplicate"][key] = value;
      expect_corrupt(wrong, key + "'");
    }
}

TEST(CopyRequestJson, NumbersOutOfRangeAreNotCut) {
  const auto whole = json::parse(to_json(full_request()));
  const std::vector<std::pair<const char*, json>> wrong = {
      {"/duplicate/cluster_id", 300},
      {"/duplicate/cluster_id", 0},
      {"/duplicate/timestamp_us", -1},
      {"/duplicate/timestamp_us", UINT64_MAX},
      {"/partitions", (int64_t{1} << 32) + 4},
      {"/partitions", 0},
      {"/timeout_ms", INT64_MAX},
      {"/retry_for_ms", -5},
      {"/latency_bound_ms", UINT64_MAX},
      {"/max_rows_per_second", -1},
      {"/max_bytes_per_second", INT64_MAX},
  };
  for (const auto& [field, value] : wrong) {
    auto changed = whole;
    changed[json::json_pointer(field)] = value;
    expect_corrupt(changed, std::string(field).substr(std::string(field).rfind('/') + 1));
  }
}

TEST(CopyRequestJson, WhatIsNoObjectIsCorrupt) {
  for (const char* text : {"", "{", "[]", "null", "\"x\"", "1", "{}", "{}{}", "\xff"}) {
    auto read = copy_request_from_json(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code(), Code::kCorrupt) << text;
  }
  EXPECT_FALSE(copy_request_from_json(std::string(100'000, '[')));
}

TEST(CopySetting, EachChangesTheThrottling) {
  rows::ThrottleOptions throttle;
  ASSERT_TRUE(apply_setting(throttle, "max-rows-per-second", "123"));
  EXPECT_EQ(throttle.max_rows_per_second, 123);
  ASSERT_TRUE(apply_setting(throttle, "max-rows-per-second", "0"));
  EXPECT_EQ(throttle.max_rows_per_second, 0);
  ASSERT_TRUE(apply_setting(throttle, "max-megabytes-per-second", "12"));
  EXPECT_EQ(throttle.max_bytes_per_second, 12'000'000);
  ASSERT_TRUE(apply_setting(throttle, "max-megabytes-per-second", "1000000000000"));
  EXPECT_EQ(throttle.max_bytes_per_second, 1'000'000'000'000'000'000);
  ASSERT_TRUE(apply_setting(throttle, "latency-bound", "50ms"));
  EXPECT_EQ(throttle.latency_bound, milliseconds(50));
  ASSERT_TRUE(apply_setting(throttle, "full-speed", "true"));
  EXPECT_FALSE(throttle.adaptive);
  ASSERT_TRUE(apply_setting(throttle, "full-speed", "false"));
  EXPECT_TRUE(throttle.adaptive);
}

TEST(CopySetting, AWrongValueIsNamedAndChangesNothing) {
  constexpr std::pair<const char*, const char*> kWrong[] = {
      {"max-rows-per-second", ""},
      {"max-rows-per-second", "-1"},
      {"max-rows-per-second", "1.5"},
      {"max-rows-per-second", "10k"},
      {"max-rows-per-second", " 1"},
      {"max-rows-per-second", "1000000000001"},
      {"max-megabytes-per-second", "x"},
      {"max-megabytes-per-second", "99999999999999999999"},
      {"latency-bound", ""},
      {"latency-bound", "soon"},
      {"latency-bound", "-5ms"},
      {"full-speed", "yes"},
      {"full-speed", ""},
  };
  for (auto [key, value] : kWrong) {
    rows::ThrottleOptions throttle{.max_rows_per_second = 7, .max_bytes_per_second = 8};
    auto applied = apply_setting(throttle, key, value);
    ASSERT_FALSE(applied) << key << "=" << value;
    EXPECT_EQ(applied.error().code(), Code::kInvalidArgument);
    EXPECT_THAT(applied.error().to_string(), HasSubstr(key));
    EXPECT_EQ(throttle.max_rows_per_second, 7);
    EXPECT_EQ(throttle.max_bytes_per_second, 8);
    EXPECT_EQ(throttle.latency_bound, rows::ThrottleOptions().latency_bound);
    EXPECT_TRUE(throttle.adaptive);
  }
}

TEST(CopySetting, AnUnknownOneIsToldWhichThereAre) {
  rows::ThrottleOptions throttle;
  auto applied = apply_setting(throttle, "max_rows_per_second", "1");
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code(), Code::kInvalidArgument);
  for (const char* key : {"'max_rows_per_second'", "max-rows-per-second",
                          "max-megabytes-per-second", "latency-bound", "full-speed"})
    EXPECT_THAT(applied.error().message(), HasSubstr(key));
}

}  // namespace
}  // namespace pegmove::migration
