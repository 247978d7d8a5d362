#include "bulkload/metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "bulkload/layout.h"

namespace pegmove::bulkload {
namespace {

using ::testing::HasSubstr;

constexpr const char* kMd5 = "4234df0eb4b4a5b96d9a9f96473ac34e";

std::string golden(const std::string& name) {
  std::ifstream file("tests/golden/bulk-load/oneboxB/bl3/" + name);
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

std::string files(const std::string& list, const std::string& total) {
  return R"({"files":[)" + list + R"(],"file_total_size":)" + total + "}";
}

std::string file(const std::string& name, const std::string& size, const std::string& md5 = kMd5) {
  return R"({"name":")" + name + R"(","size":)" + size + R"(,"md5":")" + md5 + R"("})";
}

void expect_damaged(const Result<Metadata>& result, const std::string& saying) {
  ASSERT_FALSE(result) << saying;
  EXPECT_EQ(result.error().code(), Code::kCorrupt);
  EXPECT_THAT(result.error().to_string(), HasSubstr(saying));
}

TEST(BulkLoadMetadata, WhatARealClusterLoadedIsReadAndWrittenByteForByte) {
  const auto info = decode_info(golden("bulk_load_info"));
  ASSERT_TRUE(info);
  EXPECT_EQ(*info, (Info{.app_id = 4, .table = "bl3", .partition_count = 4}));
  EXPECT_EQ(encode(*info), golden("bulk_load_info"));
  for (const auto* partition : {"0", "1", "2", "3"}) {
    const auto text = golden(std::string(partition) + "/bulk_load_metadata");
    const auto metadata = decode_metadata(text);
    ASSERT_TRUE(metadata) << partition;
    ASSERT_EQ(metadata->files.size(), 1u);
    EXPECT_EQ(metadata->files[0].name, "1.sst");
    EXPECT_EQ(encode(*metadata), text);
  }
}

TEST(BulkLoadMetadata, SparksFieldMoreIsPassedOver) {
  const auto info =
      decode_info(R"({"cluster":"B","app_id":7,"app_name":"t","partition_count":16})");
  ASSERT_TRUE(info);
  EXPECT_EQ(info->partition_count, 16);
}

TEST(BulkLoadMetadata, WhatNoServerWouldLoadIsRefusedByName) {
  expect_damaged(decode_metadata("nonsense"), "it is not a JSON object");
  expect_damaged(decode_metadata(files("", "0")), "no bytes");
  expect_damaged(decode_metadata(files(file("a.sst", "0"), "0")), "no bytes");
  expect_damaged(decode_metadata(files(file("a.sst", "7"), "8")), "7 bytes instead of 8");
  expect_damaged(decode_metadata(files(file("a.sst", "7") + "," + file("a.sst", "7"), "14")),
                 "a.sst is listed twice");
  expect_damaged(decode_metadata(files(file("../a.sst", "7"), "7")), "not a valid file name");
  expect_damaged(decode_metadata(files(file("a.sst", "7", "zz"), "7")), "MD5 of a.sst");
  expect_damaged(decode_metadata(files(file("a.sst", "-7"), "-7")), "file_total_size");
}

TEST(BulkLoadMetadata, AnInfoWithoutTableOrPartitionsIsNone) {
  for (const auto* text : {R"({"app_id":0,"app_name":"t","partition_count":4})",
                           R"({"app_id":4,"app_name":"t","partition_count":0})",
                           R"({"app_id":4,"app_name":"t","partition_count":70000})", "[]"}) {
    const auto info = decode_info(text);
    ASSERT_FALSE(info) << text;
    EXPECT_EQ(info.error().code(), Code::kCorrupt);
  }
}

TEST(BulkLoadLayout, FoldersAndFilesLieWhereServersLook) {
  const auto place = place_of("/user/pegasus/split/", "ClusterB", "TableB");
  ASSERT_TRUE(place);
  EXPECT_EQ(place->info_file(), "user/pegasus/split/ClusterB/TableB/bulk_load_info");
  EXPECT_EQ(place->metadata_file(63), "user/pegasus/split/ClusterB/TableB/63/bulk_load_metadata");
  EXPECT_EQ(place->file(0, "1.sst"), "user/pegasus/split/ClusterB/TableB/0/1.sst");
}

TEST(BulkLoadLayout, WhatLeadsElsewhereIsRefused) {
  for (const auto& [root, cluster, table] :
       {std::tuple("../x", "B", "t"), {"x", "a/b", "t"}, {"x", "B", ".."}, {"x", "", "t"}}) {
    const auto place = place_of(root, cluster, table);
    ASSERT_FALSE(place) << root << cluster << table;
    EXPECT_EQ(place.error().code(), Code::kInvalidArgument);
  }
}

}  // namespace
}  // namespace pegmove::bulkload
