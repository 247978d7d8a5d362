#include "server/meta/load/load_records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "bulk_load_types.h"

namespace pegmove::server::meta {
namespace {

using ::testing::HasSubstr;

TEST(LoadRecords, WhatIsWrittenIsReadBack) {
  LoadRecord record{.app_id = 4,
                    .table = "t",
                    .provider = "disk",
                    .place = {.root = "split", .cluster = "B", .table = "t"},
                    .behind = true,
                    .load = 1'800'000'000'000,
                    .status = wire::BLS_FAILED,
                    .partitions = {wire::BLS_SUCCEED, wire::BLS_FAILED},
                    .error = wire::ErrorCode::kCorruption,
                    .reason = "why",
                    .writes_held_us = 7};
  MetaBatch batch;
  put_whole_load(batch, record);
  MetaValues values;
  batch.apply_to(values);
  const auto read = read_loads(values);
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_TRUE(*read == (LoadState{{4, record}}));
  const std::pair<const char*, const char*> damages[] = {
      {"/bulk_load/4", ""},
      {"/bulk_load/4", R"({"app_id":4})"},
      {"/bulk_load/5", values.at("/bulk_load/4").c_str()},
      {"/bulk_load/4/1", R"({"status":"BLS_LOST"})"},
      {"/bulk_load/4/2", R"({"status":"BLS_SUCCEED"})"}};
  for (const auto& [path, text] : damages) {
    auto damaged = values;
    damaged[path] = text;
    const auto wrong = read_loads(damaged);
    ASSERT_FALSE(wrong) << path;
    EXPECT_THAT(wrong.error().to_string(), HasSubstr(std::string(path).substr(0, 12)));
  }
}

}  // namespace
}  // namespace pegmove::server::meta
