// What other servers may say about a checkpoint, and in which blocks it is fetched.
#include "server/replica/duplication/checkpoint_files.h"

#include <gtest/gtest.h>

namespace pegmove::server::replica {
namespace {

wire::learn_response with_files(std::vector<std::string> names) {
  wire::learn_response response;
  response.base_local_dir = "/data/checkpoint.7";
  response.state.to_decree_included = 7;
  response.state.files = std::move(names);
  return response;
}

TEST(CheckpointFiles, KeepTheOrderOfTheMaster) {
  const std::vector<std::string> names{"MANIFEST-000005", "OPTIONS-000012", "CURRENT", "000013.sst",
                                       "000010.sst"};
  const auto files = files_of(with_files(names));
  ASSERT_TRUE(files);
  EXPECT_EQ(files->names, names);
  EXPECT_EQ(files->folder, "/data/checkpoint.7");
  EXPECT_EQ(files->decree, 7);
  EXPECT_TRUE(files->md5.empty());
}

TEST(CheckpointFiles, NamesThatLeaveTheFolderAreRefused) {
  for (const std::string& name : {std::string("../CURRENT"), std::string("/etc/passwd"),
                                  std::string("a/b"), std::string(".."), std::string("."),
                                  std::string(), std::string("a\0b", 3), std::string(256, 'a')}) {
    const auto files = files_of(with_files({"CURRENT", name}));
    ASSERT_FALSE(files) << name;
    EXPECT_EQ(files.error().code(), Code::kProtocol) << name;
  }
}

TEST(CheckpointFiles, ListsThatAreNoneOfACheckpointAreRefused) {
  EXPECT_FALSE(files_of(with_files({})));
  EXPECT_FALSE(files_of(with_files({"000013.sst"}))) << "no CURRENT";
  EXPECT_FALSE(files_of(with_files({"CURRENT", "CURRENT"})));
  auto other_count = with_files({"CURRENT", "a"});
  other_count.state.__set_file_checksums({"0cc175b9c0f1b6a831c399e269772661"});
  EXPECT_FALSE(files_of(other_count));
  std::vector<std::string> many{"CURRENT"};
  for (size_t i = 0; i < kMostCheckpointFiles; ++i) many.push_back(std::to_string(i));
  EXPECT_FALSE(files_of(with_files(std::move(many))));
}

TEST(CheckpointFiles, SizesOfOtherFilesAreRefused) {
  auto files = *files_of(with_files({"CURRENT", "a"}));
  wire::get_file_size_response sizes;
  sizes.file_list = {"CURRENT", "b"};
  sizes.size_list = {16, 5};
  EXPECT_FALSE(add_sizes(files, sizes));
  sizes.file_list = {"CURRENT", "a"};
  sizes.size_list = {16};
  EXPECT_FALSE(add_sizes(files, sizes));
  sizes.size_list = {16, -1};
  EXPECT_FALSE(add_sizes(files, sizes));
  sizes.size_list = {INT64_MAX, INT64_MAX};
  EXPECT_FALSE(add_sizes(files, sizes));
  sizes.size_list = {16, 5};
  ASSERT_TRUE(add_sizes(files, sizes));
  EXPECT_EQ(files.all_bytes, 21);
}

TEST(FileBlocks, AreThoseOfRealServers) {
  // Recorded: a file of 7,202,403 bytes between others.
  const FileBlocks blocks({16, 7'202'403, 0, 4 << 20}, 4 << 20);
  struct Expected {
    size_t file;
    int64_t offset;
    int32_t size;
    bool is_last;
  };
  const Expected expected[] = {{0, 0, 16, true},
                               {1, 0, 4'194'304, false},
                               {1, 4'194'304, 3'008'099, true},
                               {2, 0, 0, true},
                               {3, 0, 4'194'304, true}};
  ASSERT_EQ(blocks.count(), std::size(expected));
  for (size_t i = 0; i < blocks.count(); ++i) {
    const auto block = blocks.at(i);
    EXPECT_EQ(block.file, expected[i].file) << i;
    EXPECT_EQ(block.offset, expected[i].offset) << i;
    EXPECT_EQ(block.size, expected[i].size) << i;
    EXPECT_EQ(block.is_last, expected[i].is_last) << i;
  }
}

}  // namespace
}  // namespace pegmove::server::replica
