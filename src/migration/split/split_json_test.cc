// What the journal keeps of a split comes back.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "migration/split/split.h"
#include "migration/split/split_json.h"

namespace pegmove::migration {
namespace {

SplitRequest some_request() {
  return {.from_store = "a",
          .from = {.root = "A", .backup_id = 7, .table = "t", .app_id = 3},
          .from_partitions = 4,
          .to_store = "b",
          .to = {.root = "split", .cluster = "B", .table = "u"},
          .to_app_id = 5,
          .to_partitions = 6,
          .data_version = 0,
          .most_file_bytes = 1 << 20,
          .for_old_servers = true,
          .limits = {.units_at_once = 3, .work_folder = "/w"}};
}

TEST(SplitJson, ARequestComesBack) {
  const auto text = to_json(some_request());
  const auto back = split_request_from_json(text);
  ASSERT_TRUE(back) << back.error().to_string();
  EXPECT_EQ(to_json(*back), text);
  EXPECT_TRUE(back->for_old_servers);
  EXPECT_EQ(back->to.table, "u");
}

TEST(SplitJson, OneFromBeforeThereWereFilesForOldServersHasNone) {
  auto json = nlohmann::json::parse(to_json(some_request()));
  json.erase("for_old_servers");
  const auto back = split_request_from_json(json.dump());
  ASSERT_TRUE(back) << back.error().to_string();
  EXPECT_FALSE(back->for_old_servers);
}

TEST(SplitJson, TheResultOfAUnitComesBack) {
  splitter::UnitResult result{.counts = {.read = 5, .written = 2}, .files = {}};
  result.counts.foreign = {.rows = 3, .read = 3, .strays = 1, .stray_keys = {"key"}};
  const auto back = unit_result_from_json(to_json(result));
  ASSERT_TRUE(back) << back.error().to_string();
  EXPECT_EQ(back->counts, result.counts);
}

TEST(SplitJson, TheResultOfAnOlderVersionHasItsForeignRows) {
  splitter::UnitResult result{.counts = {.read = 5, .written = 2}, .files = {}};
  auto json = nlohmann::json::parse(to_json(result));
  json["counts"].erase("foreign");
  json["counts"]["misplaced"] = 3;
  const auto back = unit_result_from_json(json.dump());
  ASSERT_TRUE(back) << back.error().to_string();
  EXPECT_EQ(back->counts.foreign.rows, 3);
}

TEST(SplitJson, AFieldOfAnotherKindIsNamed) {
  auto json = nlohmann::json::parse(to_json(some_request()));
  json["to_app_id"] = "five";
  const auto back = split_request_from_json(json.dump());
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().code(), Code::kCorrupt);
  EXPECT_NE(back.error().to_string().find("to_app_id"), std::string::npos);
}

}  // namespace
}  // namespace pegmove::migration
