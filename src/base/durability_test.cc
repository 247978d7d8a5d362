// In which order files reach the disk: fsync() and rename() of this program are those below.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/small_file.h"
#include "testing/test_folder.h"

namespace {

std::vector<std::string>& disk_steps() {
  static std::vector<std::string> steps;
  return steps;
}

}  // namespace

extern "C" int fsync(int fd) {
  struct stat found{};
  const bool is_folder = ::fstat(fd, &found) == 0 && S_ISDIR(found.st_mode);
  disk_steps().push_back(is_folder ? "sync the folder"
                                   : "sync " + std::to_string(found.st_size) + " bytes");
  return int(::syscall(SYS_fsync, fd));
}

extern "C" int rename(const char* from, const char* to) noexcept {
  disk_steps().push_back("rename to " + std::filesystem::path(to).filename().string());
  return int(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

namespace pegmove::base {
namespace {

using ::testing::ElementsAre;

class DurabilityTest : public ::testing::Test {
 protected:
  DurabilityTest() { disk_steps().clear(); }
  pegmove::testing::TestFolder folder_;
};

// Another order would leave an empty or a cut file of that name after a power cut, or none.
TEST_F(DurabilityTest, AFileIsSyncedThenRenamedAndThenItsFolderIsSynced) {
  auto file = AtomicFile::create(folder_ / "out");
  ASSERT_TRUE(file);
  ASSERT_TRUE(file->append("one\n"));
  ASSERT_TRUE(file->flush());
  ASSERT_TRUE(file->append("two\n"));
  ASSERT_TRUE(file->commit());
  EXPECT_THAT(disk_steps(), ElementsAre("sync 8 bytes", "rename to out", "sync the folder"));
}

TEST_F(DurabilityTest, WhatComesAfterASyncIsSyncedToo) {
  auto file = AtomicFile::create(folder_ / "out");
  ASSERT_TRUE(file);
  ASSERT_TRUE(file->append("one\n"));
  ASSERT_TRUE(file->sync());
  ASSERT_TRUE(file->append("two\n"));
  ASSERT_TRUE(file->commit());
  EXPECT_THAT(disk_steps(),
              ElementsAre("sync 4 bytes", "sync 8 bytes", "rename to out", "sync the folder"));
}

TEST_F(DurabilityTest, ASmallFileIsReplacedInTheSameOrder) {
  ASSERT_TRUE(replace_file(folder_ / "out", "text"));
  EXPECT_THAT(disk_steps(), ElementsAre("sync 4 bytes", "rename to out", "sync the folder"));
}

}  // namespace
}  // namespace pegmove::base
