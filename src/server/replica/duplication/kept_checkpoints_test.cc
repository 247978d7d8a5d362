// Which checkpoints of a node stay, and when they go.
#include "server/replica/duplication/kept_checkpoints.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "async/run.h"
#include "testing/test_folder.h"

namespace pegmove::server::replica {
namespace {

using testing::TestFolder;
using testing::write_file;

class KeptCheckpointsTest : public ::testing::Test {
 protected:
  void SetUp() override { restart(); }
  // As a process that was killed, and a new one.
  void restart() {
    kept.reset();
    kept = std::make_unique<KeptCheckpoints>(
        Logger(), [this](std::string_view point) { points.emplace_back(point); });
  }
  static void make_files(const std::string& path) {
    std::filesystem::create_directory(path);
    for (const char* name :
         {"000009.sst", "CURRENT", "000010.sst", "OPTIONS-000007", "MANIFEST-000005"})
      write_file(path + "/" + name, name);
  }
  Result<int64_t> make(int64_t decree) {
    return async::run_to_end(context, kept->make(gpid, folder.path(), [&](const std::string& path) {
      make_files(path);
      return Result<int64_t>(decree);
    }));
  }
  std::vector<std::string> folders() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
      names.push_back(entry.path().filename());
    std::ranges::sort(names);
    return names;
  }
  using Names = std::vector<std::string>;

  TestFolder folder;
  Names points;
  asio::io_context context;  // outlives the pool, whose threads post to it
  std::unique_ptr<KeptCheckpoints> kept;
  const Gpid gpid{3, 1};
};

TEST_F(KeptCheckpointsTest, ListsFilesInTheOrderOfRealServers) {
  ASSERT_EQ(make(7), 7);
  const auto checkpoint = kept->of(gpid);
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->folder, folder / "checkpoint.7");
  Names names;
  for (const auto& file : checkpoint->files) {
    names.push_back(file.name);
    EXPECT_EQ(file.size, int64_t(file.name.size()));
  }
  EXPECT_EQ(names,
            (Names{"MANIFEST-000005", "OPTIONS-000007", "CURRENT", "000009.sst", "000010.sst"}));
  EXPECT_EQ(kept->at(folder / "checkpoint.7"), checkpoint);
  EXPECT_FALSE(kept->at(folder / "checkpoint.7/"));
  EXPECT_FALSE(kept->at(folder.path()));
}

TEST_F(KeptCheckpointsTest, ANewOneReplacesTheLast) {
  ASSERT_EQ(make(7), 7);
  ASSERT_EQ(make(9), 9);
  EXPECT_EQ(folders(), Names{"checkpoint.9"});
  EXPECT_FALSE(kept->at(folder / "checkpoint.7"));
  ASSERT_EQ(make(9), 9) << "repeatable";
  EXPECT_EQ(folders(), Names{"checkpoint.9"});
  EXPECT_EQ(kept->of(gpid)->decree, 9);
}

TEST_F(KeptCheckpointsTest, GoesWhenNoDuplicationNeedsIt) {
  ASSERT_EQ(make(7), 7);
  kept->remove(gpid);
  kept->remove(gpid);
  kept.reset();  // what was requested is done
  EXPECT_EQ(folders(), Names{});
  EXPECT_EQ(points.back(), "dup.checkpoint_removed");
}

TEST_F(KeptCheckpointsTest, StaysOverARestart) {
  ASSERT_EQ(make(7), 7);
  restart();
  EXPECT_FALSE(kept->of(gpid));
  ASSERT_TRUE(kept->find_left(gpid, folder.path()));
  ASSERT_TRUE(kept->of(gpid));
  EXPECT_EQ(kept->of(gpid)->decree, 7);
  EXPECT_EQ(kept->of(gpid)->files.size(), 5u);
}

TEST_F(KeptCheckpointsTest, WhatAKillLeftIsRemoved) {
  make_files(folder / "checkpoint_tmp");
  make_files(folder / "checkpoint.7");
  make_files(folder / "checkpoint.12");
  std::filesystem::create_directory(folder / "rdb");
  ASSERT_TRUE(kept->find_left(gpid, folder.path()));
  EXPECT_EQ(kept->of(gpid)->decree, 12);
  EXPECT_EQ(folders(), (Names{"checkpoint.12", "rdb"}));
  // A kill within the removal.
  std::filesystem::remove(folder / "checkpoint.12/CURRENT");
  restart();
  ASSERT_TRUE(kept->find_left(gpid, folder.path()));
  EXPECT_FALSE(kept->of(gpid));
  EXPECT_EQ(folders(), Names{"rdb"});
}

TEST_F(KeptCheckpointsTest, AFailureKeepsTheLast) {
  ASSERT_EQ(make(7), 7);
  const auto made = async::run_to_end(
      context, kept->make(gpid, folder.path(), [](const std::string&) -> Result<int64_t> {
        return fail(Code::kIo, "the disk is full");
      }));
  ASSERT_FALSE(made);
  EXPECT_EQ(kept->of(gpid)->decree, 7);
  EXPECT_EQ(folders(), Names{"checkpoint.7"});
}

TEST_F(KeptCheckpointsTest, OfADroppedTableIsForgotten) {
  ASSERT_EQ(make(7), 7);
  kept->forget(gpid);
  EXPECT_FALSE(kept->of(gpid));
  EXPECT_EQ(folders(), Names{"checkpoint.7"});
}

}  // namespace
}  // namespace pegmove::server::replica
