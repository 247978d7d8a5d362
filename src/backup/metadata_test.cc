// The JSON of backups: that of real clusters is read, and written the same, byte for byte.
#include "backup/metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "backup/layout.h"

namespace pegmove::backup {
namespace {

using ::testing::HasSubstr;

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Calls visit(name, text) for the files of both backups, of a real cluster and one that it
// restored.
template <typename Visit>
void for_each_golden(std::string_view name, Visit visit) {
  int found = 0;
  for (const char* golden : {"cold-backup", "cold-backup-stock"})
    for (const auto& entry :
         fs::recursive_directory_iterator("tests/golden/" + std::string(golden)))
      if (entry.path().filename() == name) {
        visit(read(entry.path()));
        ++found;
      }
  ASSERT_GT(found, 0) << name;
}

TEST(LayoutTest, ATableMustBeFoundAgainInItsBackup) {
  for (const char* table : {"t", "a-b", "..", "\xC3\xBC", "a b"}) {
    EXPECT_TRUE(check_table_folder(table, 7)) << table;
    EXPECT_EQ(parse_table_folder(std::string(table) + "_7")->table, table);
  }
  for (const std::string& table :
       {std::string("a/b"), std::string("/"), std::string("a\nb"), std::string(254, 'x')}) {
    auto error = check_table_folder(table, 7).error();
    EXPECT_EQ(error.code(), Code::kRefused);
    EXPECT_THAT(error.message(), HasSubstr("`rename` in the shell"));
  }
}

TEST(MetadataTest, BackupInfoIsWrittenAsRealClustersWriteIt) {
  for_each_golden("backup_info", [](const std::string& text) {
    auto info = decode_backup_info(text);
    ASSERT_TRUE(info) << info.error().to_string();
    EXPECT_FALSE(info->tables.empty());
    EXPECT_EQ(encode(*info), text);
  });
}

TEST(MetadataTest, AppMetadataIsWrittenAsRealClustersWriteIt) {
  for_each_golden("app_metadata", [](const std::string& text) {
    auto app = decode_app_metadata(text);
    ASSERT_TRUE(app) << app.error().to_string();
    EXPECT_EQ(app->partition_count, 4);
    EXPECT_EQ(encode_app_metadata(*app), text);
  });
}

TEST(MetadataTest, CheckpointMetadataIsWrittenAsRealClustersWriteIt) {
  for_each_golden("backup_metadata", [](const std::string& text) {
    auto metadata = decode_checkpoint_metadata(text);
    ASSERT_TRUE(metadata) << metadata.error().to_string();
    EXPECT_GT(metadata->files.size(), 3u);
    EXPECT_EQ(encode(*metadata), text);
  });
}

TEST(MetadataTest, StatusIsWrittenAsRealClustersWriteIt) {
  EXPECT_EQ(encode_backup_status(98755), R"({"total_checkpoint_size":98755})");
}

TEST(MetadataTest, FilesOfOtherVersionsAreRead) {
  // An older one without atomic_idempotent, with booleans as such; a newer one with more.
  auto older = decode_app_metadata(
      R"({"app_type":"pegasus","app_name":"t","app_id":3,"partition_count":8,"is_stateful":true})");
  ASSERT_TRUE(older) << older.error().to_string();
  EXPECT_EQ(older->partition_count, 8);
  EXPECT_EQ(older->init_partition_count, -1);
  auto newer = decode_backup_info(
      R"({"backup_id":5,"start_time_ms":5,"end_time_ms":0,"app_id":3,"app_name":"t","more":[]})");
  ASSERT_TRUE(newer) << newer.error().to_string();
  EXPECT_EQ(newer->tables.at(3), "t");
  // Neither all fields nor known ones alone.
  EXPECT_FALSE(decode_app_metadata(R"({"app_name":"t","app_id":3,"partition_count":8,"x":1})"));
}

TEST(MetadataTest, WhatIsImpossibleIsRefused) {
  for (const char* text :
       {"", "[]", "null", "{\"app_id\":1", R"({"app_name":"t","app_id":0,"partition_count":8})",
        R"({"app_name":"t","app_id":1,"partition_count":0})",
        R"({"app_name":"t","app_id":1,"partition_count":70000})",
        R"({"app_name":7,"app_id":1,"partition_count":8})",
        R"({"app_name":"t","app_id":99999999999,"partition_count":8})"})
    EXPECT_FALSE(decode_app_metadata(text)) << text;
  const auto metadata = [](const std::string& file, int total) {
    return R"({"checkpoint_decree":1,"checkpoint_timestamp":1,"files":[)" + file +
           R"(],"checkpoint_total_size":)" + std::to_string(total) + "}";
  };
  const std::string good =
      R"({"name":"CURRENT","size":5,"md5":"0123456789abcdef0123456789abcdef"})";
  EXPECT_TRUE(decode_checkpoint_metadata(metadata(good, 5)));
  EXPECT_FALSE(decode_checkpoint_metadata(metadata(good, 6)));
  EXPECT_FALSE(decode_checkpoint_metadata(metadata(good + "," + good, 10)));
  for (const char* file :
       {R"({"name":"../f","size":5,"md5":""})", R"({"name":"/f","size":5,"md5":""})",
        R"({"name":"","size":5,"md5":""})", R"({"name":"a\u0000b","size":5,"md5":""})",
        R"({"name":"f","size":-5,"md5":""})", R"({"name":"f","size":5,"md5":"xyz"})",
        R"({"name":"f","size":5.5,"md5":""})", R"(7)"})
    EXPECT_FALSE(decode_checkpoint_metadata(metadata(good + "," + file, 10))) << file;
  EXPECT_FALSE(decode_checkpoint_metadata(metadata(R"({"name":"f","size":5,"md5":""})", 5)));
  EXPECT_FALSE(decode_checkpoint_metadata(metadata("", 0)));
}

TEST(MetadataTest, EnvsComeBack) {
  const EnvsOfTables envs{{"t_1", {{"default_ttl", "86400"}, {"a", "\"quoted\""}}}, {"u_2", {}}};
  EXPECT_EQ(*decode_envs(encode_envs(envs)), envs);
  EXPECT_FALSE(decode_envs(R"({"t_1":{"a":1}})"));
  EXPECT_FALSE(decode_envs("[]"));
}

TEST(LayoutTest, FoldersAreThoseOfPegasus) {
  const Place place{.root = *root_of("/user/pegasus/backup/", "ClusterA"),
                    .backup_id = 1742888751127,
                    .table = "single",
                    .app_id = 4};
  EXPECT_EQ(place.metadata_file(),
            "user/pegasus/backup/ClusterA/1742888751127/single_4/meta/app_metadata");
  EXPECT_EQ(place.current_file(3),
            "user/pegasus/backup/ClusterA/1742888751127/single_4/3/current_checkpoint");
  EXPECT_EQ(place.checkpoint_folder(3, checkpoint_name("10.0.0.1:34801")),
            "user/pegasus/backup/ClusterA/1742888751127/single_4/3/chkpt_10.0.0.1_34801");
  EXPECT_EQ(*root_of("", "A", "every_day"), "A/every_day");
  EXPECT_FALSE(root_of("../x", "A"));
  EXPECT_FALSE(root_of("", "A/B"));
  EXPECT_FALSE(root_of("", ""));
}

TEST(LayoutTest, NamesAreTakenApart) {
  auto folder = parse_table_folder("my_table_12");
  ASSERT_TRUE(folder);
  EXPECT_EQ(folder->table, "my_table");
  EXPECT_EQ(folder->app_id, 12);
  for (const char* name : {"table", "_1", "t_", "t_x", "t_0", "t_-1", "t_99999999999"})
    EXPECT_FALSE(parse_table_folder(name)) << name;
  EXPECT_EQ(*parse_backup_id("1742888751127"), 1742888751127);
  for (const char* name : {"", "0", "3", "-1", "01", "1x", "0742888751127", "99999999999999999999"})
    EXPECT_FALSE(parse_backup_id(name)) << name;
  for (const char* name : {"", "..", "chkpt", "chkpt_/x", "../chkpt_x", "meta"})
    EXPECT_FALSE(is_checkpoint_name(name)) << name;
  EXPECT_TRUE(is_checkpoint_name("chkpt_localhost_34801"));
}

}  // namespace
}  // namespace pegmove::backup
